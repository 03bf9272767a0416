//! A user's verbs for tasks.

use std::net::SocketAddr;
use std::time::Duration;

use rpc::CallError;
use types::id::{FileId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::user::UserId;
use types::wire::fns;
use types::wire::tms_external::{
    ApproveTask, ApprovedTask, CreateTask, CreatedTask, GetTask, ListTasks, Request, Response, TaskInfo, TaskList,
    TaskTerms,
};

use crate::signer::SignerError;
use crate::{RequestError, Teehouse};

/// How long a run is waited for: a task's default limit (`limits.task_seconds`, 300 s), as long again in the node's
/// queue, and a minute for the node to end it.
pub const RUN_LIMIT: Duration = Duration::from_secs(660);

/// The pauses between two looks at a task that is waited for.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Something that could not be done with a task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Creating one.
    #[error("no task for function `{function}` was created")]
    Create {
        /// The function.
        function: String,
        /// Why.
        source: RequestError,
    },
    /// Looking at one.
    #[error("task {task} can't be shown")]
    Show {
        /// The task.
        task: TaskId,
        /// Why.
        source: RequestError,
    },
    /// Approving one.
    #[error("task {task} was not approved")]
    Approve {
        /// The task.
        task: TaskId,
        /// Why.
        source: RequestError,
    },
    /// Running one.
    #[error("task {task} has no result")]
    Run {
        /// The task.
        task: TaskId,
        /// Why.
        source: RequestError,
    },
    /// Listing them.
    #[error("tasks can't be listed")]
    List(#[source] RequestError),
    /// Signing an approval.
    #[error("nothing can be signed")]
    Sign(#[source] SignerError),
    /// Taking back consent.
    #[error("task {task} was not withdrawn from")]
    Withdraw {
        /// The task.
        task: TaskId,
        /// Why.
        source: RequestError,
    },
    /// Asking for a receipt.
    #[error("task {task} has no receipt")]
    Receipt {
        /// The task.
        task: TaskId,
        /// Why.
        source: RequestError,
    },
    /// Waiting for one.
    #[error("task {task} is still {status} after {} s", .limit.as_secs())]
    StillWaiting {
        /// The task.
        task: TaskId,
        /// Where it stands.
        status: Status,
        /// How long it was waited for.
        limit: Duration,
    },
}

impl TaskError {
    /// The request behind it that brought no answer, if there is one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            TaskError::Create { source, .. }
            | TaskError::Show { source, .. }
            | TaskError::Approve { source, .. }
            | TaskError::Run { source, .. }
            | TaskError::List(source) => Some(source),
            TaskError::Withdraw { source, .. } | TaskError::Receipt { source, .. } => Some(source),
            TaskError::Sign(_) | TaskError::StillWaiting { .. } => None,
        }
    }

    /// What to do about it, where there is something to be done.
    pub fn help(&self) -> Option<String> {
        match self {
            TaskError::StillWaiting { task, .. } => Some(format!("`teehouse task show {task}` says who has to act")),
            TaskError::Run { task, source: RequestError::Unreachable(_) } => {
                Some(format!("it may have run: `teehouse task show {task}` says where it stands"))
            }
            TaskError::Run { task, source } if source.code() == Some(types::error::ErrorCode::Conflict) => {
                Some(format!("`teehouse task show {task}` says where it stands"))
            }
            other => other.request().and_then(RequestError::help),
        }
    }
}

