//! What the tms answers about its log.

use consent::log::checkpoint::Checkpoint;
use rpc::authn::Principal;
use types::digest::Digest;
use types::wire::tms_log::{FoundEntry, ListLog, LogHead, LogPage};

use super::{Head, read};
use crate::{Error, Tms};

/// Entries on one page: each comes with a proof of up to 50 hashes.
const PAGE: u32 = 100;

impl Tms {
    /// The log's head, with a proof that it extends an earlier one.
    pub(crate) async fn log_head(&self, from: Option<u64>) -> Result<LogHead, Error> {
        let read = self.store.read(move |snapshot| {
            let head = read::head(snapshot)?;
            let consistency = extends(snapshot, &head, from)?;
            Ok::<_, Error>((head, consistency))
        });
        let (head, consistency) = read.await?;
        Ok(self.signed(&head, consistency))
    }

    /// One page of the entries that concern the caller.
    pub(crate) async fn list_log(&self, principal: &Principal, list: ListLog) -> Result<LogPage, Error> {
        let ListLog { limit, cursor, task_id, from, .. } = list;
        let limit = match limit.unwrap_or(PAGE) {
            limit if (1..=PAGE).contains(&limit) => limit as usize,
            _ => return Err(Error::field("limit", format!("must be 1 to {PAGE}"))),
        };
        let bad = |_| Error::field("cursor", "must be a `next_cursor` of an earlier answer");
        let after = cursor.map(|cursor| cursor.parse().map_err(bad)).transpose()?;
        let user = principal.user().clone();
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

    /// One entry that concerns the caller.
    pub(crate) async fn log_entry(
        &self,
        principal: &Principal,
        index: u64,
        from: Option<u64>,
    ) -> Result<FoundEntry, Error> {
        let user = principal.user().clone();
        let read = self.store.read(move |snapshot| {
            // To everyone else an entry does not exist, be there one or not.
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
