//! The node: what it runs, how much at once, and what is checked before a task is leased.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crypto::hash::Sha256;
use executor::{Function, Interface, PayloadRule, Registry, StopSignal};
use rpc::config::{Config, Limits};
use rpc::listener::Shutdown;
use rpc::protocol::{Kms, TdfsInternal, TmsInternal};
use rpc::{CallError, Client, Ctx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::{FunctionInfo, FunctionRef};
use types::id::TaskId;
use types::secret::Secret;
use types::task::Status;
use types::wire::fns::Request;
use types::wire::tms_internal::{FoundTask, GetTask, RegisterNode, Response as TmsResponse};
use types::wire::{tdfs_internal, tms_internal};

use crate::Error;
use crate::session::Session;

/// What a node is told by its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that tasks name.
    pub node: SocketAddr,
    /// How many functions run at once.
    pub concurrency: usize,
    /// How many invocations may wait for that.
    pub queue: usize,
    /// How long a lease lasts without being renewed.
    pub lease: Duration,
    /// Largest input, in bytes.
    pub file_bytes: u64,
    /// Largest sum of one task's outputs, in bytes.
    pub output_bytes: u64,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let Limits { queue, file_bytes, output_bytes, .. } = config.limits;
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            node: config.fns.advertise.unwrap_or(config.fns.external),
            concurrency: config.fns.concurrency.unwrap_or_else(processors),
            queue,
            lease: config.limits.lease(),
            file_bytes,
            output_bytes,
        }
    }
}

/// The services that a node asks.
pub struct Services {
    /// For tasks and leases.
    pub tms: Client<TmsInternal>,
    /// For files' records.
    pub tdfs: Client<TdfsInternal>,
    /// For files' keys.
    pub kms: Client<Kms>,
}

/// A function node.
pub struct Fns {
    pub(crate) services: Services,
    pub(crate) settings: Settings,
    registry: Registry,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    stopping: AtomicBool,
    /// Ends every session when it becomes true.
    pub(crate) stop_all: watch::Sender<bool>,
}

/// A place among the functions that run at once. Whatever thread still works for a task keeps it.
pub(crate) type Slot = Arc<OwnedSemaphorePermit>;

/// What is to run: a task that was checked, before it is leased.
pub(crate) struct Plan {
    pub(crate) task_id: TaskId,
    pub(crate) function: Arc<dyn Function>,
    pub(crate) payload: Option<Secret>,
    pub(crate) inputs: Vec<PinnedFile>,
    pub(crate) creator: types::user::UserId,
    pub(crate) collaborators: Vec<types::user::UserId>,
    pub(crate) time_limit: Duration,
}

/// How long a node that was told to stop lets functions run on.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How often a node says anew what it runs.
const REGISTER: Duration = Duration::from_secs(60);

/// How soon it tries again while the tms can't be reached.
const REGISTER_RETRY: Duration = Duration::from_secs(1);

impl Fns {
    /// A node that runs these functions.
    pub fn new(registry: Registry, services: Services, settings: Settings) -> Self {
        Fns {
            services,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            settings,
            registry,
            waiting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            stop_all: watch::Sender::new(false),
        }
    }

    /// Tells the tms what the node runs. With `started` the tms ends what an earlier life of the node left running.
    ///
    /// # Errors
    /// When the tms can't be asked.
    pub async fn register(&self, started: bool) -> Result<(), Error> {
        let functions = self.registry.list().map(info).collect();
        let register = RegisterNode { node: self.settings.node, started, functions };
        self.services.tms.call(register).await.map_err(Error::call("register the node"))?;
        Ok(())
    }

