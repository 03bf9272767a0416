//! The tms's requests and answers for users (port 5554).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consent::{Approval, ApprovalRule, ApprovalSignature, SignedStatement, TaskManifest};
use crate::digest::Digest;
use crate::error::FailureReason;
use crate::function::{Declaration, FunctionRef, FunctionType, InputRule, Language, OutputUse, PayloadUse, RunLimits};
use crate::id::{FileId, TaskId};
use crate::secret::Secret;
use crate::task::Status;
use crate::time::UnixMillis;
use crate::trust::TrustLevel;
use crate::user::UserId;
use crate::wire::tms_log::{FoundCheckpoint, FoundEntry, GetCheckpoint, ListLog, LogPage, ProveLog};

super::requests! {
    /// A user's request to the tms.
    #[schema(as = TaskRequest)]
    Request {
        /// Creates a task.
        Create(CreateTask),
        /// Returns a task.
        Get(GetTask),
        /// Approves a task and brings files to it.
        Update(ApproveTask),
        /// Lists the caller's tasks.
        List(ListTasks),
        /// Brings files to a task without approving it.
        BringFiles(BringFiles),
        /// Changes what an invocation of a task may bring as its payload.
        SetPayload(SetPayload),
        /// Takes back consent to a task, or cancels it.
        Withdraw(WithdrawTask),
        /// Returns a task's manifest and the approvals of it.
        GetManifest(GetManifest),
        /// Returns the receipt of a task that ended.
        GetReceipt(GetReceipt),
        /// Registers a new version of a function of the caller's.
        RegisterFunction(RegisterFunction),
        /// Describes a function.
        GetFunction(GetFunction),
        /// Lists the functions that the caller may use.
        ListFunctions(ListFunctions),
        /// Takes a function of the caller's out of use.
        DisableFunction(DisableFunction),
        /// Returns the log's checkpoint.
        GetCheckpoint(GetCheckpoint),
        /// Lists the log's entries that concern the caller.
        ListLog(ListLog),
        /// Returns one of the log's entries that concern the caller.
        ProveLog(ProveLog),
    }
}

/// Creates a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct CreateTask {
    /// Which function it will run.
    pub function_name: String,
    /// The other parties.
    pub collaborator_list: Vec<UserId>,
    /// The creator's files.
    pub files: Vec<FileId>,
    /// What it demands beside its function and files.
    #[serde(default, skip_serializing_if = "TaskTerms::is_default")]
    pub terms: TaskTerms,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct GetTask {
    /// Which task.
    pub task_id: TaskId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Approves a task and brings files to it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct ApproveTask {
    /// Which task.
    pub task_id: TaskId,
    /// The caller's files.
    pub files: Vec<FileId>,
    /// The manifest that is approved: SHA-256 of its canonical form. When it is absent, the manifest as it stands is
    /// approved, whatever files others bring to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The caller's signature over the approval of that manifest, by the key that the caller registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ApprovalSignature>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// What the creator of a task demands of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskTerms {
    /// Whose approval it needs; everyone's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRule>,
    /// SHA-256 of the payload of its invocation. A task of several parties takes no other payload, and none when this is
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<Digest>,
    /// The first instant at which it may start, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub not_before_ms: Option<UnixMillis>,
    /// The last instant at which it may start, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub not_after_ms: Option<UnixMillis>,
    /// How long it may run, in milliseconds; the service's limit when absent or longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// The least trusted platform that may run it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_trust: Option<TrustLevel>,
    /// The fewest records that a result may be about, 1 to 2³² − 1; any number when absent. The function must be one that
    /// counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_group: Option<u64>,
    /// What the results are for: one line of at most 200 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
}

impl TaskTerms {
    /// Whether nothing is demanded.
    pub fn is_default(&self) -> bool {
        *self == TaskTerms::default()
    }
}

/// Brings files to a task without approving it: for parties who approve by naming the manifest, once all is there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BringFilesRequest)]
#[serde(deny_unknown_fields)]
pub struct BringFiles {
    /// Which task.
    pub task_id: TaskId,
    /// The caller's files.
    pub files: Vec<FileId>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Changes which payload an invocation may bring. Its creator may, until the task runs; every approval lapses.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetPayloadRequest)]
