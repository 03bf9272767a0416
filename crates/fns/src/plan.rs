//! What is checked before a task is leased: whatever is wrong here leaves the task as it was.

use std::time::Duration;

use executor::PayloadRule;
use types::consent::TaskManifest;
use types::file::PinnedFile;
use types::function::{Code, FunctionRef, Named};
use types::id::{FileId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::fns::Request;
use types::wire::tdfs_internal;
use types::wire::tms_internal::{FoundTask, GetTask, Response as TmsResponse};

use crate::code::{Callee, Pinned};
use crate::error::unexpected;
use crate::node::{Fns, Settings, reference};
use crate::{Error, agreed};

/// What is to run: a task that was checked, before it is leased.
pub(crate) struct Plan {
    pub(crate) task_id: TaskId,
    pub(crate) function: Callee,
    pub(crate) payload: Option<Secret>,
    /// The payload as it came, also where it named an input.
    pub(crate) given: Option<Secret>,
    /// What the parties agreed on; older services do not say.
    pub(crate) terms: Option<TaskManifest>,
    pub(crate) inputs: Vec<PinnedFile>,
    /// Whether the input is none of the task's, but one that its invocation names.
    pub(crate) named: bool,
    pub(crate) creator: UserId,
    pub(crate) collaborators: Vec<UserId>,
    pub(crate) time_limit: Duration,
}

/// What a built-in takes beside each byte of its inputs, at most: numbers are longer in memory than in a table.
const BYTES_PER_INPUT_BYTE: u64 = 8;

impl Plan {
    /// What the run may take, in bytes. A user's code can take all that it is allowed; a built-in keeps what it reads.
    pub(crate) fn memory(&self, settings: &Settings) -> u64 {
        match &self.function {
            Callee::User(pinned) => {
                pinned.code.declaration.limits.memory_bytes.unwrap_or(u64::MAX).min(settings.memory_bytes)
            }
            Callee::BuiltIn(_) => {
                let inputs = self.inputs.iter().fold(0_u64, |sum, input| sum.saturating_add(input.file_size));
                inputs.saturating_mul(BYTES_PER_INPUT_BYTE).min(settings.memory_bytes)
            }
        }
    }
}

impl Fns {
    /// Checks all that can be checked without touching the task.
    pub(crate) async fn check(&self, request: Request) -> Result<Plan, Error> {
        let FoundTask { task_info: task, manifest, terms } = self.task(&request.task_id).await?;
        if task.task_token != request.task_token {
            return Err(Error::WrongToken);
        }
        let manifest = manifest.ok_or_else(|| unexpected("read the task"))?;
        if !Named::parse(&request.function_name).is_some_and(|named| named.admits(&manifest.function)) {
            return Err(Error::OtherFunction { task: request.task_id, function: task.function_name });
        }
        if task.status != Status::Ready {
            return Err(Error::NotReady { task: request.task_id, status: task.status });
        }
        let function = self.function(&manifest.function, manifest.code)?;
        let mut plan = Plan {
            task_id: request.task_id,
            function,
            given: request.payload.clone(),
            payload: request.payload,
            terms,
            inputs: manifest.inputs,
            named: false,
            creator: task.user_id,
            collaborators: task.collaborator_list.into_iter().map(|collaborator| collaborator.user_id).collect(),
            time_limit: Duration::from_millis(manifest.time_limit_ms),
        };
        self.resolve_named_input(&mut plan).await?;
        let payload = plan.payload.as_ref().map(Secret::expose);
        plan.function.interface().check(payload, plan.inputs.len())?;
        let agreed = plan.terms.as_ref().map(|terms| agreed::check(terms, plan.given.as_ref(), UnixMillis::now()));
        agreed.transpose().map_err(|source| Error::NotAgreed { task: plan.task_id.clone(), source })?;
        Ok(plan)
    }

    pub(crate) async fn task(&self, id: &TaskId) -> Result<FoundTask, Error> {
        match self.services.tms.call(GetTask { task_id: id.clone() }).await {
            Ok(TmsResponse::Get(found)) => Ok(found),
            Ok(_) => Err(unexpected("read the task")),
            Err(error) if error.is_not_found() => Err(Error::NoSuchTask(id.clone())),
            Err(source) => Err(Error::Call { operation: "read the task", source }),
        }
    }

    /// The very code that the parties agreed on.
    fn function(&self, wanted: &FunctionRef, code: Option<Code>) -> Result<Callee, Error> {
        let other = || Error::OtherVersion { wanted: format!("{}@{}", wanted.name, wanted.version) };
        match code {
            None => {
                let found = self.registry.get(&format!("{}@{}", wanted.name, wanted.version));
                let exact = found.filter(|function| reference(function.interface()) == *wanted);
                Ok(Callee::BuiltIn(exact.ok_or_else(other)?.clone()))
            }
            Some(code) => {
                let suits = self.codes.as_ref().is_some_and(|codes| codes.suits(wanted, &code));
                if suits { Ok(Callee::User(Box::new(Pinned::new(wanted, code)))) } else { Err(other()) }
            }
        }
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
        plan.named = true;
        Ok(())
    }

    async fn readable_by_creator(&self, id: &str, creator: &UserId) -> Result<PinnedFile, Error> {
        let file_id: FileId = id.parse().map_err(|_| Error::NoSuchInput)?;
        let record = match self.services.tdfs.call(tdfs_internal::GetRecord { file_id: file_id.clone() }).await {
            Ok(tdfs_internal::Response::Get(found)) => found.file_info,
            Ok(_) => return Err(unexpected("read a file's record")),
            Err(error) if error.is_not_found() => return Err(Error::NoSuchInput),
            Err(source) => return Err(Error::Call { operation: "read a file's record", source }),
        };
        if !record.may_be_read_by(creator) {
            return Err(Error::NoSuchInput);
        }
        Ok(PinnedFile {
            user_id: creator.clone(),
            file_id,
            sha256: record.sha256,
            file_size: record.file_size,
            from_task: record.task_id,
        })
    }
}
