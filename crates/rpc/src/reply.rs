//! From outcomes to answers: the only place that knows codes, statuses and what a failure shows outside.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use types::error::{ErrorCode, ErrorReply, ErrorTag};
use types::id::RequestId;
use types::wire::DecodeError;

use crate::Fault;

/// A whole answer: JSON, and the code if it is a failure's.
#[derive(Clone, Debug)]
pub struct Reply {
    code: Option<ErrorCode>,
    retry_after_ms: Option<u64>,
    body: Bytes,
}

impl Reply {
    /// The answer to a request that succeeded.
    pub(crate) fn success(response: &impl Serialize, request_id: &RequestId) -> Self {
        match serde_json::to_vec(response) {
            Ok(body) => Reply { code: None, retry_after_ms: None, body: body.into() },
            Err(error) => Reply::failure(&describe(&Unwritable(error), request_id)),
        }
    }

    /// The answer to a request that failed.
    pub(crate) fn failure(error: &ErrorReply) -> Self {
        let body = serde_json::to_vec(error).expect("an error is plain text and numbers");
        Reply { code: Some(error.code), retry_after_ms: error.retry_after_ms, body: body.into() }
    }

    /// The failure's code, if it is one.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        self.code
    }

    /// When a retry may succeed, in whole seconds, if it may.
    pub(crate) fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000))
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.code.map_or(200, http_status)
    }

    /// The JSON.
    pub(crate) fn into_body(self) -> Bytes {
        self.body
    }
}

/// The HTTP status that goes with a code.
pub const fn http_status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::InvalidRequest => 400,
        ErrorCode::Unauthenticated => 401,
        ErrorCode::PermissionDenied => 403,
        ErrorCode::NotFound => 404,
        ErrorCode::Conflict => 409,
        ErrorCode::PreconditionFailed => 412,
        ErrorCode::PayloadTooLarge => 413,
        ErrorCode::FunctionFailed => 422,
        ErrorCode::ResourceExhausted => 429,
        ErrorCode::Internal => 500,
        ErrorCode::Unavailable => 503,
        ErrorCode::DeadlineExceeded => 504,
    }
}

/// Turns a failure into what the caller sees, and logs what the operator needs.
pub(crate) fn describe(fault: &dyn Fault, request_id: &RequestId) -> ErrorReply {
    let code = fault.code();
    let message = match code {
        ErrorCode::Internal => {
            tracing::error!(%request_id, error = chain(fault), "internal failure");
            "internal failure; the operator finds it in the log under this request_id".to_owned()
        }
        _ => {
            tracing::debug!(%request_id, code = code.as_str(), error = chain(fault), "refused");
            cut(fault.message())
        }
    };
    let retry_after_ms = fault.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    ErrorReply { r#type: ErrorTag::Error, code, message, request_id: request_id.clone(), retry_after_ms }
}

/// An error and all its sources, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    cut(line)
}

/// Messages name things by the caller's own words, of which a request can hold megabytes.
fn cut(mut message: String) -> String {
    /// Ours are shorter, whatever they name within its limits.
    const MESSAGE_BYTES: usize = 1024;
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.push('…');
    }
    message
}

/// Failures of the wire itself, before a service is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireFault {
    #[error("request is not decodable")]
    Decode(#[from] DecodeError),
    #[error("request is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("no room for another request")]
    Busy,
    #[error("no such path")]
    NoSuchPath,
    #[error("not a request about attestation")]
    NotAboutAttestation,
    #[error("request did not arrive in time")]
    TooSlow,
    #[error("request body is broken")]
    BrokenBody,
    #[error("service panicked")]
    Panicked,
}

/// How long a caller should wait when every place is taken: a few requests' time.
const BUSY_RETRY: Duration = Duration::from_millis(100);

impl Fault for WireFault {
    fn code(&self) -> ErrorCode {
        match self {
            WireFault::Decode(_) | WireFault::TooSlow | WireFault::BrokenBody | WireFault::NotAboutAttestation => {
                ErrorCode::InvalidRequest
            }
            WireFault::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            WireFault::Busy => ErrorCode::ResourceExhausted,
            WireFault::NoSuchPath => ErrorCode::NotFound,
            WireFault::Panicked => ErrorCode::Internal,
        }
    }

    fn message(&self) -> String {
        match self {
            WireFault::Decode(error) => error.to_string(),
            WireFault::TooLarge { limit } => format!("the request is over the limit of {limit} bytes"),
            WireFault::Busy => "too many requests at once; try again".to_owned(),
            WireFault::NoSuchPath => {
                "requests are POST / with a JSON body, or POST /.well-known/attestation; GET answers /healthz and \
                 /openapi.json"
                    .to_owned()
            }
            WireFault::NotAboutAttestation => {
                "the body is no request about attestation: expected Attest or Present".to_owned()
            }
            WireFault::TooSlow => "the request did not arrive in time".to_owned(),
            WireFault::BrokenBody => "the body is cut short or not delimited as HTTP wants it".to_owned(),
            WireFault::Panicked => self.to_string(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        matches!(self, WireFault::Busy).then_some(BUSY_RETRY)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("answer can't be written as JSON")]
struct Unwritable(#[source] serde_json::Error);

impl Fault for Unwritable {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }

    fn message(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_failure_says_nothing_more() {
        let error = describe(&WireFault::Panicked, &RequestId::fresh());
        assert_eq!(error.code, ErrorCode::Internal);
        assert!(!error.message.contains("panicked"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(cut("ü".repeat(512)), "ü".repeat(512));
        assert_eq!(cut(format!("x{}", "ü".repeat(512))), format!("x{}…", "ü".repeat(511)));
    }

    #[test]
    fn statuses_are_the_documented_ones() {
        let documented = [400, 401, 403, 404, 409, 412, 413, 422, 429, 504, 503, 500];
        assert_eq!(ErrorCode::ALL.map(http_status), documented);
    }
}
