//! The tms's requests and answers for users (port 5554).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::FailureReason;
use crate::function::FunctionType;
use crate::id::{FileId, TaskId};
use crate::secret::Secret;
use crate::task::Status;
use crate::user::UserId;

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
