//! What the platform knows of a function from outside: how many parties it serves and which code it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::Digest;

/// Whether one user runs the function alone or several parties agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum FunctionType {
    /// One user's function: the task is ready when it is created.
    Single,
    /// Several parties' function: every collaborator approves before it runs.
    Multiparty,
}

/// One exact version of a function, pinned when a task is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionRef {
    /// The name that requests use.
    pub name: String,
    /// Rises by one with every change of what the function computes.
    pub version: u32,
    /// SHA-256 that identifies the code.
    pub digest: Digest,
}

/// What tasks must know of a function: who brings what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionInfo {
    /// Which code it is.
    pub function: FunctionRef,
    /// How many parties it serves.
    pub function_type: FunctionType,
    /// The fewest files that a task must bring.
    pub min_files: usize,
    /// The most; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_files: Option<usize>,
    /// Whether every party must bring at least one.
    pub from_every_party: bool,
}
