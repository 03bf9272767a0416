//! What the log is asked: its head, what concerns a user, and to take events.

use std::sync::Arc;

use consent::log::checkpoint::Checkpoint;
use consent::signing::Statements;
use store::{Store, StoreError};
use types::digest::Digest;
use types::log::Event;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_log::{FoundEntry, ListLog, LogHead, LogPage, ProvenEntry};

use super::{Head, Pending, append, read};
use crate::{Error, Tms};

/// Entries on one page: each comes with a proof of up to 50 hashes.
const PAGE: u32 = 100;

/// The log over the tms's store.
#[derive(Clone, Debug)]
pub struct Log {
    store: Store,
    statements: Arc<Statements>,
}

impl Tms {
    /// Its log.
    pub(crate) fn log(&self) -> Log {
        Log { store: self.store.clone(), statements: self.statements.clone() }
    }
}

impl Log {
    /// The log in a store, whose checkpoints are signed by this key.
    pub fn new(store: Store, statements: Arc<Statements>) -> Self {
        Log { store, statements }
    }

    /// Adds events in one commit, each for those whom it concerns.
    ///
    /// # Errors
    /// When the store fails or its log was tampered with.
    pub async fn append(&self, now: UnixMillis, events: Vec<(Vec<UserId>, Event)>) -> Result<(), Error> {
        let pending: Vec<_> = events.into_iter().map(|(concerns, event)| Pending::new(now, concerns, event)).collect();
        let write = self.store.write(move |tx| pending.iter().try_for_each(|pending| append(tx, pending).map(|_| ())));
        write.await.map_err(|error: StoreError| error.into())
    }

    /// Its head, with a proof that it extends its first `from` entries.
    ///
    /// # Errors
    /// When the store fails or the log's records do not fit its root.
    pub async fn head(&self, from: Option<u64>) -> Result<LogHead, Error> {
        let read = self.store.read(move |snapshot| {
            let head = read::head(snapshot)?;
            let consistency = extends(snapshot, &head, from)?;
            Ok::<_, Error>((head, consistency))
        });
        let (head, consistency) = read.await?;
        Ok(self.signed(&head, consistency))
    }

    /// One page of the entries that concern a user.
    ///
    /// # Errors
    /// As [`Log::head`], and when limit or cursor are out of range.
    pub async fn list(&self, user: UserId, list: ListLog) -> Result<LogPage, Error> {
        let ListLog { limit, cursor, task_id, from, .. } = list;
        let limit = match limit.unwrap_or(PAGE) {
            limit if (1..=PAGE).contains(&limit) => limit as usize,
            _ => return Err(Error::field("limit", format!("must be 1 to {PAGE}"))),
        };
        let bad = |_| Error::field("cursor", "must be a `next_cursor` of an earlier answer");
        let after = cursor.map(|cursor| cursor.parse().map_err(bad)).transpose()?;
        let read = self.store.read(move |snapshot| {
            let head = read::head(snapshot)?;
            let (found, next) = read::concerning(snapshot, &user, task_id.as_ref(), after, limit)?;
            let list = found.into_iter().map(|index| read::proven(snapshot, &head, index)).collect::<Result<_, _>>()?;
            let consistency = extends(snapshot, &head, from)?;
            Ok::<_, Error>((head, consistency, list, next))
        });
        let (head, consistency, list, next) = read.await?;
        let next_cursor = next.map(|index: u64| index.to_string());
        Ok(LogPage { head: self.signed(&head, consistency), list, next_cursor })
    }

    /// One entry that concerns a user.
    ///
    /// # Errors
    /// As [`Log::head`]. To everyone else an entry does not exist, be there one or not.
    pub async fn entry(&self, user: UserId, index: u64, from: Option<u64>) -> Result<FoundEntry, Error> {
        let read = self.store.read(move |snapshot| {
            if !read::concerns(snapshot, &user, index)? {
                return Err(Error::NoSuchEntry(index));
            }
            let head = read::head(snapshot)?;
            let (entry, consistency) = (read::proven(snapshot, &head, index)?, extends(snapshot, &head, from)?);
            Ok((head, consistency, entry))
        });
        let (head, consistency, entry) = read.await?;
        Ok(FoundEntry { head: self.signed(&head, consistency), entry })
    }

    /// An entry, whomever it concerns, and the head by which it is proven.
    pub(crate) async fn proven_entry(&self, index: u64) -> Result<(LogHead, ProvenEntry), Error> {
        let read = self.store.read(move |snapshot| {
            let head = read::head(snapshot)?;
            let entry = read::proven(snapshot, &head, index)?;
            Ok::<_, Error>((head, entry))
        });
        let (head, entry) = read.await?;
        Ok((self.signed(&head, None), entry))
    }

    fn signed(&self, head: &Head, consistency: Option<Vec<Digest>>) -> LogHead {
        let key = self.statements.key();
        let checkpoint = Checkpoint { size: head.size, root: head.root() };
        let checkpoint = checkpoint.sign(self.statements.deployment(), &key);
        LogHead { checkpoint, signer: key.signer().clone(), consistency }
    }
}

fn extends(records: &impl store::Records, head: &Head, from: Option<u64>) -> Result<Option<Vec<Digest>>, Error> {
    from.map_or(Ok(None), |from| read::consistency(records, head, from))
}
