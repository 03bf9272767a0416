//! What users ask the tms about its log, and what it answers (port 5554).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::Base64;
use crate::consent::Signer;
use crate::digest::Digest;
use crate::id::TaskId;
use crate::secret::Secret;
use crate::user::UserId;

/// Asks for the log's checkpoint: its size and root, signed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetCheckpointRequest)]
#[serde(deny_unknown_fields)]
pub struct GetCheckpoint {
    /// The size of a checkpoint that the caller remembers: the answer proves that the log extends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for the log's entries that concern the caller, oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListLogRequest)]
#[serde(deny_unknown_fields)]
pub struct ListLog {
    /// How many at most; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the previous page ended: its `next_cursor`, or the last index that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Those about this task alone. A page may then have fewer entries than there are, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The size of a checkpoint that the caller remembers: the answer proves that the log extends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for one entry that concerns the caller.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ProveLogRequest)]
#[serde(deny_unknown_fields)]
pub struct ProveLog {
    /// Its index.
    pub index: u64,
    /// The size of a checkpoint that the caller remembers: the answer proves that the log extends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// The log's size and root, signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHead {
    /// A C2SP tlog-checkpoint.
    pub checkpoint: String,
    /// Who signed it: the tms's key for statements, with evidence.
    pub signer: Signer,
    /// The proof that the log extends the checkpoint of which `from` is the size (RFC 9162, section 2.1.4). Absent when
    /// none was asked for, and when the log is smaller than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Vec<Digest>>,
}

/// An entry with the proof that it is in the log of the answer's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LogEntry)]
pub struct ProvenEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its exact bytes: canonical JSON (`docs/consent-log.md`).
    pub entry: Base64,
    /// The inclusion proof (RFC 9162, section 2.1.3).
    pub proof: Vec<Digest>,
}

/// The log's checkpoint.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetCheckpointResponse)]
pub struct FoundCheckpoint {
    /// The checkpoint.
    #[serde(flatten)]
    pub head: LogHead,
}

/// One page of the entries that concern the caller.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListLogResponse)]
pub struct LogPage {
    /// The checkpoint that the proofs are for.
    #[serde(flatten)]
    pub head: LogHead,
    /// Oldest first.
    pub list: Vec<ProvenEntry>,
    /// Present when there are more: the next page's `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One entry.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ProveLogResponse)]
pub struct FoundEntry {
    /// The checkpoint that the proof is for.
    #[serde(flatten)]
    pub head: LogHead,
    /// The entry.
    pub entry: ProvenEntry,
}