#[serde(deny_unknown_fields)]
pub struct SetPayload {
    /// Which task.
    pub task_id: TaskId,
    /// SHA-256 of the payload; when absent, none in a task of several parties and any in one user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<Digest>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Takes back consent to a task. Every party may, until there are results; for its creator it cancels the task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WithdrawTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct WithdrawTask {
    /// Which task.
    pub task_id: TaskId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for a task's manifest.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetManifestRequest)]
#[serde(deny_unknown_fields)]
pub struct GetManifest {
    /// Which task.
    pub task_id: TaskId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for the receipt of a task that ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetReceiptRequest)]
#[serde(deny_unknown_fields)]
pub struct GetReceipt {
    /// Which task.
    pub task_id: TaskId,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for the ids of the tasks that the caller created or collaborates in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListTaskRequest)]
#[serde(deny_unknown_fields)]
pub struct ListTasks {
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
    /// How many ids at most; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the previous page ended: its `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Registers a new version of a function. Its code is a file of the caller's, which stays for as long as the function.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisterFunctionRequest)]
#[serde(deny_unknown_fields)]
pub struct RegisterFunction {
    /// Its name: 1 to 64 lower-case letters, digits and `_`; no built-in's, and nobody else's.
    pub function_name: String,
    /// The code.
    pub file_id: FileId,
    /// What the author declares.
    pub declaration: Declaration,
    /// One line for people who choose a function; at most 200 characters.
    #[serde(default)]
    pub summary: String,
    /// JSON Schemas of payload, inputs, outputs and result, by name, as one JSON text; at most 64 KiB.
    #[serde(default)]
    pub schema: String,
    /// Whether everybody may use it.
    #[serde(default)]
    pub public: bool,
    /// Who else may use it.
    #[serde(default)]
    pub allow: Vec<UserId>,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for a function's description.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetFunctionRequest)]
#[serde(deny_unknown_fields)]
pub struct GetFunction {
    /// Which: `name`, for the newest version in use, or `name@version`.
    pub function_name: String,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// Asks for the names of the functions that the caller may use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListFunctionsRequest)]
#[serde(deny_unknown_fields)]
pub struct ListFunctions {
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
    /// How many at most; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the previous page ended: its `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Takes versions of a function out of use: no more tasks are created for them. Tasks that there are keep them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DisableFunctionRequest)]
#[serde(deny_unknown_fields)]
pub struct DisableFunction {
    /// Which: `name`, for all its versions, or `name@version`.
    pub function_name: String,
    /// The caller.
    pub user_id: UserId,
    /// The caller's token.
    pub user_token: Secret,
}

/// The tms's answer to a user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The new task.
    Create(CreatedTask),
    /// The task.
    Get(FoundTask),
    /// The task after the approval.
    Update(ApprovedTask),
    /// The caller's tasks.
    List(TaskList),
    /// The task with the files.
    BringFiles(FoundManifest),
    /// The task with the payload.
    SetPayload(FoundManifest),
    /// The task, which will not run.
    Withdraw(WithdrawnTask),
    /// The manifest.
    GetManifest(FoundManifest),
    /// The receipt.
    GetReceipt(FoundReceipt),
    /// The new version.
    RegisterFunction(RegisteredFunction),
    /// The function.
    GetFunction(FoundFunction),
    /// The functions.
    ListFunctions(FunctionList),
    /// What is out of use now.
    DisableFunction(DisabledFunction),
    /// The log's checkpoint.
    GetCheckpoint(FoundCheckpoint),
    /// The entries that concern the caller.
    ListLog(LogPage),
    /// The entry.
    ProveLog(FoundEntry),
}

/// A task's manifest and the approvals of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetManifestResponse)]
pub struct FoundManifest {
    /// What is to be approved.
    pub manifest: TaskManifest,
    /// SHA-256 of its canonical form.
    pub manifest_sha256: Digest,
    /// Where the task stands.
    pub status: Status,
    /// The approvals that stand.
    pub approvals: Vec<Approval>,
    /// Earlier ones, which lapsed when the manifest changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lapsed: Vec<Approval>,
    /// Who may still approve, as long as that is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<UserId>,
    /// What of the files is missing, where all approved that must, or what else of it can't be had any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    /// Why a failed task failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReason>,
}

/// A task that will not run, or whose run was cancelled.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WithdrawTaskResponse)]
pub struct WithdrawnTask {
    /// What the service states about it: type `application/vnd.teehouse.withdrawal+json`.
    pub statement: SignedStatement,
}

/// A task's receipt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetReceiptResponse)]
pub struct FoundReceipt {
    /// What the service states about it: type `application/vnd.teehouse.receipt+json`.
    pub receipt: SignedStatement,
}

/// A new version of a function.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisterFunctionResponse)]
pub struct RegisteredFunction {
    /// Its name, version and digest.
    pub function: FunctionRef,
}

/// A function, as those who may use it see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetFunctionResponse)]
pub struct FoundFunction {
    /// The function.
    pub function_info: FunctionDetails,
}

/// Everything about one version of a function but its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionDetails {
    /// Its name, version and digest: what tasks pin.
    pub function: FunctionRef,
    /// One line for people who choose a function.
    pub summary: String,
    /// How many parties it serves.
    pub function_type: FunctionType,
    /// Whether it takes a payload.
    pub payload: PayloadUse,
    /// How many files it reads.
    pub inputs: InputRule,
    /// Who may receive outputs of it.
    pub outputs: Vec<OutputUse>,
    /// JSON Schemas of payload, inputs, outputs and result, by name, as one JSON text; empty where nothing is declared.
    pub schema: String,
    /// Whether it counts what its results are about, so that a task can have a minimum group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
    /// Whether it can't be used for new tasks.
    pub disabled: bool,
    /// What is to be known of the code of a user's function. Built-ins are part of the platform and have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeDetails>,
}

/// What is to be known of the code of a user's function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CodeDetails {
    /// Who registered it.
    pub author: UserId,
    /// What it is written in.
    pub language: Language,
    /// SHA-256 of the code file.
    pub sha256: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// SHA-256 of the interpreter that runs it now, where it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Digest>,
    /// What it imports, where its author said so; nodes refuse code that imports anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<Vec<String>>,
    /// Whether it gets real randomness.
    pub random: bool,
    /// Its limits, where they are lower than the node's.
    pub limits: RunLimits,
    /// Whether everybody may use it.
    pub public: bool,
    /// Who else may use it; only its author is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<UserId>,
    /// When it was registered, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub registered_ms: UnixMillis,
}

/// One page of the functions that the caller may use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListFunctionsResponse)]
pub struct FunctionList {
    /// By name; of each, the newest version in use.
    pub list: Vec<ListedFunction>,
    /// Present when there are more: the next page's `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A function in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedFunction {
    /// Its name, version and digest.
    pub function: FunctionRef,
    /// How many parties it serves.
    pub function_type: FunctionType,
    /// One line for people who choose a function.
    pub summary: String,
    /// Who registered it; absent for a built-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<UserId>,
}

/// What was taken out of use.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DisableFunctionResponse)]
pub struct DisabledFunction {
    /// Always true: a refusal is an error.
    pub success: bool,
    /// The versions that are out of use now, of those that were named.
    pub versions: Vec<u32>,
}

/// A new task and where to run it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateTaskResponse)]
pub struct CreatedTask {
    /// The task.
    pub task_id: TaskId,
    /// What an invocation must show: 32 lower-case hexadecimal digits.
    pub task_token: Secret,
    /// The function node's address.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// The function node's port.
    pub port: u16,
}

/// A task, as its participants see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetTaskResponse)]
pub struct FoundTask {
    /// The task.
    pub task_info: TaskInfo,
}

/// A collaborator and whether they approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollaboratorStatus {
    /// The collaborator.
    pub user_id: UserId,
    /// Whether they approved.
    pub approved: bool,
}

/// A task, as one participant sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskInfo {
    /// The creator.
    pub user_id: UserId,
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
    /// The other parties.
    pub collaborator_list: Vec<CollaboratorStatus>,
    /// The output that all participants may read.
    pub task_result_file_id: Option<FileId>,
    /// The caller's own outputs.
    pub user_private_result_file_id: Vec<FileId>,
    /// Why a failed task failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureReason>,
    /// Of a user's function: the exact code that was pinned when the task was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionRef>,
}

/// A task after an approval.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateTaskResponse)]
pub struct ApprovedTask {
    /// Always true: a refused approval is an error.
    pub success: bool,
    /// Where the task stands now.
    pub status: Status,
    /// The function node's address.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// The function node's port.
    pub port: u16,
    /// What an invocation must show.
    pub task_token: Secret,
}

/// One page of the caller's tasks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListTaskResponse)]
pub struct TaskList {
    /// Newest first.
    pub list: Vec<TaskId>,
    /// Present when there are more: the next page's `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
