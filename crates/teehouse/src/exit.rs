//! What a failure means to a person and to a script: message, help, exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use client::{ConnectError, FileError, FunctionError, LogError, RequestError, TaskError};
use identity::OperateError;
use rpc::config::ConfigError;
use rpc::host::HostError;
use serde::{Serialize, Serializer};
use types::error::ErrorCode;

use crate::output::Output;
use crate::settings::SettingsError;

/// How a command ended; the numbers are documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Refused, or failed.
    Failed = 1,
    /// Wrong usage or settings.
    Usage = 2,
    /// A service can't be reached.
    Unreachable = 3,
    /// Bytes are not what was declared.
    NotAsDeclared = 4,
    /// What answers is not to be trusted.
    Untrusted = 5,
    /// A check found what is still wrong.
    Flawed = 6,
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// An error that the command line itself found, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Complaint {
    what: String,
    help: Option<String>,
    exit: Exit,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Complaint {
    /// Something that failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Complaint { what: what.into(), help: None, exit: Exit::Failed, source: None }
    }

    /// Something that was asked for in a wrong way.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Complaint { exit: Exit::Usage, ..Complaint::new(what) }
    }

    /// Something that is not to be trusted.
    pub(crate) fn untrusted(what: impl Into<String>) -> Self {
        Complaint { exit: Exit::Untrusted, ..Complaint::new(what) }
    }

    /// How the process ends.
    pub(crate) fn exit(self, exit: Exit) -> Self {
        Complaint { exit, ..self }
    }

    /// What to do about it.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Complaint { help: Some(help.into()), ..self }
    }

    /// How the command ends for it.
    pub(crate) fn ends(self, exit: Exit) -> Self {
        Complaint { exit, ..self }
    }

    /// What is behind it.
    pub(crate) fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Complaint { source: Some(Box::new(source)), ..self }
    }
}

/// An answer that was printed and is an error: nothing is left to be said.
#[derive(Debug, thiserror::Error)]
#[error("the answer is an error")]
pub(crate) struct ErrorAnswered;

/// A failure as `--json` prints it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
    pub(crate) exit: Exit,
}

/// Tells a failure and returns the process's status.
pub(crate) fn status(output: &Output, outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<ErrorAnswered>() => ExitCode::from(Exit::Failed as u8),
        Err(error) => {
            let failure = describe(&error);
            tell(output, &failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let written = match error.downcast_ref::<FileError>() {
        Some(FileError::Write { source }) => Some(source),
        _ => error.downcast_ref::<io::Error>(),
    };
    written.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn tell(output: &Output, failure: &Failure) {
    let text = match (output.is_json(), &failure.help) {
        (true, _) => serde_json::to_string(failure).unwrap_or_default(),
        (false, Some(help)) => format!("error: {}\nhelp: {help}", failure.error),
        (false, None) => format!("error: {}", failure.error),
    };
    let _ = writeln!(io::stderr(), "{text}");
}

/// What there is to say of a failure.
pub(crate) fn describe(error: &anyhow::Error) -> Failure {
    let verdict = error.chain().find_map(judge).unwrap_or(Verdict { exit: Exit::Failed, help: None, code: None });
    Failure { error: sentence(error), help: verdict.help, code: verdict.code, exit: verdict.exit }
}

/// The whole chain on one line; what a cause repeats of its effect is said once.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        match text.is_empty() {
            true => text = cause,
            false if text.ends_with(&cause) => {}
            false => text = format!("{text}: {cause}"),
        }
    }
    text
}

struct Verdict {
    exit: Exit,
    help: Option<String>,
    code: Option<ErrorCode>,
}

impl Verdict {
    fn new(exit: Exit, help: Option<String>) -> Self {
        Verdict { exit, help, code: None }
    }

    fn of_request(request: Option<&RequestError>, help: Option<String>) -> Self {
        let exit = match request {
            Some(RequestError::Untrusted { .. }) => Exit::Untrusted,
            Some(RequestError::Unreachable(_)) => Exit::Unreachable,
            Some(RequestError::Refused(reply)) => match reply.code {
                ErrorCode::PreconditionFailed => Exit::NotAsDeclared,
                ErrorCode::Unavailable => Exit::Unreachable,
                _ => Exit::Failed,
            },
            _ => Exit::Failed,
        };
        Verdict { exit, help, code: request.and_then(RequestError::code) }
    }
}

/// What one link of a chain of errors says about the whole.
fn judge(cause: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    if let Some(complaint) = cause.downcast_ref::<Complaint>() {
        return Some(Verdict::new(complaint.exit, complaint.help.clone()));
    }
    if let Some(error) = cause.downcast_ref::<SettingsError>() {
        return Some(Verdict::new(Exit::Usage, error.help()));
    }
    if let Some(error) = cause.downcast_ref::<ConnectError>() {
        return Some(Verdict::new(Exit::Usage, Some(error.help())));
    }
    if let Some(error) = cause.downcast_ref::<TaskError>() {
        return Some(Verdict::of_request(error.request(), error.help()));
    }
    if let Some(error) = cause.downcast_ref::<LogError>() {
        return Some(match error.is_untrusted() {
            true => Verdict::new(Exit::Untrusted, error.help()),
            false => Verdict::of_request(error.request(), error.help()),
        });
    }
    if let Some(error) = cause.downcast_ref::<FunctionError>() {
        return Some(Verdict::of_request(Some(error.request()), error.request().help()));
    }
    if let Some(error) = cause.downcast_ref::<FileError>() {
        return Some(match error {
            FileError::NotAsDeclared { .. } => Verdict::new(Exit::NotAsDeclared, error.help()),
            _ => Verdict::of_request(error.request(), error.help()),
        });
    }
    if let Some(error) = cause.downcast_ref::<RequestError>() {
        return Some(Verdict::of_request(Some(error), error.help()));
    }
    judge_server(cause)
}

