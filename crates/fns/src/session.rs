//! One run of one task, from its lease to its report.
//!
//! ```text
//! lease (tms) → records (tdfs) → keys (kms: all or none) → open inputs → begin (kms, where uses are counted) → run
//!   → settle: all of every input is what was declared → records (tdfs) → seal outputs → report
//! ```
//!
//! Beside the run the lease is renewed. The run ends early when its time is over, its caller is gone, its lease is
//! lost, or the node stops; whatever the end, it is reported, and when even that fails the lease lapses.

mod keys;

use std::future::Future;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use executor::{Failure, Function, Limits, Output, ResultRule, StopSignal, Stopped};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use types::consent::SignedStatement;
use types::file::{AllowPolicy, Format, PinnedFile, TaskFile};
use types::id::{FileId, LeaseId, RequestId};
use types::receipt::OutputStatement;
use types::secret::Secret;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tdfs_internal;
use types::wire::tdfs_internal::FileRecord;
use types::wire::tms_internal::{RenewLease, Response as TmsResponse, UpdateTask};

use self::keys::{Sealed, Unlocked};
use crate::Error;
use crate::agreed::NotAgreed;
use crate::code::{Callee, Codes, Pinned};
use crate::error::unexpected;
use crate::files::{
    self, Content, Declared, Input, Outputs, Place, Renew, Room, RunFiles, Sealing, SendError, Source, Store, Unsettled,
};
use crate::node::Fns;
use crate::places::Slot;
use crate::plan::Plan;
use crate::stated::{self, End, Stated};

/// Why a run ends when nobody waits for it any more.
pub(crate) const CALLER_GONE: &str = "the client disconnected before the task ended";

/// Why a run ends when the node does.
const NODE_STOPS: &str = "the function node was stopped";

/// How long a node may take to hear that a party withdrew.
const LONGEST_RENEWAL: Duration = Duration::from_millis(500);

/// Renewals within one lease period: two may be lost.
const RENEWALS: u32 = 3;

/// Attempts to report an end, before the lease is left to lapse.
const REPORTS: u32 = 5;

/// A leased task.
pub(crate) struct Session {
    node: Arc<Fns>,
    plan: Plan,
    lease: LeaseId,
    request_id: RequestId,
    deadline: Instant,
    stop: StopSignal,
    slot: Slot,
    stated: Stated,
}

/// What is to run.
enum Code {
    /// It can run.
    Here(Arc<dyn Function>),
    /// A user's code, which must be fetched.
    Elsewhere(Box<Pinned>, Arc<Codes>),
}

impl Code {
    /// The file that must be fetched.
    fn file(&self) -> Option<&PinnedFile> {
        match self {
            Code::Here(_) => None,
            Code::Elsewhere(pinned, _) => Some(&pinned.code.file),
        }
    }
}

/// What a run that succeeded leaves to be reported.
#[derive(Default)]
struct Done {
    result: String,
    private: Vec<TaskFile>,
    shared: Option<FileId>,
    made: Vec<OutputStatement>,
}

impl Session {
    /// Leases a task.
    ///
    /// # Errors
    /// When somebody else took it first, or the tms can't be asked.
    pub(crate) async fn lease(
        node: Arc<Fns>,
        plan: Plan,
        request_id: RequestId,
        stop: StopSignal,
        slot: Slot,
    ) -> Result<Self, Error> {
        let lease = LeaseId::from_random(crypto::random::bytes());
        let deadline = Instant::now() + plan.time_limit;
        let stated = Stated::begin(&plan, lease.clone(), UnixMillis::now());
        let session = Session { node, plan, lease, request_id, deadline, stop, slot, stated };
        match session.node.update(session.to(Status::Running)).await? {
            true => Ok(session),
            false => Err(session.not_leased().await),
        }
    }

