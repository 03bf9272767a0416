//! What the tms does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consent::signing::Statements;
use crypto::SealingKey;
use rpc::authn::{Identity, Principal};
use rpc::config::{LIST_PAGE, Limits};
use rpc::protocol::TdfsInternal;
use rpc::shutdown::Shutdown;
use rpc::{CallError, Client};
use store::{Options, Store};
use tokio::sync::Notify;
use types::digest::Digest;
use types::error::{ErrorCode, FailureReason};
use types::file::PinnedFile;
use types::function::{FunctionInfo, FunctionType};
use types::id::{FileId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;
use types::wire::tdfs_internal;
use types::wire::tms_external::{ApproveTask, ApprovedTask, CreateTask, CreatedTask, TaskInfo, TaskList};
use types::wire::tms_internal::{RegisterNode, RenewLease, UpdateTask};

use crate::agree::check_signature;
use crate::leases::{Leases, Lost};
use crate::nodes::Nodes;
use crate::task::{Asked, Lease, NewTask, Task, check_new, check_terms};
use crate::{Error, OpenError, authz, db};

/// What the tms is told by its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a task may run once it is leased.
    pub time_limit: Duration,
    /// How long a lease lasts without being renewed.
    pub lease: Duration,
    /// Files that one party may bring.
    pub files_per_party: usize,
    /// Collaborators of one task.
    pub collaborators: usize,
    /// Largest code of a user's function, in bytes.
    pub code_bytes: u64,
    /// SHA-256 of the auditors' manifest that says what may run.
    pub measurements: Option<Digest>,
    /// How far the platform of services in this process is to be trusted.
    pub trust: TrustLevel,
}

impl From<&Limits> for Settings {
    fn from(limits: &Limits) -> Self {
        Settings {
            time_limit: limits.task(),
            lease: limits.lease(),
            files_per_party: limits.files_per_party,
            collaborators: limits.collaborators,
            code_bytes: limits.code_bytes,
            measurements: None,
            trust: TrustLevel::Simulated,
        }
    }
}

/// How often leases are looked through.
const LEASE_ROUND: Duration = Duration::from_secs(1);

/// Random bytes of a task token: 32 hexadecimal digits, as the reference shows.
const TOKEN_BYTES: usize = 16;

/// Task management over one sealed store.
pub struct Tms {
    pub(crate) store: Store,
    pub(crate) tdfs: Client<TdfsInternal>,
    pub(crate) identity: Arc<dyn Identity>,
    /// What signs its statements and the log's checkpoints.
    pub(crate) statements: Arc<Statements>,
    settings: Settings,
    leases: Leases,
    nodes: Nodes,
    /// A task ended.
    pub(crate) ended: Notify,
    /// Tasks that were being created when the tms stopped the last time, and never came to be.
    pub(crate) unborn: Vec<TaskId>,
}

impl Tms {
    /// Opens the task store of a data directory, or makes it. Leases that were out get one more period.
    ///
    /// # Errors
    /// When the store can't be opened with this sealing key.
    pub fn open(
        data_dir: &Path,
        sealing_key: &SealingKey,
        tdfs: Client<TdfsInternal>,
        identity: Arc<dyn Identity>,
        statements: Statements,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let store = Store::open(&data_dir.join("tms.redb"), sealing_key, Options::default())?;
        let (leases, now) = (Leases::new(settings.lease), Instant::now());
        for (task, lease, time_limit_ms) in db::running(&store)? {
            leases.insert(task, lease, Duration::from_millis(time_limit_ms), now);
        }
        let unborn = db::unborn(&store)?;
        Ok(Tms {
            store,
            tdfs,
            identity,
            statements: Arc::new(statements),
            settings,
            leases,
            nodes: Nodes::default(),
            ended: Notify::new(),
            unborn,
        })
    }

