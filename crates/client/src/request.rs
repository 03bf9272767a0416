//! Requests that brought no answer, told apart by what a person can do about them.

use attest::refusal::Refusal;
use rpc::CallError;
use rpc::tls::refusal;
use types::error::{ErrorCode, ErrorReply};

/// A request that brought no answer of the expected kind.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The service refused.
    #[error("{} ({})", .0.message, .0.code)]
    Refused(ErrorReply),
    /// Whoever answers there is not a service that the trust folder and the policy accept.
    #[error("what answers at {target} is not to be trusted")]
    Untrusted {
        /// Where.
        target: String,
        /// Why not.
        source: Refusal,
    },
    /// The service can't be reached, the connection broke, or no answer came in time.
    #[error(transparent)]
    Unreachable(CallError),
    /// The answer is not one to the request.
    #[error("the answer is not one to this request")]
    Unexpected(#[source] CallError),
}

impl From<CallError> for RequestError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(reply) => RequestError::Refused(reply),
            CallError::Unreachable { ref target, ref source, .. } => match refusal(source).cloned() {
                Some(refusal) => RequestError::Untrusted { target: target.clone(), source: refusal },
                None => RequestError::Unreachable(error),
            },
            CallError::TimedOut { .. } => RequestError::Unreachable(error),
            CallError::Unexpected(_) => RequestError::Unexpected(error),
        }
    }
}

impl RequestError {
    /// What went wrong when an answer is not the expected one.
    pub(crate) fn of<T>(answer: Result<T, CallError>) -> Self {
        answer.err().unwrap_or_else(CallError::unexpected).into()
    }

    /// The kind of the service's refusal, if that is what it is.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            RequestError::Refused(reply) => Some(reply.code),
            _ => None,
        }
    }

    /// Whether the state of the thing does not allow it.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, RequestError::Refused(reply) if reply.code == ErrorCode::Conflict)
    }

    /// Whether the same may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        use ErrorCode::{DeadlineExceeded, Internal, ResourceExhausted, Unavailable};
        // What is full for a moment says when to come back; a quota or a disk stays full.
        match self {
            RequestError::Unreachable(_) => true,
            RequestError::Refused(reply) => {
                matches!(reply.code, DeadlineExceeded | Internal | Unavailable)
                    || (reply.code == ResourceExhausted && reply.retry_after_ms.is_some())
            }
            RequestError::Untrusted { .. } | RequestError::Unexpected(_) => false,
        }
    }

    /// What to do about it, where there is something to be done.
    pub fn help(&self) -> Option<String> {
        match self {
            RequestError::Refused(reply) => advice(reply),
            RequestError::Untrusted { source: Refusal::PlatformNotAccepted { .. }, .. } => Some(
                "the platform there is not one that this client accepts; for trials on a simulated platform, which \
                      protects nothing from its operator, say --allow-simulated"
                    .to_owned(),
            ),
            RequestError::Untrusted { .. } => {
                Some("ask the server's operator for the deployment's trust folder; do not go on without it".to_owned())
            }
            RequestError::Unreachable(CallError::TimedOut { .. }) => {
                Some("it may still have been carried out: look before you try again".to_owned())
            }
            RequestError::Unreachable(_) => {
                Some("check the address, and that the server runs (`teehouse serve`)".to_owned())
            }
            RequestError::Unexpected(_) => Some("check the address, and that both sides are of one version".to_owned()),
        }
    }
}

fn advice(reply: &ErrorReply) -> Option<String> {
    match reply.code {
        ErrorCode::Unauthenticated => Some(
            "check the user's name and token; an operator makes a new token with \
                                            `teehouse user rotate NAME`"
                .to_owned(),
        ),
        ErrorCode::NotFound => Some("check the id; what belongs to others looks as if it did not exist".to_owned()),
        ErrorCode::ResourceExhausted => reply.retry_after_ms.map(|ms| format!("try again in {ms} ms")),
        ErrorCode::Unavailable => {
            Some("try again: a service behind this one can't be reached at the moment".to_owned())
        }
        ErrorCode::Internal => Some(format!("the server's log has the cause, under request id {}", reply.request_id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use attest::platform::Platform;
    use rpc::tls::refused_for_tests;
    use types::service::{Api, Role};

    use super::*;

    fn unreachable(source: io::Error) -> CallError {
        CallError::Unreachable { api: Api::TmsExternal, target: "host:1".to_owned(), source }
    }

    #[test]
    fn a_refused_peer_is_told_from_a_silent_one() {
        let refusal = Refusal::PlatformNotAccepted { platform: Platform::Simulated, role: Role::Tms };
        match RequestError::from(unreachable(refused_for_tests(refusal.clone()))) {
            RequestError::Untrusted { target, source } => assert_eq!((target.as_str(), source), ("host:1", refusal)),
            other => panic!("{other:?}"),
        }
        let error = RequestError::from(unreachable(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(error.to_string(), "no answer from tms at host:1");
    }

    #[test]
    fn a_refusal_says_what_the_service_said() {
        let reply = ErrorReply {
            r#type: types::error::ErrorTag::Error,
            code: ErrorCode::ResourceExhausted,
            message: "the queue is full".to_owned(),
            request_id: types::id::RequestId::fresh(),
            retry_after_ms: Some(250),
        };
        let error = RequestError::from(CallError::Refused(reply));
        assert_eq!(error.to_string(), "the queue is full (resource_exhausted)");
        assert_eq!(error.help().as_deref(), Some("try again in 250 ms"));
        assert!(error.is_passing());
        let RequestError::Refused(mut reply) = error else { panic!("not refused") };
        reply.retry_after_ms = None;
        let full = RequestError::Refused(reply);
        assert!(!full.is_passing() && full.help().is_none(), "a quota is as full a moment later");
    }
}
