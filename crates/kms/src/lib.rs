//! Key management: makes data keys, keeps them sealed, gives them to attested services.
//!
//! It knows keys by name, and never a file. Of a file whose owner restricts what tasks may do with it, it knows the
//! owner's policy (`policy`), and gives its key to runs of tasks alone that the tms confirms (`release`).

mod api;
mod authority;
mod db;
mod error;
mod keeper;
mod operate;
mod policy;
pub mod registry;
mod release;
mod replica;
pub mod root_key;
mod service;
mod start;

pub use api::Api;
pub use error::{Error, OpenError};
pub use operate::{OperateError, OperatorError, change, open_stopped, operate, sealer_here};
pub use service::Kms;
pub use start::{StartError, start};
