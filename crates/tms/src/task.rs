//! A task's record, and every change to it as a pure function.

mod agreed;

use std::net::SocketAddr;

use consent::agreement::Agreement;

use serde::{Deserialize, Serialize};
use types::consent::SignedStatement;
use types::digest::Digest;
use types::error::FailureReason;
use types::file::{PinnedFile, TaskFile};
use types::function::{Code, FunctionInfo, FunctionRef, FunctionType};
use types::id::{FileId, LeaseId, TaskId};
use types::secret::Secret;
use types::task::{Event, Status};
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;
use types::wire::tms_external::{CollaboratorStatus, TaskTerms};
use types::wire::tms_internal::{Manifest, UpdateTask};

use crate::Error;
use crate::parties::Parties;

pub(crate) use agreed::{Asked, Terms, check_terms};

/// One task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Who created it.
    pub creator: UserId,
    /// The other parties, and whether they approved.
    pub collaborators: Vec<CollaboratorStatus>,
    /// The exact code that was chosen when it was created.
    pub function: FunctionRef,
    /// Where that code is, if it is a user's.
    #[serde(default)]
    pub code: Option<Code>,
    /// How many parties the function serves.
    pub function_type: FunctionType,
    /// What the function demands of the parties' files.
    pub rules: FileRules,
    /// What else was agreed on; none of a task that was created before there were terms.
    #[serde(default)]
    terms: Option<Terms>,
    /// What identifies what parties agree on as it stands; none of a task of before this was kept that nobody changed since.
    #[serde(default)]
    identified: Option<Digest>,
    /// Who approved what; none of a task that was created before approvals were kept.
    #[serde(default)]
    agreement: Option<Agreement>,
    /// Where it stands. Only this module assigns it.
    status: Status,
    /// What an invocation must show.
    pub token: Secret,
    /// The function node that runs it.
    pub node: SocketAddr,
    /// The inputs and their declared bytes, in the order in which they were given.
    pub inputs: Vec<PinnedFile>,
    /// The outputs for single parties.
    pub outputs: Vec<TaskFile>,
    /// The output for all participants.
    pub result_file: Option<FileId>,
    /// Why it failed.
    pub error: Option<FailureReason>,
    /// Who runs it now.
    pub lease: Option<Lease>,
    /// The lease under which it ended, for a report that is sent again because its answer was lost.
    #[serde(default)]
    pub ended_under: Option<LeaseId>,
    /// How long it may run once it is leased.
    pub time_limit_ms: u64,
    /// When it was created.
    pub created: UnixMillis,
    /// Its run, once there was one.
    #[serde(default)]
    pub run: Option<Run>,
    /// Where the log has its end.
    #[serde(default)]
    pub(crate) logged: Option<u64>,
    /// How consent to it was taken back, if it was.
    #[serde(default)]
    pub withdrawn: Option<Withdrawn>,
}

/// Who took back consent, and from what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Who.
    pub by: UserId,
    /// Where the task stood.
    pub before: Status,
    /// When.
    pub at: UnixMillis,
}

/// What is known of a task's run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The lease under which it ran.
    pub lease: Option<LeaseId>,
    /// The node, where it said.
    pub node: Option<SocketAddr>,
    /// How far the node's platform is to be trusted.
    pub trust: TrustLevel,
    /// When it began.
    pub started: UnixMillis,
    /// When it ended.
    pub ended: Option<UnixMillis>,
    /// The node's own statement of it.
    pub statement: Option<SignedStatement>,
}

/// A function node's hold on a running task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its name, where the node gave one; without one the node is not asked to renew it.
    pub id: Option<LeaseId>,
    /// The node, where it said.
    pub node: Option<SocketAddr>,
    /// When it was taken.
    pub since: UnixMillis,
}

/// What a function demands of the parties' files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRules {
    /// The fewest files in all.
    pub min: usize,
    /// The most in all.
    pub max: Option<usize>,
    /// Whether every party brings at least one.
    pub from_every_party: bool,
}

impl From<&FunctionInfo> for FileRules {
    fn from(info: &FunctionInfo) -> Self {
        FileRules { min: info.min_files, max: info.max_files, from_every_party: info.from_every_party }
    }
}

