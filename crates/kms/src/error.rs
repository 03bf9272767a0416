//! What can go wrong in the kms.

use rpc::Fault;
use rpc::config::LIST_PAGE;
use store::StoreError;
use types::error::ErrorCode;
use types::id::KeyId;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key has this name.
    #[error("no key {0}")]
    NoSuchKey(KeyId),
    /// A page of no size that there is.
    #[error("field `limit`: must be 1 to {LIST_PAGE}")]
    Limit,
    /// Another service than the tdfs asks which keys there are.
    #[error("only the tdfs may list keys")]
    NotForYou,
    /// The random source repeated a 122-bit name.
    #[error("a random key name was taken")]
    NameTaken,
    /// The store failed or refused a record.
    #[error("key store")]
    Store(#[from] StoreError),
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::NoSuchKey(_) => ErrorCode::NotFound,
            Error::Limit => ErrorCode::InvalidRequest,
            Error::NotForYou => ErrorCode::PermissionDenied,
            Error::NameTaken | Error::Store(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        self.to_string()
    }
}

/// Why the kms can't start.
#[derive(Debug, thiserror::Error)]
#[error("the kms's store can't be opened")]
pub struct OpenError(#[from] store::OpenError);
