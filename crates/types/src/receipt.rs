//! What services state about runs, withdrawals and erasures. Each is signed as canonical JSON (`docs/consent.md`).

use serde::{Deserialize, Serialize};

use crate::bytes::Base64;
use crate::consent::{Approval, SignedStatement, TaskManifest};
use crate::digest::Digest;
use crate::error::FailureReason;
use crate::id::{FileId, LeaseId, TaskId};
use crate::task::Status;
use crate::time::UnixMillis;
use crate::trust::TrustLevel;
use crate::user::UserId;

/// The type of payloads that are statements of runs.
pub const RUN: &str = "application/vnd.teehouse.run+json";

/// The type of payloads that are receipts.
pub const RECEIPT: &str = "application/vnd.teehouse.receipt+json";

/// The type of payloads that are statements of withdrawals.
pub const WITHDRAWAL: &str = "application/vnd.teehouse.withdrawal+json";

/// What an [`Erasure`] is in an envelope.
pub const ERASURE: &str = "application/vnd.teehouse.erasure+json";

/// The version of these formats.
pub const SCHEMA: u32 = 1;

/// What a function node states about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStatement {
    /// The version of this format.
    pub schema: u32,
    /// The task.
    pub task_id: TaskId,
    /// The lease under which it ran.
    pub lease_id: LeaseId,
    /// SHA-256 of the manifest by which it ran.
    pub manifest_sha256: Digest,
    /// How it ended: `Finished` or `Failed`.
    pub status: Status,
    /// SHA-256 of the payload, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<Digest>,
    /// SHA-256 of the result, if it finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<Digest>,
    /// The files that it made.
    pub outputs: Vec<OutputStatement>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReason>,
    /// When the node took the lease, by its clock, in milliseconds since 1970.
    pub started_ms: UnixMillis,
    /// When it ended, by the node's clock, in milliseconds since 1970.
    pub ended_ms: UnixMillis,
}

/// A file that a run made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputStatement {
    /// The file.
    pub file_id: FileId,
    /// Who may read it.
    pub recipients: Vec<UserId>,
    /// SHA-256 of its plaintext.
    pub sha256: Digest,
    /// Size of its plaintext, in bytes.
    pub size: u64,
}

/// What the tms states about a task that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this format.
    pub schema: u32,
    /// Whose services these are.
    pub deployment: String,
    /// When the receipt was made, in milliseconds since 1970.
    pub issued_ms: UnixMillis,
    /// What was agreed on.
    pub manifest: TaskManifest,
    /// SHA-256 of its canonical form.
    pub manifest_sha256: Digest,
    /// The approvals that stood.
    pub approvals: Vec<Approval>,
    /// How the task ended: `Finished` or `Failed`.
    pub status: Status,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReason>,
    /// Its run; absent when it ended before it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunReceipt>,
    /// Inputs that were results of other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<ParentReceipt>,
    /// Where the log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogReceipt>,
}

/// What a receipt says of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReceipt {
    /// How far the platform of the node is to be trusted, as the tms appraised it when the node took the lease.
    pub trust: TrustLevel,
    /// When the tms gave the lease, in milliseconds since 1970.
    pub started_ms: UnixMillis,
    /// When the tms heard of the end, in milliseconds since 1970.
    pub ended_ms: UnixMillis,
    /// The node's own statement, type [`RUN`], with its evidence. Nodes that know only the documented requests make none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<SignedStatement>,
}

/// An input that was the result of another task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentReceipt {
    /// The input.
    pub file_id: FileId,
    /// The task that made it.
    pub task_id: TaskId,
    /// SHA-256 of that task's manifest.
    pub manifest_sha256: Digest,
    /// SHA-256 of the node's statement of that run (its payload), if it made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_sha256: Option<Digest>,
}

/// An entry of the log, and the proof that the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogReceipt {
    /// Its place, from 0.
    pub index: u64,
    /// Its exact bytes.
    pub entry: Base64,
    /// The inclusion proof (RFC 9162, section 2.1.3).
    pub proof: Vec<Digest>,
    /// The signed checkpoint that the proof leads to.
    pub checkpoint: String,
}

/// What the tdfs states about a file that its owner deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// The version of this format.
    pub schema: u32,
    /// Whose services these are.
    pub deployment: String,
    /// The file.
    pub file_id: FileId,
    /// Who owned and deleted it.
    pub owner: UserId,
    /// SHA-256 of its plaintext.
    pub sha256: Digest,
    /// Size of its plaintext, in bytes.
    pub file_size: u64,
    /// Whether its ciphertext is gone from its place, too. If not, it is removed as soon as that can be reached.
    pub ciphertext_removed: bool,
    /// When its key was gone, in milliseconds since 1970.
    pub at_ms: UnixMillis,
}

/// What the tms states about a task whose party took back its consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The version of this format.
    pub schema: u32,
    /// Whose services these are.
    pub deployment: String,
    /// The task.
    pub task_id: TaskId,
    /// SHA-256 of the manifest as it stood.
    pub manifest_sha256: Digest,
    /// Who took back consent.
    pub user_id: UserId,
    /// Where the task stood before.
    pub before: Status,
    /// When, in milliseconds since 1970.
    pub at_ms: UnixMillis,
}