impl FileRules {
    /// Whether a party may bring so many files, with so many there already, of them so many of this party's, and so many
    /// parties that are still to bring theirs; with `last`, when nothing can come after them.
    fn check(
        &self,
        brings: usize,
        (before, own): (usize, usize),
        (parties_to_come, last): (usize, bool),
    ) -> Result<(), Error> {
        if self.from_every_party && brings + own == 0 {
            return Err(Error::field("files", "the function needs a file from every party"));
        }
        let total = before + brings;
        let reserved = if self.from_every_party { parties_to_come } else { 0 };
        if let Some(max) = self.max.filter(|max| total + reserved > *max) {
            return Err(Error::field("files", format!("the function takes at most {max} files from all parties")));
        }
        if last && total < self.min {
            return Err(Error::field("files", format!("the function needs {} files, not {total}", self.min)));
        }
        Ok(())
    }
}

/// What a new task is made of.
pub(crate) struct NewTask<'a> {
    pub(crate) creator: UserId,
    pub(crate) function: &'a FunctionInfo,
    pub(crate) code: Option<Code>,
    pub(crate) node: SocketAddr,
    pub(crate) collaborators: Vec<UserId>,
    pub(crate) token: Secret,
    pub(crate) time_limit_ms: u64,
    pub(crate) terms: TaskTerms,
    pub(crate) measurements: Option<Digest>,
    /// Whether the creator approves nothing by a token alone.
    pub(crate) signs: bool,
    pub(crate) now: UnixMillis,
}

/// Checks the shape of a new task: parties and numbers of files.
pub(crate) fn check_new(
    info: &FunctionInfo,
    creator: &UserId,
    collaborators: &[UserId],
    files: usize,
) -> Result<(), Error> {
    let function_type = info.function_type.with_collaborators(collaborators.len());
    if function_type == FunctionType::Multiparty && collaborators.is_empty() {
        let rule = format!("{} is for several parties and needs at least one collaborator", info.function.name);
        return Err(Error::field("collaborator_list", rule));
    }
    if collaborators.contains(creator) {
        return Err(Error::field("collaborator_list", "the creator takes part anyway"));
    }
    if let Some(twice) = collaborators.iter().enumerate().find(|(at, user)| collaborators[..*at].contains(user)) {
        return Err(Error::field("collaborator_list", format!("{} is named twice", twice.1)));
    }
    let parties_to_come = if function_type == FunctionType::Multiparty { collaborators.len() } else { 0 };
    FileRules::from(info).check(files, (0, 0), (parties_to_come, parties_to_come == 0))
}

