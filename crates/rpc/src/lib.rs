//! The wire: attested TLS, listeners with both protocols and their limits, authentication, replies, typed clients.
//!
//! ```text
//! bytes → listener → tls (Peer) → connection (framed | http) → dispatch (decode, Ctx) → Service::call
//!       ← reply (the only place that knows codes and statuses) ←───────────────────────────┘
//! ```
//!
//! A service implements [`Service`] for one [`Protocol`]; it sees typed requests and a [`Ctx`], never a socket, a
//! header or a status. Whoever calls a service holds a [`Client`], which is the service itself in the same process or
//! a pool of attested connections to it.

mod attestation;
pub mod authn;
pub mod bodies;
mod caller;
pub mod client;
mod collateral;
pub mod config;
mod connection;
pub mod courier;
mod ctx;
pub mod daemon;
pub mod deployment;
mod dispatch;
pub mod enrolment;
mod frame;
pub mod fuzz;
mod gate;
mod header;
pub mod host;
mod http;
pub mod listener;
pub mod machine;
pub mod manifest;
pub mod openapi;
mod pace;
pub mod patience;
mod pool;
pub mod protocol;
pub mod raw;
mod reply;
pub mod saved;
mod service;
pub mod shutdown;
mod stream;
pub mod telemetry;
pub mod tls;
mod trust;
pub mod unix;

pub use attestation::Proof;
pub use client::{CallError, Client};
pub use ctx::{Ctx, Peer};
pub use protocol::Protocol;
pub use reply::{Reply, http_status};
pub use service::{Fault, Service};
