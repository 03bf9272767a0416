//! The one shape in which every failure is answered.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::RequestId;

/// What kind of failure it is. `rpc::reply` alone knows which HTTP status goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, an unknown `type`, or a missing, unknown, mistyped or out-of-range field.
    InvalidRequest,
    /// Unknown user, or a wrong, expired or disabled token.
    Unauthenticated,
    /// The caller may see the thing but not do this to it.
    PermissionDenied,
    /// There is no such thing, or the caller may not know that there is.
    NotFound,
    /// The thing is not in a state that allows it.
    Conflict,
    /// Bytes are not what was declared or consented to.
    PreconditionFailed,
    /// Over a limit; the message gives the limit.
    PayloadTooLarge,
    /// The function itself refused its input or failed.
    FunctionFailed,
    /// A quota or a full queue.
    ResourceExhausted,
    /// The task's time limit passed.
    DeadlineExceeded,
    /// A service behind this one can't be reached; safe to retry.
    Unavailable,
    /// A bug or a broken store.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of the reference.
    pub const ALL: [ErrorCode; 12] = [
        ErrorCode::InvalidRequest,
        ErrorCode::Unauthenticated,
        ErrorCode::PermissionDenied,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::PreconditionFailed,
        ErrorCode::PayloadTooLarge,
        ErrorCode::FunctionFailed,
        ErrorCode::ResourceExhausted,
        ErrorCode::DeadlineExceeded,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ];

    /// The code as the wire writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::Unauthenticated => "unauthenticated",
            ErrorCode::PermissionDenied => "permission_denied",
            ErrorCode::NotFound => "not_found",
            ErrorCode::Conflict => "conflict",
            ErrorCode::PreconditionFailed => "precondition_failed",
            ErrorCode::PayloadTooLarge => "payload_too_large",
            ErrorCode::FunctionFailed => "function_failed",
            ErrorCode::ResourceExhausted => "resource_exhausted",
            ErrorCode::DeadlineExceeded => "deadline_exceeded",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::Internal => "internal",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The constant `"Error"` in an error's `type` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ErrorTag {
    /// The only value.
    Error,
}

/// A failed request's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorReply {
    /// Always `Error`.
    pub r#type: ErrorTag,
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// What went wrong, in which thing, and what to do. Never a secret.
    pub message: String,
    /// Finds the request in the service's log.
    pub request_id: RequestId,
    /// With `resource_exhausted`: when a retry may succeed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Why a task failed, as its participants see it: an [`ErrorReply`] without its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureReason {
    /// Always `Error`.
    pub r#type: ErrorTag,
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// What went wrong. Never a secret, never file content.
    pub message: String,
    /// The request that ran into it, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

impl FailureReason {
    /// A reason without a request.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        FailureReason { r#type: ErrorTag::Error, code, message: message.into(), request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_documented() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).expect("a string"), code.as_str());
        }
    }

    #[test]
    fn the_shape_is_the_documented_one() {
        let reply = ErrorReply {
            r#type: ErrorTag::Error,
            code: ErrorCode::NotFound,
            message: "no task x".into(),
            request_id: "r".parse().expect("short"),
            retry_after_ms: None,
        };
        let json = serde_json::to_string(&reply).expect("plain data");
        assert_eq!(json, r#"{"type":"Error","code":"not_found","message":"no task x","request_id":"r"}"#);
    }
}
