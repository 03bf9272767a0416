//! A function node's request and answer (user plane, port 3444).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::TaskId;
use crate::secret::Secret;
use crate::wire::{DecodeError, Document};

/// Runs a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InvokeTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Which task.
    pub task_id: TaskId,
    /// The task's function, as a check against mistakes.
    pub function_name: String,
    /// The task's token.
    pub task_token: Secret,
    /// What the function is given beside its files.
    #[serde(default)]
    pub payload: Option<Secret>,
}

impl super::Request for Request {
    fn from_document(document: Document) -> Result<Self, DecodeError> {
        document.into_fields()
    }

    fn kind(&self) -> &'static str {
        "Invoke"
    }
}

/// What the function answered.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = InvokeTaskResponse)]
pub struct Response {
    /// The function's result.
    pub result: String,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response { result: [redacted] }")
    }
}
