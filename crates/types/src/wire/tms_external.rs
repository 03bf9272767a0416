//! The tms's requests and answers for users (port 5554).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::Digest;
use crate::error::FailureReason;
use crate::function::{Declaration, FunctionRef, FunctionType, InputRule, Language, OutputUse, PayloadUse, RunLimits};
use crate::id::{FileId, TaskId};
use crate::secret::Secret;
use crate::task::Status;
use crate::time::UnixMillis;
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