    /// Why the tms gave no lease: somebody was faster, or this node is not one that the parties agreed on.
    async fn not_leased(&self) -> Error {
        let task = self.plan.task_id.clone();
        let minimum = self.plan.terms.as_ref().map(|terms| terms.minimum_trust);
        let measured = self.plan.terms.as_ref().and_then(|terms| terms.measurements) == self.node.settings.measurements;
        match (self.node.task(&task).await, minimum) {
            (Ok(found), Some(_)) if !found.task_info.status.is_final() && found.terms != self.plan.terms => {
                Error::NotAgreed { task, source: NotAgreed::Changed }
            }
            (Ok(found), Some(minimum)) if found.task_info.status == Status::Ready => match measured {
                true => Error::Trust(minimum),
                false => Error::NotAgreed { task, source: NotAgreed::OtherMeasurements },
            },
            (Ok(found), _) if found.task_info.status.is_final() => {
                Error::NotReady { task, status: found.task_info.status }
            }
            _ => Error::NotReady { task, status: Status::Running },
        }
    }

    /// Runs the task and reports how it ended.
    ///
    /// # Errors
    /// Why the task failed.
    pub(crate) async fn run(self, caller_gone: watch::Receiver<bool>) -> Result<String, Error> {
        let outcome = tokio::select! {
            outcome = self.within_time(self.work()) => outcome,
            () = raised(caller_gone) => Err(Error::Cancelled(CALLER_GONE.to_owned())),
            () = raised(self.node.stop_all.subscribe()) => Err(Error::Cancelled(NODE_STOPS.to_owned())),
            () = self.lose_lease() => Err(Error::LeaseLost),
        };
        if let Err(error) = &outcome {
            // A function that is still running on its thread notices, and its outputs are never looked at.
            self.stop.stop(error.to_string());
        }
        self.report(outcome).await
    }

