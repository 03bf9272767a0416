//! What can go wrong in the tms.

use rpc::authn::AuthnError;
use rpc::{CallError, Fault};
use store::StoreError;
use types::error::ErrorCode;
use types::function::Language;
use types::id::{FileId, TaskId};
use types::task::Status;
use types::user::UserId;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is nobody.
    #[error("authentication")]
    Authn(#[from] AuthnError),
    /// There is no such task, or not for this caller.
    #[error("no task {0}")]
    NoSuchTask(TaskId),
    /// No function node offers the function.
    #[error("no function {0}")]
    NoSuchFunction(String),
    /// The name is a built-in's, or another user's.
    #[error("the name {0} is taken: choose another")]
    NameTaken(String),
    /// Its author took the function out of use.
    #[error("function {0} was taken out of use by its author")]
    Disabled(String),
    /// Only who registered a function may do that.
    #[error("function {0} is not yours")]
    NotTheAuthor(String),
    /// No function node runs that language.
    #[error("no function node runs {0:?} functions now")]
    NoNode(Language),
    /// A function's code is too large.
    #[error("the code has {size} bytes; at most {limit} are taken")]
    CodeTooLarge {
        /// Its size, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A collaborator is no user.
    #[error("field `collaborator_list`: no user {0}")]
    NoSuchUser(UserId),
    /// A file does not exist, or the caller may not read it.
    #[error("no file {0}")]
    NoSuchFile(FileId),
    /// A file can't be brought yet, in the words of the tdfs.
    #[error("{0}")]
    Unready(String),
    /// The caller takes part in the task, but is not asked to approve it.
    #[error("task {0} is not for you to approve: its creator agreed by creating it")]
    NotAnApprover(TaskId),
    /// The caller sees the task and has no part in it.
    #[error("you see task {0}, which is its creator's alone: there is nothing for you to agree to")]
    OnlySees(TaskId),
    /// Only who created it may do that.
    #[error("task {0} is not yours: only its creator may change it")]
    NotTheCreator(TaskId),
    /// An approval names another manifest.
    #[error("task {0} is not what you looked at: it changed meanwhile, so look again (`teehouse task plan`)")]
    OtherManifest(TaskId),
    /// An approval names no manifest where it must.
    #[error("task {0} asks for approvals that name its manifest: use `teehouse task approve`")]
    NamesNone(TaskId),
    /// An approval that names its manifest comes with files that would change it.
    #[error("field `files`: bring files first, then approve the manifest that has them")]
    BringFirst,
    /// An approval must be signed.
    #[error("you registered a key and asked that nothing less approves in your name: sign the approval")]
    Unsigned,
    /// A signature is not the caller's over this approval.
    #[error("field `signature`: {0}")]
    Signature(&'static str),
    /// An approval comes after the deadline.
    #[error("task {0} can't be approved any more: its deadline for approvals has passed")]
    TooLate(TaskId),
    /// It ended, so that nothing can be taken back.
    #[error("task {task} is {status}: nothing can be taken back any more")]
    EndedAlready {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: Status,
    },
    /// There is no receipt before the end of a run.
    #[error("task {task} is {status}: there is a receipt once it ran")]
    NoReceipt {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: Status,
    },
    /// A statement can't be signed.
    #[error("a statement can't be made")]
    Statement(#[from] consent::canonical::NotCanonical),
    /// The caller is another kind of service.
    #[error("this request is not for a {0}")]
    OtherRole(types::service::Role),
    /// The task's state does not allow it.
    #[error("task {task} is {status}, so it can't be approved")]
    NotApprovable {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: Status,
    },
    /// The caller approved before.
    #[error("you approved task {0} already")]
    ApprovedAlready(TaskId),
    /// There is no such entry in the log, or not for this caller.
    #[error("no log entry {0}")]
    NoSuchEntry(u64),
    /// The log's records don't fit its root: somebody changed the store.
    #[error("the log's records do not fit its root: the store was changed behind the tms")]
    LogDamaged,
    /// A field's value is out of range.
    #[error("field `{field}`: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What its value must be.
        rule: String,
    },
    /// The tdfs failed.
    #[error("tdfs")]
    Tdfs(#[from] CallError),
    /// The store failed or refused a record.
    #[error("task store")]
    Store(#[from] StoreError),
}

impl Error {
    /// A field's value is out of range.
    pub(crate) fn field(field: &'static str, rule: impl Into<String>) -> Self {
        Error::Field { field, rule: rule.into() }
    }

    /// Whether another service may have done what it was asked without saying so.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Error::Tdfs(error) if error.refusal().is_none())
    }
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::Authn(error) => error.code(),
            Error::NoSuchTask(_) | Error::NoSuchFunction(_) | Error::NoSuchFile(_) | Error::NoSuchEntry(_) => {
                ErrorCode::NotFound
            }
            Error::NotAnApprover(_)
            | Error::NotTheAuthor(_)
            | Error::OnlySees(_)
            | Error::NotTheCreator(_)
            | Error::Unsigned
            | Error::Signature(_)
            | Error::OtherRole(_) => ErrorCode::PermissionDenied,
            Error::OtherManifest(_) | Error::NamesNone(_) | Error::TooLate(_) | Error::LogDamaged => {
                ErrorCode::PreconditionFailed
            }
            Error::EndedAlready { .. } | Error::NoReceipt { .. } => ErrorCode::Conflict,
            Error::NotApprovable { .. } | Error::ApprovedAlready(_) | Error::NameTaken(_) | Error::Disabled(_) => {
                ErrorCode::Conflict
            }
            Error::NoNode(_) => ErrorCode::Unavailable,
            Error::CodeTooLarge { .. } => ErrorCode::PayloadTooLarge,
            Error::NoSuchUser(_) | Error::Field { .. } | Error::BringFirst => ErrorCode::InvalidRequest,
            Error::Unready(_) => ErrorCode::PreconditionFailed,
            Error::Tdfs(error) => error.code(),
            Error::Store(_) | Error::Statement(_) => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            Error::Authn(error) => error.message(),
            Error::Tdfs(error) => error.message(),
            _ => self.to_string(),
        }
    }
}

/// Why the tms can't start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store can't be opened.
    #[error("the tms's store can't be opened")]
    Store(#[from] store::OpenError),
    /// What was running when it stopped can't be read.
    #[error("the tms's store can't be read")]
    Read(#[from] StoreError),
}
