//! A user's verbs for the log. Nothing of it is believed that does not extend what was seen before.

mod memory;

use std::collections::BTreeSet;
use std::time::Duration;

use consent::log::chain::Walk;
use consent::log::checkpoint::Checkpoint;
use consent::log::reader::{self, Remembered, Suspicion};
use consent::statement::{self, NotBelieved};
use serde::Serialize;
use types::consent::Signer;
use types::id::TaskId;
use types::service::Role;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::{Request, Response};
use types::wire::tms_log::{GetCheckpoint, ListLog, LogHead, LogPage, ProveLog, ProvenEntry};

use crate::{RequestError, Teehouse};

pub(crate) use memory::Memory;
pub use memory::MemoryError;

/// How old the evidence for the key that signs checkpoints may be. The tms renews it every day.
const EVIDENCE_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How far the clocks of client and tms may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The log can't be read, or is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No answer.
    #[error("the log can't be read")]
    Request(#[from] RequestError),
    /// The server shows another history than it did before, or one that is not whole.
    #[error("the server shows another history: the log is forked, cut or rolled back")]
    History(#[source] Suspicion),
    /// Whoever signs the log is not accepted.
    #[error("what signs the log is not to be trusted")]
    Signer(#[source] NotBelieved),
    /// The evidence for who signs the log is too old, or from the future.
    #[error("the evidence for what signs the log is not of these days")]
    Stale,
    /// What is remembered can't be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl LogError {
    /// The request behind it that brought no answer, if there is one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            LogError::Request(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the server, rather than the way to it, is what can't be relied on.
    pub fn is_untrusted(&self) -> bool {
        matches!(self, LogError::History(_) | LogError::Signer(_) | LogError::Stale)
    }

    /// What to do about it, where there is something to be done.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            LogError::Request(error) => return error.help(),
            LogError::History(_) => {
                "an older copy of the server's store was put back, or somebody is shown something else than you; keep \
                 the log folder of your state directory, which proves what you were shown, and ask the operator"
            }
            LogError::Signer(_) => {
                "ask the server's operator for the deployment's trust folder; do not go on without it"
            }
            LogError::Stale => {
                "check this machine's clock; if it is right, ask the operator why the tms does not attest"
            }
            LogError::Memory(_) => {
                "this file proves what the server showed before: put a copy of it back if you have one"
            }
        };
        Some(text.to_owned())
    }
}

/// An entry of the log whose inclusion was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: UnixMillis,
    /// Whom it concerns.
    pub concerns: Vec<UserId>,
    /// What happened, as `types::log::Event` writes it; later versions have more kinds.
    pub event: serde_json::Value,
}

impl Teehouse {
    /// The log's checkpoint, which is remembered from now on.
    ///
    /// # Errors
    /// When the log can't be read or does not extend what was seen before.
    pub async fn log_checkpoint(&self) -> Result<Checkpoint, LogError> {
        let before = self.log.load(self.deployment())?;
        let request = GetCheckpoint { from: size(&before), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_log(request).await? {
            Response::GetCheckpoint(found) => self.accept(before.as_ref(), &found.head),
            _ => Err(unexpected()),
        }
    }

    /// The newest checkpoint that was believed until now, without asking the server.
    ///
    /// # Errors
    /// When what is remembered can't be read.
    pub fn log_remembered(&self) -> Result<Option<Checkpoint>, LogError> {
        Ok(self.log.load(self.deployment())?.map(|remembered| remembered.checkpoint))
    }

    /// One entry that concerns the caller.
    ///
    /// # Errors
    /// When there is none, the log can't be read, or does not extend what was seen before.
    pub async fn log_entry(&self, index: u64) -> Result<LogEntry, LogError> {
        let before = self.log.load(self.deployment())?;
        let request =
            ProveLog { index, from: size(&before), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_log(request).await? {
            Response::ProveLog(found) if found.entry.index == index => {
                let checkpoint = self.accept(before.as_ref(), &found.head)?;
                Ok(read(&checkpoint, &found.entry, None)?)
            }
            _ => Err(unexpected()),
        }
    }

    /// A reader of the entries that concern the caller, or of those about one task, from the first on.
    pub fn log_reader(&self, task: Option<TaskId>) -> LogReader<'_> {
        LogReader { teehouse: self, walk: Walk::new(self.user.clone()), task, last: None, seen: BTreeSet::new() }
    }

    async fn ask_log(&self, request: impl Into<Request>) -> Result<Response, LogError> {
        let answer = self.tms.call(request.into()).await;
        answer.map_err(|error| LogError::Request(error.into()))
    }

    /// Believes a head if it extends what was remembered when it was asked for, and remembers it.
    fn accept(&self, before: Option<&Remembered>, head: &LogHead) -> Result<Checkpoint, LogError> {
        let deployment = self.deployment();
        let accepted = reader::accept(before, deployment, head).map_err(LogError::History)?;
        self.appraise(&head.signer, UnixMillis::now())?;
        self.log.keep(deployment, head, &accepted)?;
        Ok(accepted.checkpoint)
    }

    fn appraise(&self, signer: &Signer, now: UnixMillis) -> Result<(), LogError> {
        let recent = signer.at_ms.until(now) <= EVIDENCE_AGE && now.until(signer.at_ms) <= CLOCK_SKEW;
        let appraised = self.trust.appraise_with(|verifier| statement::appraise(signer, verifier, Role::Tms));
        appraised.map_err(LogError::Signer)?;
        if recent { Ok(()) } else { Err(LogError::Stale) }
    }
}

fn size(remembered: &Option<Remembered>) -> Option<u64> {
    remembered.as_ref().map(|remembered| remembered.checkpoint.size)
}

fn unexpected() -> LogError {
    LogError::Request(rpc::CallError::unexpected().into())
}

fn read(checkpoint: &Checkpoint, proven: &ProvenEntry, walk: Option<&mut Walk>) -> Result<LogEntry, LogError> {
    let entry = reader::included(checkpoint, proven).map_err(LogError::History)?;
    if let Some(walk) = walk {
        let index = proven.index;
        walk.step(&entry, &proven.entry.0).map_err(|source| LogError::History(Suspicion::Chain { index, source }))?;
    }
    let concerns = entry.concerns.into_iter().map(|concern| concern.user_id).collect();
    Ok(LogEntry { index: proven.index, at_ms: entry.at_ms, concerns, event: entry.event })
}

/// Reads a user's entries in their order, and notices any that is missing.
#[derive(Debug)]
pub struct LogReader<'a> {
    teehouse: &'a Teehouse,
    task: Option<TaskId>,
    walk: Walk,
    last: Option<u64>,
    /// The indices that were read.
    seen: BTreeSet<u64>,
}