    async fn within_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout_at(self.deadline, work).await {
            // The function's own clock began only when its inputs were there.
            Err(_) | Ok(Err(Error::Deadline(_))) => Err(Error::Deadline(self.plan.time_limit)),
            Ok(done) => done,
        }
    }

    async fn work(&self) -> Result<Done, Error> {
        let code = self.code().await?;
        let Unlocked { files, counted } = self.unlock(code.file()).await?;
        let mut files = files.into_iter();
        let function = match code {
            Code::Here(function) => function,
            Code::Elsewhere(pinned, codes) => {
                let sealed = files.next().ok_or_else(|| unexpected("fetch the code's key"))?;
                self.load(*pinned, codes, sealed).await?
            }
        };
        let mut inputs = Vec::with_capacity(self.plan.inputs.len());
        let mut room = Room::new(self.node.settings.file_bytes);
        for (input, sealed) in self.plan.inputs.iter().zip(files) {
            let opened;
            (opened, room) = self.open(input, sealed, room).await?;
            inputs.push(opened);
        }
        if counted {
            self.begin().await?;
        }
        let (result, outputs) = self.execute(function, inputs).await?;
        let mut done = Done { result, ..Done::default() };
        for (output, content) in outputs {
            let (file, made) = self.keep(output, content).await?;
            done.made.push(made);
            match output {
                Output::Shared => done.shared = Some(file.file_id),
                Output::Creator | Output::Owner(_) => done.private.push(file),
            }
        }
        if let (ResultRule::SharedFile, Some(file)) = (self.plan.function.interface().result, &done.shared) {
            done.result = file.to_string();
        }
        Ok(done)
    }

    /// What is to run: for a user's function, the pinned code, which must be fetched unless it ran here before.
    async fn code(&self) -> Result<Code, Error> {
        let (pinned, codes) = match (&self.plan.function, &self.node.codes) {
            (Callee::BuiltIn(function), _) => return Ok(Code::Here(function.clone())),
            (Callee::User(pinned), Some(codes)) => (pinned.clone(), codes.clone()),
            (Callee::User(pinned), None) => {
                return Err(Error::OtherVersion { wanted: pinned.interface.reference() });
            }
        };
        let found = self.blocking({
            let (pinned, codes) = (pinned.clone(), codes.clone());
            move || codes.find(&pinned)
        });
        match found.await? {
            Some(program) => Ok(Code::Here(Arc::new(program?))),
            None => {
                self.check_code(&pinned.code.file)?;
                Ok(Code::Elsewhere(pinned, codes))
            }
        }
    }

    fn check_code(&self, file: &PinnedFile) -> Result<(), Error> {
        match self.node.settings.code_bytes {
            limit if file.file_size > limit => {
                let reason = format!("code of at most {limit} bytes is taken");
                Err(Error::Input { file: file.file_id.clone(), reason })
            }
            _ => Ok(()),
        }
    }

    /// Fetches a user's code and makes it ready to run.
    async fn load(&self, pinned: Pinned, codes: Arc<Codes>, sealed: Sealed) -> Result<Arc<dyn Function>, Error> {
        let code = self.read_code(&pinned.code.file, sealed).await?;
        Ok(Arc::new(self.blocking(move || codes.load(&pinned, &code)).await??))
    }

    /// Reads a user's code: exactly the bytes that were pinned.
    async fn read_code(&self, file: &PinnedFile, sealed: Sealed) -> Result<Vec<u8>, Error> {
        let (mut input, _) = self.open(file, sealed, Room::new(self.node.settings.code_bytes)).await?;
        let (stop, id) = (self.stop.clone(), file.file_id.clone());
        self.blocking(move || {
            let mut code = Vec::new();
            let read = input.read().and_then(|mut from| from.read_to_end(&mut code));
            // What is wrong with the file says more than that it could not be read.
            input.settle(&|| stop.check()).map_err(|problem| Error::read(&id, problem))?;
            read.map_err(Error::io("read a function's code"))?;
            Ok(code)
        })
        .await?
    }

    fn limits(&self) -> Limits {
        let settings = &self.node.settings;
        let limits = Limits {
            wall: self.deadline.saturating_duration_since(Instant::now()),
            output_bytes: settings.output_bytes,
            whole_bytes: settings.file_bytes,
            memory: settings.memory_bytes,
            cpu: settings.cpu,
            outputs: settings.outputs,
            group: self.plan.terms.as_ref().and_then(|terms| terms.minimum_group),
            ..Limits::default()
        };
        match &self.plan.function {
            Callee::BuiltIn(_) => limits,
            Callee::User(pinned) => limits.lowered(&pinned.code.declaration.limits),
        }
    }

    /// Opens one input: exactly the bytes that were consented to.
    async fn open(&self, input: &PinnedFile, sealed: Sealed, mut room: Room) -> Result<(Input, Room), Error> {
        let Sealed { record, key } = sealed;
        let declared = Declared { size: input.file_size, sha256: input.sha256, format: record.format };
        let source = self.source(&input.file_id, record);
        let opened = self.blocking(move || (Input::open(source, &key, declared, &mut room), room)).await?;
        let (opened, room) = opened;
        Ok((opened.map_err(|problem| Error::read(&input.file_id, problem))?, room))
    }

    /// Where a file's ciphertext is: behind the URLs that the tdfs gave, else on the disk that both share.
    fn source(&self, file: &FileId, record: FileRecord) -> Source {
        let path = PathBuf::from(record.access_path);
        match record.download.is_empty() {
            true if path.is_absolute() => Source::Disk(path),
            true => Source::Nowhere,
            false => {
                let courier = self.node.services.courier.clone();
                let renew = renewal(self.node.clone(), file.clone());
                Source::Store(Arc::new(Store::new(courier, record.download, renew, self.stop.clone())))
            }
        }
    }

    /// Runs the function, and sees to it that its inputs are what was declared before anything of it is used.
    async fn execute(&self, function: Arc<dyn Function>, inputs: Vec<Input>) -> Result<(String, Outputs), Error> {
        let (payload, stop) = (self.plan.payload.clone(), self.stop.clone());
        let (time_limit, deadline) = (self.plan.time_limit, self.deadline);
        let limits = self.limits();
        let (spool, pinned) = (self.node.spool.clone(), self.plan.inputs.clone());
        self.blocking(move || {
            let mut files = RunFiles::new(inputs, spool);
            let payload = payload.as_ref().map(Secret::expose);
            let outcome = executor::run(&*function, payload, &mut files, &limits, &stop);
            let check = || match deadline.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Err(Stopped::Deadline(time_limit)),
                _ => stop.check(),
            };
            let outcome = match outcome {
                // The function was given what remained; people are told the task's limit.
                Err(Failure::Stopped(Stopped::Deadline(_))) => return Err(Error::Deadline(time_limit)),
                Err(stopped @ Failure::Stopped(_)) => return Err(stopped.into()),
                ended => ended,
            };
            let outputs = files.settle(&check).map_err(|unsettled| match unsettled {
                Unsettled::Input { input, source } => Error::read(&pinned[input].file_id, source),
                Unsettled::Spool(source) => Error::io("spool an output")(source),
            })?;
            Ok((outcome?.result, outputs))
        })
        .await?
    }

    /// Seals and stores one output for whoever is to have it.
    async fn keep(&self, output: Output, content: Content) -> Result<(TaskFile, OutputStatement), Error> {
        const OPERATION: &str = "declare an output";
        let (user_id, allow_policy) = self.recipient(output);
        let collaborator_list = match allow_policy {
            AllowPolicy::Owner => Vec::new(),
            AllowPolicy::Collaborators | AllowPolicy::Everyone => self.plan.collaborators.clone(),
        };
        let file_size = content.size();
        let recipients = std::iter::once(&user_id).chain(&collaborator_list).cloned().collect();
        let (content, sha256) = self
            .blocking(move || {
                let digest = content.sha256();
                (content, digest)
            })
            .await?;
        let format = if file_size > self.node.settings.single_bytes { Format::Chunked } else { Format::Single };
        let create = tdfs_internal::CreateOutput {
            sha256,
            file_size,
            user_id: user_id.clone(),
            task_id: self.plan.task_id.clone(),
            collaborator_list,
            allow_policy,
            format,
        };
        let created = match self.node.services.tdfs.call(create).await.map_err(Error::call(OPERATION))? {
            tdfs_internal::Response::Create(created) => created,
            _ => return Err(unexpected(OPERATION)),
        };
        let place = match (created.volume, created.upload_url) {
            (None, Some(url)) => Place::Store(url),
            _ => Place::Disk(created.access_path.into()),
        };
        self.bring(Sealing::new(content, format, created.key_config), place).await?;
        let made = OutputStatement { file_id: created.file_id.clone(), recipients, sha256, size: file_size };
        Ok((TaskFile { user_id, file_id: created.file_id }, made))
    }

    async fn bring(&self, output: Sealing, place: Place) -> Result<(), Error> {
        let stored = Error::io("store an output");
        match place {
            Place::Disk(path) => self.blocking(move || output.store(&path)).await?.map_err(stored),
            Place::Store(url) => {
                let sealed = self.blocking(move || output.prepare()).await?.map_err(stored)?;
                match files::send(&self.node.services.courier, sealed, &url, self.slot.clone()).await {
                    Ok(()) => Ok(()),
                    Err(SendError::Seal(source)) => Err(Error::io("seal an output")(source)),
                    Err(SendError::Store(source)) => Err(Error::Store { operation: "store an output", source }),
                }
            }
        }
    }

    fn recipient(&self, output: Output) -> (UserId, AllowPolicy) {
        match output {
            Output::Creator => (self.plan.creator.clone(), AllowPolicy::Owner),
            Output::Shared => (self.plan.creator.clone(), AllowPolicy::Collaborators),
            Output::Owner(input) => (self.plan.inputs[input].user_id.clone(), AllowPolicy::Owner),
        }
    }

    /// Does blocking work on a thread of its own, which keeps the session's place until it is done.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let slot = self.slot.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        done.await.map_err(|error| Error::Io { operation: "work for the task", source: std::io::Error::other(error) })
    }

    /// Renews the lease for as long as it lasts.
    async fn lose_lease(&self) {
        let period = self.node.settings.lease;
        let mut renewed = Instant::now();
        while renewed.elapsed() < period {
            sleep((period / RENEWALS).min(LONGEST_RENEWAL)).await;
            let renew = RenewLease { task_id: self.plan.task_id.clone(), lease_id: self.lease.clone() };
            match self.node.services.tms.call(renew).await {
                Ok(TmsResponse::Renew(answer)) if answer.success => renewed = Instant::now(),
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "a lease can't be renewed just now"),
            }
        }
    }

    /// Reports the end to the tms, and hands it to the caller.
    async fn report(&self, outcome: Result<Done, Error>) -> Result<String, Error> {
        stated::keep_fresh(&self.node.statements).await;
        let (update, result) = match outcome {
            Ok(Done { result, private, shared, made }) => {
                let update = self.to(Status::Finished);
                let run = self.state(&End::Finished(&result, &made));
                (UpdateTask { output_files: private, task_result_file_id: shared, run, ..update }, Ok(result))
            }
            Err(error) => {
                let reason = error.reason(&self.request_id);
                let run = self.state(&End::Failed(&reason));
                (UpdateTask { error: Some(reason), run, ..self.to(Status::Failed) }, Err(error))
            }
        };
        match self.send_report(update).await {
            Ok(true) => result,
            Ok(false) => result.and(Err(Error::LeaseLost)),
            Err(error) => result.and(Err(error)),
        }
    }

    /// What the node states about the run.
    fn state(&self, end: &End<'_>) -> Option<SignedStatement> {
        self.stated.end(&self.plan, end, &self.node.statements, UnixMillis::now())
    }

    async fn send_report(&self, update: UpdateTask) -> Result<bool, Error> {
        let mut wait = Duration::from_millis(100);
        for _ in 1..REPORTS {
            match self.node.update(update.clone()).await {
                Err(error) => tracing::warn!(%error, "the end of a task can't be reported just now"),
                applied => return applied,
            }
            sleep(wait).await;
            wait *= 2;
        }
        self.node.update(update).await
    }

    fn to(&self, status: Status) -> UpdateTask {
        UpdateTask {
            task_id: self.plan.task_id.clone(),
            task_result_file_id: None,
            output_files: Vec::new(),
            status: Some(status),
            lease_id: Some(self.lease.clone()),
            node: Some(self.node.settings.node).filter(|_| status == Status::Running),
            manifest_sha256: self.stated.manifest().filter(|_| status == Status::Running),
            error: None,
            run: None,
        }
    }
}

async fn record(node: &Fns, file: &FileId) -> Result<FileRecord, Error> {
    const OPERATION: &str = "read an input's record";
    match node.services.tdfs.call(tdfs_internal::GetRecord { file_id: file.clone() }).await {
        Ok(tdfs_internal::Response::Get(found)) => Ok(found.file_info),
        Ok(_) => Err(unexpected(OPERATION)),
        Err(error) if error.is_not_found() => {
            Err(Error::Input { file: file.clone(), reason: "it does not exist any more".to_owned() })
        }
        Err(source) => Err(Error::Call { operation: OPERATION, source }),
    }
}

/// Asks the tdfs for URLs anew.
fn renewal(node: Arc<Fns>, file: FileId) -> Renew {
    Box::new(move || {
        let (node, file) = (node.clone(), file.clone());
        Box::pin(async move { record(&node, &file).await.map(|record| record.download).unwrap_or_default() })
    })
}

/// Returns once a flag is raised; never, when whoever could raise it is done.
async fn raised(mut flag: watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        std::future::pending().await
    }
}
