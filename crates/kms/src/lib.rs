//! Key management: makes data keys, keeps them sealed, gives them to attested services.
//!
//! It knows keys by name only: not whose file a key opens, and never a file.

mod api;
mod authority;
mod db;
mod error;
mod keeper;
mod operate;
pub mod registry;
mod replica;
pub mod root_key;
mod service;
mod start;

pub use api::Api;
pub use error::{Error, OpenError};
pub use operate::{OperateError, OperatorError, change, open_stopped, operate, sealer_here};
pub use service::Kms;
pub use start::{StartError, start};
