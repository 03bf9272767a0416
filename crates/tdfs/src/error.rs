//! What can go wrong in the tdfs.

use blobs::Reason;
use consent::policy::BadPolicy;
use rpc::authn::AuthnError;
use rpc::{CallError, Fault};
use store::StoreError;
use types::error::ErrorCode;
use types::id::{FileId, TaskId};

use crate::usage::OverQuota;

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
    /// A task made the file, and may still be withdrawn from.
    #[error("file {file} is an output of task {task}, which has not ended; it can be had once it has")]
    Withheld {
        /// Which file.
        file: FileId,
        /// Which task.
        task: TaskId,
    },
    /// A URL that this tdfs did not make.
    #[error("the URL's signature is not this service's")]
    BadUrl,
    /// A URL whose time is over.
    #[error("the URL's time is over; ask for another")]
    UrlExpired,
    /// A URL for something else.
    #[error("the URL is not for {0}")]
    OtherOperation(&'static str),
    /// The upload is not complete.
    #[error("file {0} is not complete: its upload has not ended")]
    Incomplete(FileId),
    /// The file has its ciphertext.
    #[error("file {0} is complete; declare another to upload other content")]
    Complete(FileId),
    /// The upload has not the length of what was declared.
    #[error("file {file} takes {expected}, not {found} bytes")]
    WrongLength {
        /// Which file.
        file: FileId,
        /// What was declared comes to.
        expected: String,
        /// What was sent.
        found: u64,
    },
    /// Something else was declared before.
    #[error("file {0} was declared with another size or digest")]
    OtherDeclared(FileId),
    /// Two checks at once.
    #[error("a check runs already; wait until it has ended")]
    Checking,
    /// Everything would look as if it were lost.
    #[error(
        "the ciphertext was in another place before (then {before}, now {now}); if that disk is not mounted, mount it; if \
         everything has moved, say `--moved`"
    )]
    OtherPlace {
        /// Where it was.
        before: String,
        /// Where it is.
        now: String,
    },
    /// The owner would have more than they may.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    /// The users can't be asked.
    #[error("users")]
    Users(#[source] identity::Error),
    /// A user's key can't be changed so.
    #[error(transparent)]
    Key(identity::Error),
    /// The ciphertext's place failed or refused.
    #[error("where ciphertext is kept")]
    Blobs(#[from] blobs::Error),
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
    /// The file is too large for one message, but not for chunks.
    #[error(
        "field `file_size`: files in one message are at most {limit} bytes here; use the chunked format \
         (`format`: `chunked`), which takes larger ones"
    )]
    TooLargeForOne {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The kms failed.
    #[error("kms")]
    Kms(#[from] CallError),
    /// The tms failed.
    #[error("tms")]
    Tms(#[source] CallError),
    /// The store failed or refused a record.
    #[error("file store")]
    Store(#[from] StoreError),
}

impl From<BadPolicy> for Error {
    fn from(error: BadPolicy) -> Self {
        Error::Field { field: "policy", rule: error.to_string() }
    }
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::Authn(error) => error.code(),
            Error::NoSuchFile(_) => ErrorCode::NotFound,
            Error::NotOwner(_) | Error::BadUrl | Error::UrlExpired | Error::OtherOperation(_) => {
                ErrorCode::PermissionDenied
            }
            Error::InUse(_) | Error::Complete(_) | Error::Checking => ErrorCode::Conflict,
            Error::OtherPlace { .. }
            | Error::Incomplete(_)
            | Error::Withheld { .. }
            | Error::WrongLength { .. }
            | Error::OtherDeclared(_) => ErrorCode::PreconditionFailed,
            Error::Field { .. } => ErrorCode::InvalidRequest,
            Error::TooLarge { .. } | Error::TooLargeForOne { .. } => ErrorCode::PayloadTooLarge,
            Error::OverQuota(_) => ErrorCode::ResourceExhausted,
            Error::Blobs(error) => blobs_code(error),
            Error::Kms(error) | Error::Tms(error) => error.code(),
            Error::Users(_) | Error::Store(_) => ErrorCode::Internal,
            Error::Key(error) => error.code(),
        }
    }

    fn message(&self) -> String {
        match self {
            Error::Authn(error) => error.message(),
            Error::Kms(error) | Error::Tms(error) => error.message(),
            _ => self.to_string(),
        }
    }
}

/// What a failure of the ciphertext's place means to a caller.
fn blobs_code(error: &blobs::Error) -> ErrorCode {
    match error.reason() {
        Reason::Missing => ErrorCode::NotFound,
        Reason::Exists | Reason::Superseded => ErrorCode::Conflict,
        Reason::Incomplete { .. } | Reason::PastTheEnd { .. } | Reason::TooShort { .. } | Reason::Damaged => {
            ErrorCode::PreconditionFailed
        }
        Reason::TooLarge | Reason::TooLong { .. } => ErrorCode::PayloadTooLarge,
        Reason::Body(_) => ErrorCode::InvalidRequest,
        Reason::Full(_) => ErrorCode::ResourceExhausted,
        Reason::Stopping => ErrorCode::Unavailable,
        _ => ErrorCode::Internal,
    }
}

/// Why the tdfs can't start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store can't be opened.
    #[error("the tdfs's store can't be opened")]
    Store(#[from] store::OpenError),
    /// The store can't be read.
    #[error("the tdfs's store can't be read")]
    Read(#[from] StoreError),
}
