//! What can go wrong on a function node.

use std::io::ErrorKind;
use std::time::Duration;

use executor::{Failure, Mismatch, Stopped};
use rpc::courier::CourierError;
use rpc::{CallError, Fault};
use types::error::{ErrorCode, FailureReason};
use types::id::{FileId, RequestId, TaskId};
use types::task::Status;
use types::trust::TrustLevel;

use crate::agreed::NotAgreed;
use crate::code::Unrunnable;
use crate::files::ReadError;

/// Why an invocation failed. The first group is found before the lease and leaves the task as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such task.
    #[error("no task {0}")]
    NoSuchTask(TaskId),
    /// The token is not the task's.
    #[error("wrong task_token")]
    WrongToken,
    /// The task is for another function.
    #[error("field `function_name`: task {task} is for {function}")]
    OtherFunction {
        /// The task.
        task: TaskId,
        /// Its function.
        function: String,
    },
    /// The task is not ready, or somebody else took it first.
    #[error("task {task} is {status}, so it can't be invoked")]
    NotReady {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: Status,
    },
    /// This node runs another version of the function than the parties agreed on.
    #[error("the task is for {wanted}, which this node does not run")]
    OtherVersion {
        /// What the task names.
        wanted: String,
    },
    /// The parties did not agree on this invocation.
    #[error("task {task}: {source}")]
    NotAgreed {
        /// The task.
        task: TaskId,
        /// What of it.
        source: NotAgreed,
    },
    /// The parties ask for a platform that is trusted more than this node's.
    #[error("the parties ask for a platform that is at least {0}, and this node's is not")]
    Trust(TrustLevel),
    /// The invocation does not have the shape that the function declares.
    #[error("{0}")]
    Mismatch(#[from] Mismatch),
    /// The payload names a file that the task's creator may not read.
    #[error("field `payload`: no file of this id is an input of the task or readable by its creator")]
    NoSuchInput,
    /// Too many invocations wait already.
    #[error("{0} invocations wait already; try again")]
    QueueFull(usize),
    /// The node is being stopped.
    #[error("the function node is stopping")]
    Stopping,

    /// An input is not there, or not what was declared and consented to.
    #[error("input file {file}: {reason}")]
    Input {
        /// The file.
        file: FileId,
        /// What is wrong with it.
        reason: String,
    },
    /// Keys of inputs are not given out: an owner's policy forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// The function refused its input or failed, in its own words.
    #[error("{0}")]
    Function(String),
    /// The time limit passed.
    #[error("the task's time limit of {} s passed", .0.as_secs_f32())]
    Deadline(Duration),
    /// The run was stopped from outside.
    #[error("{0}")]
    Cancelled(String),
    /// The tms gave the lease up.
    #[error("the lease of the task was lost")]
    LeaseLost,
    /// Another service failed.
    #[error("{operation}")]
    Call {
        /// What it was asked for.
        operation: &'static str,
        /// Its answer.
        source: CallError,
    },
    /// Where ciphertext is stored can't be reached, or says no.
    #[error("{operation}")]
    Store {
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        source: CourierError,
    },
    /// The node's disk has no room for what the function writes.
    #[error("the function node's disk has no room for the task's outputs")]
    NoRoom,
    /// This node's own disk or memory failed.
    #[error("{operation}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn call(operation: &'static str) -> impl FnOnce(CallError) -> Self {
        move |source| Error::Call { operation, source }
    }

    pub(crate) fn io(operation: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::NoRoom,
            _ => Error::Io { operation, source },
        }
    }

    /// Why the kms gives no keys.
    pub(crate) fn withheld(operation: &'static str) -> impl FnOnce(CallError) -> Self {
        move |source| match source.refusal().map(|refusal| (refusal.code, refusal.message.clone())) {
            Some((ErrorCode::PermissionDenied, message)) => Error::Forbidden(message),
            Some((ErrorCode::Conflict, _)) => Error::LeaseLost,
            _ => Error::Call { operation, source },
        }
    }

    /// Why an input was not read.
    pub(crate) fn read(file: &FileId, problem: ReadError) -> Self {
        match problem {
            ReadError::Io(source) => Error::Io { operation: "read an input", source },
            ReadError::Store(source) => Error::Store { operation: "fetch an input", source },
            ReadError::Stopped(stopped) => Failure::from(stopped).into(),
            refusal => Error::Input { file: file.clone(), reason: refusal.to_string() },
        }
    }

    /// What the task's participants will read.
    pub(crate) fn reason(&self, request_id: &RequestId) -> FailureReason {
        let message = match self.code() {
            ErrorCode::Internal => "internal failure".to_owned(),
            _ => self.message(),
        };
        FailureReason { request_id: Some(request_id.clone()), ..FailureReason::new(self.code(), message) }
    }
}

/// Another service answered something else than it was asked.
pub(crate) fn unexpected(operation: &'static str) -> Error {
    Error::Call { operation, source: CallError::unexpected() }
}

impl From<Unrunnable> for Error {
    fn from(code: Unrunnable) -> Self {
        Error::Function(code.to_string())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Function(message) => Error::Function(message),
            Failure::Mismatch(mismatch) => Error::Mismatch(mismatch),
            Failure::Limit(limit) => Error::Function(limit.to_string()),
            Failure::Stopped(Stopped::Deadline(limit)) => Error::Deadline(limit),
            Failure::Stopped(Stopped::Cancelled(reason)) => Error::Cancelled(reason),
            Failure::Panicked { place } => {
                tracing::error!(place, "a function panicked");
                Error::Function("the function panicked".to_owned())
            }
            Failure::Stream(source) => Error::Io { operation: "a function's file", source },
        }
    }
}

impl Fault for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Error::NoSuchTask(_) | Error::NoSuchInput => ErrorCode::NotFound,
            Error::WrongToken => ErrorCode::Unauthenticated,
            Error::OtherFunction { .. } | Error::Mismatch(_) => ErrorCode::InvalidRequest,
            Error::NotReady { .. } => ErrorCode::Conflict,
            Error::Forbidden(_) => ErrorCode::PermissionDenied,
            Error::OtherVersion { .. } | Error::Input { .. } | Error::NotAgreed { .. } | Error::Trust(_) => {
                ErrorCode::PreconditionFailed
            }
            Error::QueueFull(_) | Error::NoRoom => ErrorCode::ResourceExhausted,
            Error::Function(_) => ErrorCode::FunctionFailed,
            Error::Deadline(_) => ErrorCode::DeadlineExceeded,
            Error::Stopping | Error::Cancelled(_) | Error::LeaseLost | Error::Store { .. } => ErrorCode::Unavailable,
            Error::Call { source, .. } => source.code(),
            Error::Io { .. } => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            Error::Call { source, .. } => source.message(),
            Error::Store { operation, source } => format!("{operation}: {source}"),
            _ => self.to_string(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, Error::QueueFull(_)).then_some(Duration::from_secs(1))
    }
}
