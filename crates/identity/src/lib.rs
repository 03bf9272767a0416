//! Who the users are: names and hashed tokens, in one store, asked anew for every request.
//!
//! The tdfs hosts it; the tms asks through the service plane; operators change it with [`operate`], through a running
//! server's Unix socket or on the store itself. Only a keyed hash of a token is kept (HMAC-SHA-256 under a key derived
//! from the service's sealing key), so a stolen store can't even be searched for weak tokens. What changes about a user is put
//! into the [`outbox`] for the tms's log in the same commit.

mod error;
mod operate;
pub mod outbox;
mod signing;
mod users;

pub use error::{Error, OpenError};
pub use operate::{OperateError, operate, serve_operator};
pub use users::Users;
