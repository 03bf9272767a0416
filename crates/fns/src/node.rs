//! The node: what it runs, how much at once, and whom it asks.

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consent::signing::Statements;
use executor::{Interface, PayloadRule, Registry};
use rpc::Client;
use rpc::config::{Config, Limits};
use rpc::courier::Courier;
use rpc::protocol::{Kms, TdfsInternal, TmsInternal};
use rpc::shutdown::Shutdown;
use tokio::sync::watch;
use types::digest::Digest;
use types::function::{FunctionInfo, FunctionRef, OutputUse};
use types::wire::tms_internal::{RegisterNode, Response as TmsResponse, UpdateTask};

use crate::Error;
use crate::code::Codes;
use crate::error::unexpected;
use crate::files::{Folder, Spool};
use crate::places::{self, Places};

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
    /// Largest output that is stored in one message, in bytes.
    pub single_bytes: u64,
    /// Largest code of a user's function, in bytes.
    pub code_bytes: u64,
    /// What one run works in, in bytes.
    pub memory_bytes: u64,
    /// What all runs together may work in, in bytes.
    pub all_memory_bytes: u64,
    /// How long a user's code may compute in one run.
    pub cpu: Duration,
    /// Outputs of one run.
    pub outputs: usize,
    /// Where large outputs wait, sealed, for their task's end.
    pub data_dir: PathBuf,
    /// SHA-256 of the auditors' manifest by which services run.
    pub measurements: Option<Digest>,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let Limits { queue, file_bytes, output_bytes, single_bytes, code_bytes, memory_bytes, .. } = config.limits;
        let usual = || std::thread::available_parallelism().map_or(1, usize::from) * PLACES_PER_PROCESSOR;
        Settings {
            node: config.fns.advertise.unwrap_or(config.fns.external),
            concurrency: config.fns.concurrency.unwrap_or_else(usual),
            queue,
            lease: config.limits.lease(),
            file_bytes,
            output_bytes,
            single_bytes: single_bytes.min(file_bytes),
            code_bytes,
            memory_bytes,
            all_memory_bytes: config.fns.memory_bytes.unwrap_or_else(places::memory_of_machine),
            cpu: Duration::from_secs(config.limits.cpu_seconds),
            outputs: config.limits.outputs,
            data_dir: config.data_dir.clone(),
            measurements: None,
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
    /// For ciphertext in object stores.
    pub courier: Arc<Courier>,
}

/// A function node.
pub struct Fns {
    pub(crate) services: Services,
    pub(crate) settings: Settings,
    /// What signs the node's statements of its runs.
    pub(crate) statements: Arc<Statements>,
    pub(crate) registry: Registry,
    /// What runs users' code, where this node does.
    pub(crate) codes: Option<Arc<Codes>>,
    pub(crate) spool: Arc<dyn Spool>,
    /// What runs at once.
    pub(crate) places: Places,
    /// Ends every session when it becomes true.
    pub(crate) stop_all: watch::Sender<bool>,
}

/// Tasks per processor: most of a short task's time is spent waiting for commits, which are shared by all that wait.
const PLACES_PER_PROCESSOR: usize = 32;

/// How long a node that was told to stop lets functions run on.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How often a node says anew what it runs.
const REGISTER: Duration = Duration::from_secs(60);

/// How soon it tries again while the tms can't be reached.
const REGISTER_RETRY: Duration = Duration::from_secs(1);

impl Fns {
    /// A node that runs these functions, and users' code where it is given what runs that.
    pub(crate) fn new(
        registry: Registry,
        codes: Option<Codes>,
        (services, statements): (Services, Statements),
        settings: Settings,
    ) -> Self {
        let spool = Folder::of(&settings.data_dir);
        spool.clear();
        Fns {
            services,
            statements: Arc::new(statements),
            spool: Arc::new(spool),
            places: Places::new(&settings),
            settings,
            registry,
            codes: codes.map(Arc::new),
            stop_all: watch::Sender::new(false),
        }
    }

    /// Tells the tms what the node runs. With `started` the tms ends what an earlier life of the node left running.
    ///
    /// # Errors
    /// When the tms can't be asked.
    pub async fn register(&self, started: bool) -> Result<(), Error> {
        let functions = self.registry.list().map(info).collect();
        let runtimes = self.codes.as_ref().map(|codes| codes.runtimes()).unwrap_or_default();
        let register = RegisterNode { node: self.settings.node, started, functions, runtimes };
        self.services.tms.call(register).await.map_err(Error::call("register the node"))?;
        Ok(())
    }

    /// Loads the interpreter for Python, and says so to the tms. Until then, and without one, no node of this kind runs
    /// Python functions.
    pub(crate) async fn start_python(self: Arc<Self>, runtime: PathBuf) {
        let Some(codes) = self.codes.clone() else { return };
        let path = runtime.clone();
        match tokio::task::spawn_blocking(move || codes.load_python(&path)).await {
            Ok(Ok(())) => {
                if let Err(error) = self.register(false).await {
                    tracing::warn!(%error, "Python is ready; the tms hears of it later");
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, source = error.source(), path = %runtime.display(), "the node runs no Python functions");
            }
            Err(error) => tracing::error!(%error, "the node runs no Python functions"),
        }
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
        self.places.close();
        self.stop_all.send_replace(true);
        let _ = tokio::time::timeout(STOP_GRACE, self.places.empty()).await;
    }

    /// Applies an update to a task; whether it applied.
    pub(crate) async fn update(&self, update: UpdateTask) -> Result<bool, Error> {
        const OPERATION: &str = "update the task";
        match self.services.tms.call(update).await.map_err(Error::call(OPERATION))? {
            TmsResponse::Update(updated) => Ok(updated.success),
            _ => Err(unexpected(OPERATION)),
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
        summary: interface.summary.clone().into_owned(),
        payload: Some(interface.payload.into()),
        outputs: interface.outputs.iter().copied().map(OutputUse::from).collect(),
        schema: interface.schema.clone().into_owned(),
        counts: interface.counts,
    }
}

/// Names a built-in's exact code: its version within this version of the platform.
pub(crate) fn reference(interface: &Interface) -> FunctionRef {
    let digest = crypto::code::built_in(env!("CARGO_PKG_VERSION"), &interface.name, interface.version);
    FunctionRef { name: interface.name.clone().into_owned(), version: interface.version, digest: Digest::new(digest) }
}