    /// Closes the store; when this returns, another process can open it.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// Ends tasks whose lease was lost, until the order to stop.
    pub async fn watch_leases(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            for (task, lease, lost) in self.leases.expired(Instant::now()) {
                self.lose(task, lease, reason(lost)).await;
            }
            tokio::select! {
                () = tokio::time::sleep(LEASE_ROUND) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Creates a task.
    pub(crate) async fn create(
        &self,
        creator: &Principal,
        create: CreateTask,
        now: UnixMillis,
    ) -> Result<CreatedTask, Error> {
        let found = self.callable(&create.function_name, creator).await?;
        self.check_counts(&create.collaborator_list, &create.files)?;
        check_new(&found.info, creator.user(), &create.collaborator_list, create.files.len())?;
        self.check_users(&create.collaborator_list).await?;
        let id = TaskId::from_random(crypto::random::bytes());
        let token = Secret::new(crypto::hash::hex(&crypto::random::bytes::<TOKEN_BYTES>()));
        let node =
            self.nodes.choose(&found.nodes, Instant::now()).ok_or(Error::NoSuchFunction(create.function_name))?;
        let approvers = approvers(&found.info, creator.user(), &create.collaborator_list);
        check_terms(&create.terms, &found.info, &approvers, now)?;
        let new = NewTask {
            creator: creator.user().clone(),
            function: &found.info,
            code: found.code,
            node,
            collaborators: create.collaborator_list,
            token: token.clone(),
            time_limit_ms: self.time_limit_ms(),
            terms: create.terms,
            measurements: self.settings.measurements,
            signs: creator.key().is_some_and(|key| key.required),
            now,
        };
        let inputs = self.hold_for_new(&id, creator.user(), create.files).await?;
        let task = Task::new(&id, new, inputs)?;
        db::create(&self.store, id.clone(), task).await?;
        Ok(CreatedTask { task_id: id, task_token: token, ip: node.ip(), port: node.port() })
    }

    fn time_limit_ms(&self) -> u64 {
        u64::try_from(self.settings.time_limit.as_millis()).unwrap_or(u64::MAX)
    }

    /// What the tms was told by its configuration.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn check_counts(&self, collaborators: &[UserId], files: &[FileId]) -> Result<(), Error> {
        self.check_files(files)?;
        match self.settings.collaborators {
            limit if collaborators.len() > limit => {
                Err(Error::field("collaborator_list", format!("at most {limit} collaborators")))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_files(&self, files: &[FileId]) -> Result<(), Error> {
        match self.settings.files_per_party {
            limit if files.len() > limit => Err(Error::field("files", format!("at most {limit} files"))),
            _ => Ok(()),
        }
    }

    async fn check_users(&self, users: &[UserId]) -> Result<(), Error> {
        let existing = if users.is_empty() { Vec::new() } else { self.identity.existing(users).await? };
        match users.iter().find(|user| !existing.contains(user)) {
            Some(unknown) => Err(Error::NoSuchUser(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Holds a new task's inputs. The intent is written first, so that a crash leaves nothing held for ever.
    pub(crate) async fn hold_for_new(
        &self,
        id: &TaskId,
        user: &UserId,
        files: Vec<FileId>,
    ) -> Result<Vec<PinnedFile>, Error> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        db::intend(&self.store, id.clone()).await?;
        let held = self.hold(id, user, files).await;
        // While it is unknown whether the tdfs holds them, the intent stays: the next start settles it.
        if held.as_ref().is_err_and(|error| !error.is_ambiguous()) {
            db::no_intent(&self.store, id.clone()).await?;
        }
        held
    }

    pub(crate) async fn hold(&self, id: &TaskId, user: &UserId, files: Vec<FileId>) -> Result<Vec<PinnedFile>, Error> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let request = tdfs_internal::HoldInputs { task_id: id.clone(), user_id: user.clone(), files: files.clone() };
        match self.tdfs.call(request).await {
            Ok(tdfs_internal::Response::Hold(held)) => Ok(held.files),
            Ok(_) => Err(CallError::unexpected().into()),
            Err(error) if error.is_not_found() => Err(self.missing_file(user, files).await),
            Err(CallError::Refused(refusal)) if refusal.code == ErrorCode::PreconditionFailed => {
                Err(Error::Unready(refusal.message))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Names the first file that the user can't bring.
    async fn missing_file(&self, user: &UserId, files: Vec<FileId>) -> Error {
        for file in &files {
            let probe = tdfs_internal::GetRecord { file_id: file.clone() };
            let readable = match self.tdfs.call(probe).await {
                Ok(tdfs_internal::Response::Get(found)) => found.file_info.may_be_read_by(user),
                _ => false,
            };
            if !readable {
                return Error::NoSuchFile(file.clone());
            }
        }
        Error::field("files", "one of the files was removed in this moment")
    }

    /// Returns a task to a participant.
    pub(crate) async fn get(&self, principal: &Principal, id: TaskId) -> Result<TaskInfo, Error> {
        let task = self.task(&id).await?;
        let permit = authz::view(principal, &id, &task)?;
        let own = task.outputs.iter().filter(|output| output.user_id == *permit.user());
        Ok(TaskInfo {
            status: task.status(),
            user_private_result_file_id: own.map(|output| output.file_id.clone()).collect(),
            user_id: task.creator,
            function_name: task.function.name.clone(),
            function_type: task.function_type,
            ip: task.node.ip(),
            port: task.node.port(),
            task_token: task.token,
            collaborator_list: task.collaborators,
            task_result_file_id: task.result_file,
            error: task.error,
            function: task.code.is_some().then_some(task.function),
        })
    }

    /// A task, whoever asks: for the service plane, and as the first step of every other look.
    pub(crate) async fn task(&self, id: &TaskId) -> Result<Task, Error> {
        db::task(&self.store, id.clone()).await?.ok_or_else(|| Error::NoSuchTask(id.clone()))
    }

    /// Records a collaborator's approval and files.
    pub(crate) async fn approve(
        &self,
        principal: Principal,
        approve: ApproveTask,
        now: UnixMillis,
    ) -> Result<ApprovedTask, Error> {
        let id = approve.task_id.clone();
        let task = self.task(&id).await?;
        let may = if approve.manifest.is_some() { authz::confirm } else { authz::approve };
        let permit = may(&principal, &id, &task)?;
        self.check_files(&approve.files)?;
        check_signature(&principal, &approve)?;
        let asked = Asked { manifest: approve.manifest, signature: approve.signature, now };
        task.check_approval(&permit, &id, (&asked, approve.files.len()))?;
        let files = self.hold(&id, permit.user(), approve.files).await?;
        let approved_id = id.clone();
        let approved = db::change(&self.store, id.clone(), move |task| {
            let permit = may(&principal, &approved_id, &task)?;
            task.approve(&permit, &approved_id, (&asked, files.clone()))
        });
        let task = match approved.await {
            Ok(task) => task.ok_or(Error::NoSuchTask(id))?,
            Err(error) => {
                self.settle_again(id).await?;
                return Err(error);
            }
        };
        Ok(ApprovedTask {
            success: true,
            status: task.status(),
            ip: task.node.ip(),
            port: task.node.port(),
            task_token: task.token,
        })
    }

    /// One page of the caller's tasks.
    pub(crate) async fn list(
        &self,
        principal: &Principal,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<TaskList, Error> {
        let (limit, after) = page(limit, cursor)?;
        let (list, next) = db::list(&self.store, principal.user().clone(), after, limit).await?;
        Ok(TaskList { list, next_cursor: next.map(|sequence| sequence.to_string()) })
    }

    /// Applies a function node's update; `false` when the task is unknown or does not allow it.
    pub(crate) async fn update(&self, update: UpdateTask, trust: TrustLevel, now: UnixMillis) -> Result<bool, Error> {
        let (id, here) = (update.task_id.clone(), self.settings.measurements);
        let changed = db::change(&self.store, id.clone(), move |task| match task.is_repeated(&update) {
            true => Err(NotChanged::Repeated),
            false if update.status == Some(Status::Running) && task.check_measured(here.as_ref()).is_err() => {
                Err(NotChanged::Refused)
            }
            false => task.update(&update, trust, now).ok_or(NotChanged::Refused),
        });
        match changed.await {
            Ok(Some(task)) => {
                self.follow(id.clone(), &task);
                self.follow_again(id, task.lease).await?;
                Ok(true)
            }
            Err(NotChanged::Repeated) => Ok(true),
            Ok(None) | Err(NotChanged::Refused) => Ok(false),
            Err(NotChanged::Store(error)) => Err(error.into()),
        }
    }

    /// Brings what is kept in memory in step with a changed task.
    pub(crate) fn follow(&self, id: TaskId, task: &Task) {
        match &task.lease {
            Some(lease) => {
                let time_limit = Duration::from_millis(task.time_limit_ms);
                self.leases.insert(id, lease.clone(), time_limit, Instant::now());
            }
            None => self.leases.remove(&id),
        }
        if task.status().is_final() {
            metrics::counter!("teehouse_tasks_ended_total", "status" => if task.status() == Status::Finished { "finished" } else { "failed" })
                .increment(1);
            self.ended.notify_one();
        }
    }

    /// Forgets a lease that was given up between its commit and [`Tms::follow`]: whoever gave it up may have been followed
    /// first, and its node would be told that it holds a lease for as long as it asks.
    async fn follow_again(&self, id: TaskId, lease: Option<Lease>) -> Result<(), Error> {
        if lease.is_some() && db::task(&self.store, id.clone()).await?.is_none_or(|task| task.lease != lease) {
            self.leases.remove(&id);
        }
        Ok(())
    }

    /// Keeps a lease; `false` when the task is not under it.
    pub(crate) fn renew(&self, renew: &RenewLease) -> bool {
        self.leases.renew(&renew.task_id, &renew.lease_id, Instant::now())
    }

    /// Notes what a node offers; a node that has just started gives up what it ran before.
    pub(crate) async fn register(&self, register: RegisterNode) -> Result<(), Error> {
        let RegisterNode { node, started, functions, runtimes } = register;
        self.nodes.hear(node, Instant::now());
        if started {
            for (task, lease) in self.leases.matching(|lease| lease.node == Some(node)) {
                self.lose(task, lease, restarted(node)).await;
            }
        }
        Ok(db::functions::offer(&self.store, node, functions, runtimes).await?)
    }

    /// Ends a task whose lease was lost, unless it ended or changed hands meanwhile.
    async fn lose(&self, id: TaskId, lease: Lease, reason: FailureReason) {
        let changed = db::change(&self.store, id.clone(), move |task| {
            task.lose_lease(&lease, reason.clone(), UnixMillis::now()).ok_or(NotChanged::Refused)
        });
        match changed.await {
            Ok(Some(task)) => {
                tracing::warn!(task = %id, "task failed: its lease was lost");
                self.follow(id, &task);
            }
            Ok(None) | Err(NotChanged::Refused | NotChanged::Repeated) => {}
            Err(NotChanged::Store(error)) => tracing::error!(task = %id, %error, "a lost lease can't be recorded"),
        }
    }
}

/// Why a task was not changed.
enum NotChanged {
    /// Its state does not allow it.
    Refused,
    /// It was done before.
    Repeated,
    /// The store failed.
    Store(store::StoreError),
}

impl From<store::StoreError> for NotChanged {
    fn from(error: store::StoreError) -> Self {
        NotChanged::Store(error)
    }
}

fn reason(lost: Lost) -> FailureReason {
    match lost {
        Lost::Silent => {
            FailureReason::new(ErrorCode::Unavailable, "the function node stopped answering while it ran the task")
        }
        Lost::Overdue => FailureReason::new(ErrorCode::DeadlineExceeded, "the task's time limit passed"),
    }
}

fn restarted(node: SocketAddr) -> FailureReason {
    FailureReason::new(ErrorCode::Unavailable, format!("the function node {node} was restarted while it ran the task"))
}

/// Whom a task will need the approval of.
fn approvers(info: &FunctionInfo, creator: &UserId, collaborators: &[UserId]) -> Vec<UserId> {
    let several = info.function_type.with_collaborators(collaborators.len()) == FunctionType::Multiparty;
    let others = collaborators.iter().filter(|_| several);
    std::iter::once(creator).chain(others).cloned().collect()
}

/// Reads a listing's `limit` and `cursor`.
fn page(limit: Option<u32>, cursor: Option<String>) -> Result<(usize, Option<u64>), Error> {
    let limit = page_limit(limit)?;
    let bad = |_| Error::field("cursor", "must be a `next_cursor` of an earlier answer");
    let after = cursor.map(|cursor| cursor.parse().map_err(bad)).transpose()?;
    Ok((limit, after))
}

/// Reads a listing's `limit`.
pub(crate) fn page_limit(limit: Option<u32>) -> Result<usize, Error> {
    match limit.unwrap_or(LIST_PAGE) {
        limit if (1..=LIST_PAGE).contains(&limit) => Ok(limit as usize),
        _ => Err(Error::field("limit", format!("must be 1 to {LIST_PAGE}"))),
    }
}
