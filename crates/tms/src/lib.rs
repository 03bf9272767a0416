//! Task management: which functions exist, who agreed to what, who runs it, what came out.
//!
//! It sees ids, digests and decisions, never a key or a byte of a file. A task's life is `types::task`'s state machine;
//! [`task`] applies events to a task's record as pure functions, `db` commits what they return, and nothing else
//! assigns a status.

mod agree;
mod api;
pub mod authz;
mod db;
mod error;
mod function;
mod leases;
mod log;
#[cfg(test)]
mod model_tests;
mod nodes;
pub mod parties;
mod receipts;
mod registry;
mod service;
mod settle;
mod start;
mod statements;
pub mod task;

pub use api::{External, Internal};
pub use error::{Error, OpenError};
pub use log::Log;
pub use service::{Settings, Tms};
pub use start::{Neighbour, StartError, start};
