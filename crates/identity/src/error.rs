//! What can go wrong with users.

use rpc::Fault;
use store::StoreError;
use types::error::ErrorCode;
use types::user::UserId;

/// Why an operator's request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is taken.
    #[error("user {0} exists already; `rotate` gives a new token")]
    Exists(UserId),
    /// No user has this name.
    #[error("no user {0}")]
    NoSuchUser(UserId),
    /// A token set by hand is too short or too long.
    #[error("a token has 1 to 256 bytes")]
    BadToken,
    /// The change of a key is not the next one.
    #[error("field `version`: the next change of your key is number {expected}")]
    KeyVersion {
        /// What it must be.
        expected: u64,
    },
    /// Nothing can be signed without a key.
    #[error("field `required`: without a key nothing can be signed")]
    KeyRequired,
    /// A key that must have signed the change did not.
    #[error("field `{0}`: the change is not signed by that key")]
    KeyNotSigned(&'static str),
    /// The store failed or refused a record.
    #[error("user store")]
    Store(#[from] StoreError),
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::Exists(_) => ErrorCode::Conflict,
            Error::NoSuchUser(_) => ErrorCode::NotFound,
            Error::BadToken | Error::KeyRequired => ErrorCode::InvalidRequest,
            Error::KeyVersion { .. } => ErrorCode::Conflict,
            Error::KeyNotSigned(_) => ErrorCode::PermissionDenied,
            Error::Store(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        self.to_string()
    }
}

/// Why the users can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the user store can't be opened")]
pub struct OpenError(#[from] pub store::OpenError);
