//! Trusted file service: who owns which file, who may read it, where its ciphertext goes.
//!
//! It sees records, never plaintext, and keeps no key: it knows keys by name and asks the kms for each request. The
//! deployment's users live in its process (crate `identity`), and it answers the tms's questions about them.

mod api;
pub mod authz;
mod db;
mod error;
pub mod file;
mod fsck;
pub mod fuzz;
mod house;
mod log;
mod operate;
mod outputs;
mod service;
mod start;
mod statements;
mod transfer;
mod url;
mod usage;

pub use api::{External, Internal};
pub use error::{Error, OpenError};
pub use operate::{AskError, ask_running};
pub use service::{Settings, Tdfs};
pub use start::{StartError, Started, open_stopped, start};
pub use usage::{OverQuota, Thing};
