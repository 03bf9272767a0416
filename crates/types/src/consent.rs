//! What parties agree on: a task's manifest, their approvals of it, and what an owner allows to be done with a file.
//!
//! Plain data. Crate `consent` gives manifests their canonical bytes and digest, checks signatures and decides;
//! `docs/consent.md` has every format byte for byte.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::Base64;
use crate::digest::Digest;
use crate::file::PinnedFile;
use crate::function::{FunctionRef, OutputUse};
use crate::id::TaskId;
use crate::time::UnixMillis;
use crate::trust::TrustLevel;
use crate::user::UserId;

/// Everything that parties agree on when they approve a task. The SHA-256 of its canonical form identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskManifest {
    /// The version of this format: 1.
    pub schema: u32,
    /// The task. Its id is random, so that no approval fits another task.
    pub task_id: TaskId,
    /// When the task was created, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub created_ms: UnixMillis,
    /// Who takes part; the creator first.
    pub parties: Vec<UserId>,
    /// The exact code.
    pub function: FunctionRef,
    /// Where the code of a user's function is and whose it is. Built-ins are part of the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ManifestCode>,
    /// The inputs, in the order in which the function sees them.
    pub inputs: Vec<PinnedFile>,
    /// Which payload an invocation may bring.
    pub payload: PayloadTerms,
    /// Who receives what.
    pub outputs: Vec<ManifestOutput>,
    /// How often, when and for how long it may run.
    pub limits: ManifestLimits,
    /// Whom it needs the approval of: the creator alone for one user's task, else every party.
    pub approvers: Vec<UserId>,
    /// How many of them.
    pub approval: ApprovalRule,
    /// The least trusted platform that may run it.
    pub minimum_trust: TrustLevel,
    /// The fewest records that a result may be about, by the function's count of them; the run fails when they are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_group: Option<u64>,
    /// SHA-256 of the auditors' manifest that said what may run when the task was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurements: Option<Digest>,
    /// What the results are for, in the creator's words; file policies may ask for certain words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
}

/// The code of a user's function in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestCode {
    /// The file that holds it, its author, size and SHA-256.
    pub file: PinnedFile,
    /// SHA-256 of the interpreter that runs it, where it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Digest>,
}

/// Which payload an invocation may bring. Whoever takes part can invoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum PayloadTerms {
    /// None.
    None,
    /// Any: one user's task, where nobody else's data is at stake.
    Any,
    /// The one that has this SHA-256.
    Exactly(Digest),
}

/// One kind of output and who receives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestOutput {
    /// Which.
    pub output: OutputUse,
    /// Who receives it. Of an output for owners, each receives their own.
    pub recipients: Vec<UserId>,
}

/// How often, when and for how long a task may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestLimits {
    /// How long one run may take, in milliseconds.
    pub time_ms: u64,
    /// How many runs there may be.
    pub runs: u32,
    /// The first instant at which it may start, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub not_before_ms: Option<UnixMillis>,
    /// The last instant at which it may start, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub not_after_ms: Option<UnixMillis>,
}

/// Whose approval a task needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// How many approvers must approve, the creator included. When absent: those who are named, or all when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// Approvers whose approval is needed in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<UserId>,
    /// The last instant at which an approval counts, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub deadline_ms: Option<UnixMillis>,
    /// Whether every approval must name the manifest that it is of. Without, an approval in the documented way stands
    /// when another party brings files.
    #[serde(default)]
    pub exact: bool,
}

/// A party's approval of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskApproval)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whose.
    pub user_id: UserId,
    /// The manifest that was approved: as it stood when the party named none.
    pub manifest: Digest,
    /// How the party showed who it is.
    pub by: ApprovedBy,
    /// Whether the party named the manifest. If not, the approval stands when others bring files.
    pub exact: bool,
    /// When, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub at_ms: UnixMillis,
}

/// How a party showed who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ApprovedBy {
    /// By its token: the word of the services that checked it.
    Token,
    /// By a signature, which anybody can check.
    Signature(ApprovalSignature),
}

/// A signature over an approval's statement (`docs/consent.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSignature {
    /// The Ed25519 key that the user had registered: 32 bytes.
    pub key: Base64,
    /// The signature: 64 bytes.
    pub signature: Base64,
}

/// The key by which a user signs, and whether nothing less is an approval of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalKey {
    /// Whose.
    pub user_id: UserId,
    /// The Ed25519 public key: 32 bytes.
    pub key: Base64,
    /// Whether a token alone approves nothing in this user's name.
    pub required: bool,
}

/// What the owner of a file allows to be done with it. What is absent, is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePolicy {
    /// The functions that may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<AllowedFunction>>,
    /// Who else may take part in a task that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collaborators: Option<Vec<UserId>>,
    /// Who may receive outputs of a task that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<UserId>>,
    /// How many runs may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// The last instant at which it may be read, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub not_after_ms: Option<UnixMillis>,
    /// What a task that reads it must state as its purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The least trusted platform that may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_trust: Option<TrustLevel>,
    /// The least minimum group of a task that reads it: no result of it is about fewer records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_group: Option<u64>,
}

/// A function that may read a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedFunction {
    /// Its name.
    pub name: String,
    /// The only version that may; any, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The only code that may; any, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A statement of a service with its signature (DSSE v1), and the evidence that says what signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// Says so where the signer's platform is a simulated one. It is the first thing that a reader sees; verification goes
    /// by the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The statement: canonical JSON.
    pub payload: Base64,
    /// One signature.
    pub signatures: Vec<StatementSignature>,
    /// Who signed: its key and the evidence for that key.
    pub signer: Signer,
}

/// One signature of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementSignature {
    /// SHA-256 of the signer's public key.
    pub keyid: String,
    /// The Ed25519 signature over the pre-authentication encoding of type and payload: 64 bytes.
    pub sig: Base64,
}

/// A service's key for statements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The Ed25519 public key: 32 bytes.
    pub key: Base64,
    /// The evidence that binds the key to code on a platform, in the form of the certificate extension
    /// (`2.23.133.5.4.9`).
    pub evidence: Base64,
    /// When the evidence was made, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub at_ms: UnixMillis,
}
