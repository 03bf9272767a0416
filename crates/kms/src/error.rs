//! What can go wrong in the kms.

use consent::agreement::{Insufficient, OtherMeasurements};
use consent::policy::Forbidden;
use consent::uses::Exhausted;
use rpc::config::LIST_PAGE;
use rpc::{CallError, Fault};
use store::StoreError;
use types::error::ErrorCode;
use types::id::{FileId, KeyId, TaskId};
use types::service::Role;
use types::trust::TrustLevel;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key has this name.
    #[error("no key {0}")]
    NoSuchKey(KeyId),
    /// A page of no size that there is.
    #[error("field `limit`: must be 1 to {LIST_PAGE}")]
    Limit,
    /// Another service asks than the one whose business it is.
    #[error("only the {0} may ask for this")]
    NotForYou(Role),
    /// The key is released to runs of tasks alone.
    #[error("the owner of the file of key {0} has set a policy: ask for it with `Release`, for a task that runs")]
    HasPolicy(KeyId),
    /// No task runs under the lease.
    #[error("task {0} does not run under this lease")]
    NotRunning(TaskId),
    /// The approvals that the tms showed are not enough for the manifest that it showed.
    #[error("task {task} is not approved as it stands: {source}")]
    NotApproved {
        /// The task.
        task: TaskId,
        /// What is wrong with them.
        source: Insufficient,
    },
    /// What runs is not what a party approved.
    #[error("task {task}: {source}")]
    OtherMeasurements {
        /// The task.
        task: TaskId,
        /// Whose approval it is that does not hold.
        source: OtherMeasurements,
    },
    /// The parties ask for a platform that is trusted more than the node's.
    #[error("the parties of task {task} ask for a platform that is at least {wanted}")]
    Trust {
        /// The task.
        task: TaskId,
        /// What they ask for.
        wanted: TrustLevel,
    },
    /// A task has nothing to do with a file.
    #[error("file {file} is not among what task {task} reads")]
    NotOfTask {
        /// The file.
        file: FileId,
        /// The task.
        task: TaskId,
    },
    /// A key is another file's.
    #[error("the key that is asked for is not that of file {0}")]
    OtherKey(FileId),
    /// The policy of a file's owner forbids it.
    #[error("input file {file}: {rule}")]
    Forbidden {
        /// The file.
        file: FileId,
        /// What it says.
        rule: Forbidden,
    },
    /// All uses that a file's owner allowed are taken.
    #[error("input file {file}: {source}")]
    Exhausted {
        /// The file.
        file: FileId,
        /// Its key.
        key: KeyId,
        /// How many there may be.
        source: Exhausted,
    },
    /// A run begins that has no use of any file.
    #[error("no use of a file is kept for this run of task {0}")]
    NotReserved(TaskId),
    /// Nobody who knows tasks is there to be asked.
    #[error("this kms does not serve")]
    Alone,
    /// The tms can't be asked.
    #[error("tms")]
    Tms(#[from] CallError),
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
            Error::NotForYou(_)
            | Error::HasPolicy(_)
            | Error::NotOfTask { .. }
            | Error::OtherKey(_)
            | Error::Forbidden { .. }
            | Error::Exhausted { .. } => ErrorCode::PermissionDenied,
            Error::NotRunning(_) | Error::NotReserved(_) => ErrorCode::Conflict,
            Error::NotApproved { .. } | Error::OtherMeasurements { .. } | Error::Trust { .. } => {
                ErrorCode::PreconditionFailed
            }
            Error::Alone => ErrorCode::Unavailable,
            Error::Tms(error) => error.code(),
            Error::NameTaken | Error::Store(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            Error::Tms(error) => error.message(),
            _ => self.to_string(),
        }
    }
}

/// Why the kms can't start.
#[derive(Debug, thiserror::Error)]
#[error("the kms's store can't be opened")]
pub struct OpenError(#[from] store::OpenError);