    /// Registers the node, and again from time to time, until the order to stop.
    pub async fn keep_registered(self: Arc<Self>, mut started: bool, shutdown: Shutdown) {
        loop {
            let wait = match self.register(started).await {
                Ok(()) => {
                    started = false;
                    REGISTER
                }
                Err(error) => {
                    tracing::warn!(%error, "the node is not registered yet");
                    REGISTER_RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Ends what still runs, and returns when it is reported.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop_all.send_replace(true);
        let all = u32::try_from(self.settings.concurrency).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(STOP_GRACE, self.slots.acquire_many(all)).await;
    }

    /// Runs a task for whoever shows its token. When this is dropped, the run is stopped and the task fails.
    pub(crate) async fn invoke(self: &Arc<Self>, ctx: Ctx, request: Request) -> Result<String, Error> {
        let plan = self.check(request).await?;
        let slot = self.take_slot().await?;
        let stop = StopOnDrop::default();
        let caller_gone = stop.notify.subscribe();
        let lease = Session::lease(self.clone(), plan, ctx.request_id, stop.signal.clone(), slot);
        // In a task of its own from the first moment, so that a lease that was taken is always given back.
        let session = tokio::spawn(async move { lease.await?.run(caller_gone).await });
        let result = session.await.unwrap_or_else(|error| Err(Error::Cancelled(error.to_string())));
        stop.disarm();
        result
    }

    /// Checks all that can be checked without touching the task.
    async fn check(&self, request: Request) -> Result<Plan, Error> {
        let FoundTask { task_info: task, manifest } = self.task(&request.task_id).await?;
        if task.task_token != request.task_token {
            return Err(Error::WrongToken);
        }
        if task.function_name != request.function_name {
            return Err(Error::OtherFunction { task: request.task_id, function: task.function_name });
        }
        if task.status != Status::Ready {
            return Err(Error::NotReady { task: request.task_id, status: task.status });
        }
        let manifest = manifest.ok_or_else(|| unexpected("read the task"))?;
        let function = self.function(&manifest.function)?;
        let mut plan = Plan {
            task_id: request.task_id,
            function,
            payload: request.payload,
            inputs: manifest.inputs,
            creator: task.user_id,
            collaborators: task.collaborator_list.into_iter().map(|collaborator| collaborator.user_id).collect(),
            time_limit: Duration::from_millis(manifest.time_limit_ms),
        };
        self.resolve_named_input(&mut plan).await?;
        let payload = plan.payload.as_ref().map(Secret::expose);
        plan.function.interface().check(payload, plan.inputs.len())?;
        Ok(plan)
    }

    async fn task(&self, id: &TaskId) -> Result<FoundTask, Error> {
        match self.services.tms.call(GetTask { task_id: id.clone() }).await {
            Ok(TmsResponse::Get(found)) => Ok(found),
            Ok(_) => Err(unexpected("read the task")),
            Err(error) if error.is_not_found() => Err(Error::NoSuchTask(id.clone())),
            Err(source) => Err(Error::Call { operation: "read the task", source }),
        }
    }

    /// The very code that the parties agreed on.
    fn function(&self, wanted: &FunctionRef) -> Result<Arc<dyn Function>, Error> {
        let other = || Error::OtherVersion { wanted: format!("{}@{}", wanted.name, wanted.version) };
        let function = self.registry.get(&format!("{}@{}", wanted.name, wanted.version)).ok_or_else(other)?;
        if reference(function.interface()) == *wanted { Ok(function.clone()) } else { Err(other()) }
    }

    /// Where a function says so, its payload names the one input that it is to see.
    async fn resolve_named_input(&self, plan: &mut Plan) -> Result<(), Error> {
        if plan.function.interface().payload != PayloadRule::NamesInput {
            return Ok(());
        }
        let Some(payload) = plan.payload.take() else { return Ok(()) };
        if let Some(at) = plan.inputs.iter().position(|input| input.file_id.as_str() == payload.expose()) {
            plan.inputs = vec![plan.inputs.swap_remove(at)];
            return Ok(());
        }
        plan.inputs = vec![self.readable_by_creator(payload.expose(), &plan.creator).await?];
        Ok(())
    }

    async fn readable_by_creator(&self, id: &str, creator: &types::user::UserId) -> Result<PinnedFile, Error> {
        let file_id: types::id::FileId = id.parse().map_err(|_| Error::NoSuchInput)?;
        let record = match self.services.tdfs.call(tdfs_internal::GetRecord { file_id: file_id.clone() }).await {
            Ok(tdfs_internal::Response::Get(found)) => found.file_info,
            Ok(_) => return Err(unexpected("read a file's record")),
            Err(error) if error.is_not_found() => return Err(Error::NoSuchInput),
            Err(source) => return Err(Error::Call { operation: "read a file's record", source }),
        };
        if !record.may_be_read_by(creator) {
            return Err(Error::NoSuchInput);
        }
        Ok(PinnedFile { user_id: creator.clone(), file_id, sha256: record.sha256, file_size: record.file_size })
    }

    /// Waits for a place, behind at most so many others.
    async fn take_slot(&self) -> Result<Slot, Error> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Error::Stopping);
        }
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(Arc::new(slot));
        }
        let waiting = Waiting::enter(&self.waiting);
        if waiting.ahead >= self.settings.queue {
            return Err(Error::QueueFull(self.settings.queue));
        }
        let slot = self.slots.clone().acquire_owned().await;
        slot.map(Arc::new).map_err(|_| Error::Stopping)
    }
}

/// One invocation that waits.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    ahead: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Waiting { count, ahead: count.fetch_add(1, Ordering::AcqRel) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Stops a session when the caller who waits for it is gone.
#[derive(Default)]
struct StopOnDrop {
    signal: StopSignal,
    notify: watch::Sender<bool>,
    done: AtomicBool,
}

impl StopOnDrop {
    fn disarm(&self) {
        self.done.store(true, Ordering::Release);
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if !self.done.load(Ordering::Acquire) {
            self.signal.stop(crate::session::CALLER_GONE);
            self.notify.send_replace(true);
        }
    }
}

/// What the tms must know of a function.
fn info(interface: &Interface) -> FunctionInfo {
    let named = interface.payload == PayloadRule::NamesInput;
    FunctionInfo {
        function: reference(interface),
        function_type: interface.function_type,
        // Where the payload may name the input, the task need not bring it.
        min_files: if named { 0 } else { interface.inputs.min },
        max_files: Some(interface.inputs.max).filter(|max| *max != usize::MAX),
        from_every_party: interface.inputs.from_every_party,
    }
}

/// Names a built-in's exact code: its version within this version of the platform.
fn reference(interface: &Interface) -> FunctionRef {
    let mut hash = Sha256::new();
    let version = interface.version.to_be_bytes();
    let parts: [&[u8]; 4] =
        [b"teehouse built-in", env!("CARGO_PKG_VERSION").as_bytes(), interface.name.as_bytes(), &version];
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    FunctionRef {
        name: interface.name.clone().into_owned(),
        version: interface.version,
        digest: Digest::new(hash.finish()),
    }
}

/// Another service answered something else than it was asked.
pub(crate) fn unexpected(operation: &'static str) -> Error {
    Error::Call { operation, source: CallError::unexpected() }
}

impl Fns {
    /// Applies an update to a task; whether it applied.
    pub(crate) async fn update(&self, update: tms_internal::UpdateTask) -> Result<bool, Error> {
        const OPERATION: &str = "update the task";
        match self.services.tms.call(update).await.map_err(Error::call(OPERATION))? {
            TmsResponse::Update(updated) => Ok(updated.success),
            _ => Err(unexpected(OPERATION)),
        }
    }
}