impl Task {
    /// A new task; its shape was checked.
    ///
    /// # Errors
    /// When a number in its terms is larger than all readers of a manifest take it for.
    pub(crate) fn new(id: &TaskId, new: NewTask<'_>, inputs: Vec<PinnedFile>) -> Result<Self, Error> {
        let function_type = new.function.function_type.with_collaborators(new.collaborators.len());
        let (terms, signs) = (Terms::new(&new, function_type), new.signs);
        let asked_ms = new.terms.time_ms.unwrap_or(u64::MAX);
        let wall_ms = new.code.as_ref().and_then(|code| code.declaration.limits.wall_ms).unwrap_or(u64::MAX);
        let unapproved = |user_id| CollaboratorStatus { user_id, approved: false };
        let mut task = Task {
            creator: new.creator,
            collaborators: new.collaborators.into_iter().map(unapproved).collect(),
            function: new.function.function.clone(),
            code: new.code,
            function_type,
            rules: FileRules::from(new.function),
            terms: Some(terms),
            identified: None,
            agreement: None,
            status: Status::initial(true),
            token: new.token,
            node: new.node,
            inputs,
            outputs: Vec::new(),
            result_file: None,
            error: None,
            lease: None,
            ended_under: None,
            time_limit_ms: new.time_limit_ms.min(wall_ms).min(asked_ms),
            created: new.now,
            run: None,
            logged: None,
            withdrawn: None,
        };
        task.approve_by_creating(id, signs)?;
        Ok(task)
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether it reads files or made some.
    pub(crate) fn has_files(&self) -> bool {
        !self.inputs.is_empty() || !self.outputs.is_empty() || self.result_file.is_some()
    }

    /// Everyone who takes part.
    pub(crate) fn participants(&self) -> impl Iterator<Item = &UserId> {
        std::iter::once(&self.creator).chain(self.collaborators.iter().map(|collaborator| &collaborator.user_id))
    }

    /// The exact code and bytes that were consented to.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            function: self.function.clone(),
            code: self.code.clone(),
            inputs: self.inputs.clone(),
            time_limit_ms: self.time_limit_ms,
        }
    }

    /// The task after a function node's update, or `None` when the task does not allow it.
    /// `trust` is how far the node's platform is to be trusted.
    pub(crate) fn update(mut self, update: &UpdateTask, trust: TrustLevel, now: UnixMillis) -> Option<Self> {
        match update.status {
            None if self.status.is_final() || !self.leased_to(update) => return None,
            None => {}
            Some(Status::Running) => {
                self.status = self.status.after(Event::Leased).ok()?;
                let stale =
                    update.manifest_sha256.is_some_and(|named| self.digest(&update.task_id).ok() != Some(named));
                if stale || self.not_now(now).is_some() || trust < self.minimum_trust() {
                    return None;
                }
                let (lease, node) = (update.lease_id.clone(), update.node);
                self.run = Some(Run { lease, node, trust, started: now, ended: None, statement: None });
                self.lease = Some(Lease { id: update.lease_id.clone(), node: update.node, since: now });
            }
            Some(end @ (Status::Finished | Status::Failed)) => {
                let event = if end == Status::Finished { Event::Succeeded } else { Event::Broke };
                self.status = self.status.after(event).ok().filter(|_| self.leased_to(update))?;
                self.ended_under = self.lease.take().and_then(|lease| lease.id);
                self.error = update.error.clone().filter(|_| end == Status::Failed);
                if let Some(run) = &mut self.run {
                    (run.ended, run.statement) = (Some(now), update.run.clone());
                }
            }
            Some(Status::Created | Status::Ready) => return None,
        }
        self.outputs.extend(update.output_files.iter().cloned());
        self.result_file = update.task_result_file_id.clone().or(self.result_file);
        self.leave_no_results();
        Some(self)
    }

    /// A task that failed lists no results, whatever was reported of it before: the tdfs removes what a task does not list.
    fn leave_no_results(&mut self) {
        if self.status == Status::Failed {
            (self.outputs, self.result_file) = (Vec::new(), None);
        }
    }

    /// Whether an update shows the lease that the task is under. A task that is under none asks for none.
    fn leased_to(&self, update: &UpdateTask) -> bool {
        self.lease.as_ref().and_then(|lease| lease.id.as_ref()) == update.lease_id.as_ref()
    }

    /// Whether an update reports once more how the task ended. Nothing is left to be done about it.
    pub(crate) fn is_repeated(&self, update: &UpdateTask) -> bool {
        self.status.is_final()
            && update.status == Some(self.status)
            && update.lease_id.is_some()
            && update.lease_id == self.ended_under
    }

    /// The task after its lease was lost, or `None` when it is not under this lease.
    pub(crate) fn lose_lease(mut self, lease: &Lease, reason: FailureReason, now: UnixMillis) -> Option<Self> {
        if self.lease.as_ref() != Some(lease) {
            return None;
        }
        self.status = self.status.after(Event::LeaseLost).ok()?;
        self.lease = None;
        self.error = Some(reason);
        self.run.iter_mut().for_each(|run| run.ended = Some(now));
        self.leave_no_results();
        Some(self)
    }
}

impl Parties for Task {
    fn creator(&self) -> &UserId {
        &self.creator
    }

    fn is_collaborator(&self, user: &UserId) -> bool {
        self.collaborators.iter().any(|collaborator| collaborator.user_id == *user)
    }

    fn asks_creator(&self) -> bool {
        let lacks = |agreement: &Agreement| agreement.of(&self.creator).is_none();
        self.agreement.as_ref().is_some_and(lacks)
    }

    fn has_collaborators_agree(&self) -> bool {
        self.function_type != FunctionType::Single
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