impl Teehouse {
    /// Creates a task for a function over the caller's files, with other users as parties.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn create_task(
        &self,
        function: &str,
        collaborators: &[UserId],
        files: &[FileId],
    ) -> Result<CreatedTask, TaskError> {
        self.create_task_with(function, (collaborators, files), TaskTerms::default()).await
    }

    /// As [`Teehouse::create_task`], with terms beside function, parties and files.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn create_task_with(
        &self,
        function: &str,
        (collaborators, files): (&[UserId], &[FileId]),
        terms: TaskTerms,
    ) -> Result<CreatedTask, TaskError> {
        let request = CreateTask {
            function_name: function.to_owned(),
            collaborator_list: collaborators.to_vec(),
            files: files.to_vec(),
            terms,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tms(request).await {
            Ok(Response::Create(created)) => Ok(created),
            other => Err(TaskError::Create { function: function.to_owned(), source: RequestError::of(other) }),
        }
    }

    /// A task as the caller, who takes part in it, sees it.
    ///
    /// # Errors
    /// When the caller takes no part in it or the service can't be reached.
    pub async fn task(&self, task: &TaskId) -> Result<TaskInfo, TaskError> {
        let request = GetTask { task_id: task.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tms(request).await {
            Ok(Response::Get(found)) => Ok(found.task_info),
            other => Err(TaskError::Show { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// Approves a task and brings the caller's files to it.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn approve(&self, task: &TaskId, files: &[FileId]) -> Result<ApprovedTask, TaskError> {
        let request = ApproveTask {
            task_id: task.clone(),
            files: files.to_vec(),
            manifest: None,
            signature: None,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tms(request).await {
            Ok(Response::Update(approved)) => Ok(approved),
            other => Err(TaskError::Approve { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// The ids of every task that the caller created or collaborates in, newest first.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn list_tasks(&self) -> Result<Vec<TaskId>, TaskError> {
        let mut page = self.task_page(None, None).await?;
        let mut all = std::mem::take(&mut page.list);
        while let Some(cursor) = page.next_cursor.take() {
            page = self.task_page(None, Some(cursor)).await?;
            all.append(&mut page.list);
        }
        Ok(all)
    }

    /// One page of [`Teehouse::list_tasks`]: at most `limit` ids (1000 when absent), from where `cursor` points.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn task_page(&self, limit: Option<u32>, cursor: Option<String>) -> Result<TaskList, TaskError> {
        let request = ListTasks { user_id: self.user.clone(), user_token: self.token.clone(), limit, cursor };
        match self.ask_tms(request).await {
            Ok(Response::List(page)) => Ok(page),
            other => Err(TaskError::List(RequestError::of(other))),
        }
    }

    /// Runs a task on the node that it names and returns the function's result.
    ///
    /// # Errors
    /// When the task is not ready, the function fails, or a service can't be reached.
    pub async fn run(&self, task: &TaskId, payload: Option<Secret>) -> Result<String, TaskError> {
        let info = self.task(task).await?;
        let request = fns::Request {
            task_id: task.clone(),
            function_name: info.function_name,
            task_token: info.task_token,
            payload,
        };
        self.invoke(SocketAddr::new(info.ip, info.port), request).await
    }

    /// Runs a task whose node and token are known, as they are from its creation, without asking the tms again.
    ///
    /// # Errors
    /// As [`Teehouse::run`].
    pub async fn invoke(&self, node: SocketAddr, request: fns::Request) -> Result<String, TaskError> {
        let task = request.task_id.clone();
        match self.node(node).call(request).await {
            Ok(answer) => Ok(answer.result),
            Err(error) => Err(TaskError::Run { task, source: error.into() }),
        }
    }

    /// Waits until a task's status is one that `reached` accepts, or one that can't change any more.
    ///
    /// # Errors
    /// [`TaskError::StillWaiting`] once `limit` has passed; otherwise as [`Teehouse::task`].
    pub async fn wait(
        &self,
        task: &TaskId,
        reached: impl Fn(Status) -> bool,
        limit: Duration,
    ) -> Result<TaskInfo, TaskError> {
        let end = tokio::time::Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let info = self.task(task).await?;
            if reached(info.status) || info.status.is_final() {
                return Ok(info);
            }
            if tokio::time::Instant::now() >= end {
                return Err(TaskError::StillWaiting { task: task.clone(), status: info.status, limit });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(crate) async fn ask_tms(&self, request: impl Into<Request>) -> Result<Response, CallError> {
        self.tms.call(request).await
    }
}
