//! The tms's requests and answers for function nodes (port 5555).
//!
//! `Get` and `Update` are the reference's; a node that knows no more can lease, run and finish a task with them. The
//! additive fields make a lease exclusive to one run and let it lapse: `lease_id` names it and `Renew` keeps it. A node
//! says with `Register` which functions it runs; after a restart this also gives up what it held before.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consent::{Approval, SignedStatement, TaskManifest};
use crate::digest::Digest;
use crate::error::FailureReason;
use crate::file::{PinnedFile, TaskFile};
use crate::function::{Code, FunctionInfo, FunctionRef, FunctionType, Runtime};
use crate::id::{FileId, LeaseId, RecordId, TaskId};
use crate::log::Event;
use crate::secret::Secret;
use crate::task::Status;
use crate::time::UnixMillis;
use crate::user::UserId;
use crate::wire::tdfs_internal::EndTask;
use crate::wire::tms_external::CollaboratorStatus;

super::requests! {
    /// A function node's request to the tms.
    #[schema(as = InternalTaskRequest)]
    Request {
        /// Returns a task.
        Get(GetTask),
        /// Moves a task on.
        Update(UpdateTask),
        /// Keeps a lease.
        Renew(RenewLease),
        /// Says which functions a node runs.
        Register(RegisterNode),
        /// Asks what a running task may read; for the kms, which releases keys by it.
        Release(ReleaseTask),
        /// Asks which tasks have ended; for the tdfs, which keeps what a task made until then.
        Ended(FindEnded),
        /// Puts what another service did into the log.
        Record(RecordEvent),
    }
}

/// Asks for a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalGetTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct GetTask {
    /// Which task.
    pub task_id: TaskId,
}

/// Moves a task on, atomically: either the whole update applies or nothing does.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalUpdateTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct UpdateTask {
    /// Which task.
    pub task_id: TaskId,
    /// The output that all participants may read.
    #[serde(default)]
    pub task_result_file_id: Option<FileId>,
    /// Outputs to append.
    pub output_files: Vec<TaskFile>,
    /// Where the task is to stand: `Running` leases it, `Finished` and `Failed` end it.
    #[serde(default)]
    pub status: Option<Status>,
    /// Names the lease: chosen by the node with `Running`, shown with every later update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<LeaseId>,
    /// With `Running`: the node that runs it, as its clients know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub node: Option<SocketAddr>,
    /// With `Running`: the manifest by which the node is about to run it. No lease is given for another than the task has
    /// then, since what the node read of it may have changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<Digest>,
    /// With `Failed`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReason>,
    /// With `Finished` or `Failed`: the node's own statement of its run, of type `application/vnd.teehouse.run+json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<SignedStatement>,
}

/// Keeps a lease for another period.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RenewLeaseRequest)]
#[serde(deny_unknown_fields)]
pub struct RenewLease {
    /// Which task.
    pub task_id: TaskId,
    /// The lease.
    pub lease_id: LeaseId,
}

/// Asks what a task that runs may read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTask {
    /// Which task.
    pub task_id: TaskId,
    /// The lease under which it is said to run.
    pub lease_id: LeaseId,
}

/// Asks which of some tasks have ended, and what they list as their outputs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FindEndedRequest)]
#[serde(deny_unknown_fields)]
pub struct FindEnded {
    /// The tasks.
    pub task_ids: Vec<TaskId>,
}

/// Says which functions a node runs, so that tasks can name it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisterNodeRequest)]
#[serde(deny_unknown_fields)]
pub struct RegisterNode {
    /// The node, as its clients know it.
    #[schema(value_type = String)]
    pub node: SocketAddr,
    /// Whether the node has just started and remembers nothing that it ran: its old leases are given up.
    pub started: bool,
    /// What it runs.
    pub functions: Vec<FunctionInfo>,
    /// The languages of users' functions that it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<Runtime>,
}

/// Puts what the tdfs or the kms did into the log. Sent again with the same id, it changes nothing and is answered as
/// the first time: whoever sends it draws the id with the change, and repeats it until it is answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordEventRequest)]
#[serde(deny_unknown_fields)]
pub struct RecordEvent {
    /// The event's own id, which its sender chose at random.
    pub record_id: RecordId,
    /// When it happened, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub at_ms: UnixMillis,
    /// Whom it concerns: those who may read it in the log. 1 to 64.
    pub concerns: Vec<UserId>,
    /// What happened.
    pub event: Event,
}

/// Where an event is in the log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordEventResponse)]
pub struct Recorded {
    /// The index of its entry.
    pub index: u64,
}

/// The tms's answer to a function node.
#[expect(clippy::large_enum_variant, reason = "an answer is made once and written at once; a box would cost more")]
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalTaskResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The task.
    Get(FoundTask),
    /// Whether the update applied.
    Update(Updated),
    /// Whether the lease still stands.
    Renew(Updated),
    /// The node is known.
    Register(Updated),
    /// What the task may read.
    Release(ReleasedTask),
    /// Which tasks have ended.
    Ended(FoundEnded),
    /// The event is in the log.
    Record(Recorded),
}

/// Whether a task runs, and what was agreed on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseTaskResponse)]
pub struct ReleasedTask {
    /// Whether it runs under this very lease.
    pub running: bool,
    /// Whether it can't run any more.
    pub ended: bool,
    /// Its manifest.
    pub manifest: TaskManifest,
    /// The approvals that stand.
    pub approvals: Vec<Approval>,
}

/// Which tasks have ended and which have not. One that is in neither list does not exist.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FindEndedResponse)]
pub struct FoundEnded {
    /// Those that can't run any more, as the tdfs is told of their end.
    pub ended: Vec<EndTask>,
    /// Those that may still run, finish or be withdrawn from.
    pub going: Vec<TaskId>,
}

/// A task, whole.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalGetTaskResponse)]
pub struct FoundTask {
    /// The task.
    pub task_info: TaskInfo,
    /// What the parties consented to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// What was agreed on, in the form whose digest the parties approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<TaskManifest>,
}

/// A task, whole.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalTaskInfo)]
pub struct TaskInfo {
    /// The creator.
    pub user_id: UserId,
    /// The other parties.
    pub collaborator_list: Vec<CollaboratorStatus>,
    /// How many of them approved.
    pub approved_user_number: usize,
    /// The function.
    pub function_name: String,
    /// How many parties the function serves.
    pub function_type: FunctionType,
    /// Where the task stands.
    pub status: Status,
    /// The function node's address.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// The function node's port.
    pub port: u16,
    /// What an invocation must show.
    pub task_token: Secret,
    /// The inputs, in the order in which they were given.
    pub input_files: Vec<TaskFile>,
    /// The outputs for single parties.
    pub output_files: Vec<TaskFile>,
    /// The output that all participants may read.
    pub task_result_file_id: Option<FileId>,
}

/// The exact code and bytes that the parties consented to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskManifest)]
pub struct Manifest {
    /// The code.
    pub function: FunctionRef,
    /// Where the code of a user's function is, and what its author declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The inputs and their declared bytes, in the order of `input_files`.
    pub inputs: Vec<PinnedFile>,
    /// How long the task may run once it is leased, in milliseconds.
    pub time_limit_ms: u64,
}

/// Whether an update applied.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = InternalUpdateTaskResponse)]
pub struct Updated {
    /// False when the task is unknown or its state does not allow it; then nothing changed.
    pub success: bool,
}