impl LogReader<'_> {
    /// The entries that come next; none when there are no more yet.
    ///
    /// # Errors
    /// When the log can't be read, does not extend what was seen before, or leaves out an entry.
    pub async fn next(&mut self) -> Result<Vec<LogEntry>, LogError> {
        loop {
            let before = self.teehouse.log.load(self.teehouse.deployment())?;
            let LogPage { head, list, next_cursor } = self.page(size(&before)).await?;
            let checkpoint = self.teehouse.accept(before.as_ref(), &head)?;
            let entries = list.iter().map(|proven| self.take(&checkpoint, proven)).collect::<Result<Vec<_>, _>>()?;
            let next = next_cursor.map(|cursor| cursor.parse::<u64>().map_err(|_| unexpected())).transpose()?;
            if let Some(next) = next {
                // A page that leads nowhere would be asked for again and again.
                if self.last.is_some_and(|last| next < last) || entries.is_empty() && self.last == Some(next) {
                    return Err(unexpected());
                }
                self.last = Some(next);
            }
            match (entries.is_empty(), next) {
                (true, Some(_)) => {}
                (true, None) => return self.complete().map(|()| entries),
                (false, _) => return Ok(entries),
            }
        }
    }

    /// All the entries from here to the end of the log.
    ///
    /// # Errors
    /// As [`LogReader::next`].
    pub async fn rest(&mut self) -> Result<Vec<LogEntry>, LogError> {
        let mut all = Vec::new();
        loop {
            match self.next().await? {
                entries if entries.is_empty() => return Ok(all),
                entries => all.extend(entries),
            }
        }
    }

    async fn page(&self, from: Option<u64>) -> Result<LogPage, LogError> {
        let Teehouse { user, token, .. } = self.teehouse;
        let request = ListLog {
            limit: None,
            cursor: self.last.map(|last| last.to_string()),
            task_id: self.task.clone(),
            from,
            user_id: user.clone(),
            user_token: token.clone(),
        };
        match self.teehouse.ask_log(request).await? {
            Response::ListLog(page) => Ok(page),
            _ => Err(unexpected()),
        }
    }

    fn take(&mut self, checkpoint: &Checkpoint, proven: &ProvenEntry) -> Result<LogEntry, LogError> {
        if self.last.is_some_and(|last| proven.index <= last) {
            return Err(LogError::History(Suspicion::Order(proven.index)));
        }
        // The entries about one task are not all of the user's, so that gaps between them mean nothing.
        let walk = self.task.is_none().then_some(&mut self.walk);
        let entry = read(checkpoint, proven, walk)?;
        self.last = Some(proven.index);
        self.seen.insert(proven.index);
        Ok(entry)
    }

    /// At the end of a whole reading: what was the last entry at an earlier one must have come along.
    fn complete(&self) -> Result<(), LogError> {
        let Teehouse { user, log, .. } = self.teehouse;
        if self.task.is_some() {
            return Ok(());
        }
        let deployment = self.teehouse.deployment();
        if let Some(before) = log.last_seen(deployment, user)?.filter(|before| !self.seen.contains(before)) {
            return Err(LogError::History(Suspicion::Gone(before)));
        }
        match self.seen.last() {
            Some(last) => Ok(log.keep_seen(deployment, user, *last)?),
            None => Ok(()),
        }
    }
}
