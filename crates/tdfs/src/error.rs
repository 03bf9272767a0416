//! What can go wrong in the tdfs.

use rpc::authn::AuthnError;
use rpc::{CallError, Fault};
use store::StoreError;
use types::error::ErrorCode;
use types::id::FileId;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is nobody.
    #[error("authentication")]
    Authn(#[from] AuthnError),
    /// There is no such file, or not for this caller.
    #[error("no file {0}")]
    NoSuchFile(FileId),
    /// The caller may read the file, which is not enough.
    #[error("file {0} belongs to somebody else")]
    NotOwner(FileId),
    /// A task has the file as input.
    #[error("file {0} is an input of a task that has not ended")]
    InUse(FileId),
    /// A field's value is out of range.
    #[error("field `{field}`: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What its value must be.
        rule: String,
    },
    /// The file is larger than this deployment takes.
    #[error("field `file_size`: files are at most {limit} bytes here")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The kms failed.
    #[error("kms")]
    Kms(#[from] CallError),
    /// The store failed or refused a record.
    #[error("file store")]
    Store(#[from] StoreError),
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::Authn(error) => error.code(),
            Error::NoSuchFile(_) => ErrorCode::NotFound,
            Error::NotOwner(_) => ErrorCode::PermissionDenied,
            Error::InUse(_) => ErrorCode::Conflict,
            Error::Field { .. } => ErrorCode::InvalidRequest,
            Error::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            Error::Kms(error) => error.code(),
            Error::Store(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            Error::Authn(error) => error.message(),
            Error::Kms(error) => error.message(),
            _ => self.to_string(),
        }
    }
}

/// Why the tdfs can't start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store can't be opened.
    #[error("the tdfs's store can't be opened")]
    Store(#[from] store::OpenError),
    /// The folder for ciphertext can't be made.
    #[error("the folder {path} can't be made")]
    Files {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