/// As [`judge`], for what the verbs on a data directory run into.
fn judge_server(cause: &(dyn std::error::Error + 'static)) -> Option<Verdict> {
    if let Some(error) = cause.downcast_ref::<HostError>() {
        return Some(match error {
            HostError::Config(_) => Verdict::new(Exit::Usage, None),
            HostError::Bind(_) => Verdict::new(
                Exit::Failed,
                Some("end whatever listens there, or choose another address: --listen API=HOST:PORT".to_owned()),
            ),
            _ => Verdict::new(Exit::Failed, None),
        });
    }
    if let Some(error) = cause.downcast_ref::<OperateError>() {
        return Some(match error {
            OperateError::Refused(reply) => {
                let help =
                    (reply.code == ErrorCode::NotFound).then(|| "`teehouse user list` shows the users".to_owned());
                Verdict { exit: Exit::Failed, help, code: Some(reply.code) }
            }
            OperateError::NoDeployment(_) => {
                Verdict::new(Exit::Failed, Some("name the server's data directory: --data-dir DIR".to_owned()))
            }
            _ => Verdict::new(Exit::Failed, None),
        });
    }
    if let Some(error) = cause.downcast_ref::<kms::OperateError>() {
        return Some(judge_kms(error));
    }
    cause.downcast_ref::<ConfigError>().map(|_| Verdict::new(Exit::Usage, None))
}

/// As [`judge`], for the kms's operator.
fn judge_kms(error: &kms::OperateError) -> Verdict {
    match error {
        kms::OperateError::Refused(reply) => {
            let help = (reply.code == ErrorCode::NotFound).then(|| "`teehouse kms slots` shows the slots".to_owned());
            Verdict { exit: Exit::Failed, help, code: Some(reply.code) }
        }
        kms::OperateError::NobodyThere(_) => {
            let help =
                "name the data directory of a kms that runs here, or of a `teehouse serve --dev`: --data-dir DIR";
            Verdict::new(Exit::Failed, Some(help.to_owned()))
        }
        _ => Verdict::new(Exit::Failed, None),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use rpc::CallError;
    use types::error::{ErrorReply, ErrorTag};
    use types::id::RequestId;
    use types::service::Api;

    use super::*;

    fn check(error: impl Into<anyhow::Error>, text: &str, help: Option<&str>, exit: Exit) {
        let failure = describe(&error.into());
        assert_eq!((failure.error.as_str(), failure.help.as_deref(), failure.exit), (text, help, exit));
    }

    fn refused(code: ErrorCode) -> RequestError {
        let reply = ErrorReply {
            r#type: ErrorTag::Error,
            code,
            message: "the server's words".to_owned(),
            request_id: "7".parse::<RequestId>().unwrap(),
            retry_after_ms: None,
        };
        CallError::Refused(reply).into()
    }

    #[test]
    fn errors_say_what_where_and_what_to_do() {
        check(anyhow::anyhow!("why").context("what"), "what: why", None, Exit::Failed);
        check(
            Complaint::usage("what").help("do this").because(io::Error::other("why")),
            "what: why",
            Some("do this"),
            Exit::Usage,
        );
        check(
            TaskError::Approve { task: "t".parse().unwrap(), source: refused(ErrorCode::Conflict) },
            "task t was not approved: the server's words (conflict)",
            None,
            Exit::Failed,
        );
        check(
            FileError::List(refused(ErrorCode::Internal)),
            "files can't be listed: the server's words (internal)",
            Some("the server's log has the cause, under request id 7"),
            Exit::Failed,
        );
    }

    #[test]
    fn exit_statuses_tell_kinds_of_failure_apart() {
        let check = |error: RequestError, exit: Exit| assert_eq!(describe(&error.into()).exit, exit);
        check(refused(ErrorCode::NotFound), Exit::Failed);
        check(refused(ErrorCode::PreconditionFailed), Exit::NotAsDeclared);
        check(refused(ErrorCode::Unavailable), Exit::Unreachable);
        let source = io::ErrorKind::ConnectionRefused.into();
        check(CallError::Unreachable { api: Api::Kms, target: "h:1".to_owned(), source }.into(), Exit::Unreachable);
    }

    #[test]
    fn a_cause_that_repeats_its_effect_is_said_once() {
        let error = Err::<(), _>(anyhow::anyhow!("connection refused")).context("no answer: connection refused");
        check(error.unwrap_err(), "no answer: connection refused", None, Exit::Failed);
    }
}
