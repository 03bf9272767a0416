//! Adding an entry, within a transaction.

use consent::log::entry::{self, BadEntry};
use consent::log::{chain, tree};
use store::{Records as _, StoreError, Transaction};
use types::digest::Digest;
use types::log::{Event, Salt};
use types::time::UnixMillis;
use types::user::UserId;

use super::{CHAINS, ENTRIES, HEAD, HEAD_NAME, NODES, READERS, is_kept};

/// The name of [`ENTRIES`], for errors.
const ENTRIES_NAME: &str = "log entries";

/// An entry to be: all of it but its places in the tree and in its users' chains.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    at_ms: UnixMillis,
    salt: Salt,
    concerns: Vec<UserId>,
    event: Event,
}

impl Pending {
    /// An entry about an event, for those whom it concerns.
    pub(crate) fn new(at_ms: UnixMillis, concerns: Vec<UserId>, event: Event) -> Self {
        Pending { at_ms, salt: Salt(crypto::random::bytes()), concerns, event }
    }
}

/// Adds an entry and returns its index. It is in the log if and when the transaction is committed.
///
/// # Errors
/// When the store fails or a record of the log does not verify; [`StoreError::Refused`] when the head was put back to
/// an earlier one; [`StoreError::TooLarge`] for an entry over `consent`'s limit.
pub(crate) fn append(tx: &mut Transaction<'_>, pending: &Pending) -> Result<u64, StoreError> {
    let head = tx.get(&HEAD, 0)?.unwrap_or_default();
    let index = head.size;
    if index == tree::MAX_SIZE || tx.contains(&ENTRIES, index)? {
        return Err(StoreError::Refused { table: HEAD_NAME });
    }
    let Pending { at_ms, salt, concerns, event } = pending;
    let mut chains = Vec::with_capacity(concerns.len());
    for user in concerns {
        chains.push((user.clone(), tx.get(&CHAINS, user.as_str())?));
    }
    let entry = entry::new(*at_ms, *salt, chains, event.clone());
    let bytes = entry::to_bytes(&entry).map_err(unfit)?;
    let (grown, made) = head.grown(tree::leaf(&bytes))?;
    for node in made.iter().filter(|node| is_kept(node.level)) {
        tx.insert(&NODES, (u64::from(node.level), node.index), &Digest::new(node.hash))?;
    }
    let (link, task) = (chain::link(&bytes), event.task_id().cloned());
    for concern in &entry.concerns {
        tx.insert(&CHAINS, concern.user_id.as_str(), &link)?;
        tx.insert(&READERS, (concern.user_id.as_str(), index), &task)?;
    }
    let text = String::from_utf8(bytes).map_err(|_| StoreError::Encode { table: ENTRIES_NAME })?;
    tx.insert(&ENTRIES, index, &text)?;
    tx.insert(&HEAD, 0, &grown)?;
    Ok(index)
}

fn unfit(error: BadEntry) -> StoreError {
    match error {
        BadEntry::TooLong(_) => StoreError::TooLarge { table: ENTRIES_NAME, limit: entry::MAX_BYTES },
        _ => StoreError::Encode { table: ENTRIES_NAME },
    }
}
