//! Reading the log: its head, proofs, and what concerns a user. Nothing is given out that does not fit the root.

use consent::log::tree::{self, Hash, Nodes};
use store::{Range, Records, StoreError};
use types::bytes::Base64;
use types::digest::Digest;
use types::id::TaskId;
use types::user::UserId;
use types::wire::tms_log::ProvenEntry;

use super::{ENTRIES, HEAD, Head, NODES, READERS, is_kept};
use crate::Error;

/// How many of a user's entries one request looks through for those about one task.
const SCANNED: usize = 4096;

/// The nodes of the log as some reader sees it.
struct Stored<'a, R>(&'a R);

impl<R: Records> Nodes for Stored<'_, R> {
    type Error = Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Error> {
        if level == 0 {
            let entry = self.0.get(&ENTRIES, index)?.ok_or(Error::LogDamaged)?;
            return Ok(tree::leaf(entry.as_bytes()));
        }
        if is_kept(level) {
            let node = self.0.get(&NODES, (u64::from(level), index))?.ok_or(Error::LogDamaged)?;
            return Ok(*node.as_bytes());
        }
        Ok(tree::parent(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }
}

/// The log's head.
pub(crate) fn head(records: &impl Records) -> Result<Head, StoreError> {
    Ok(records.get(&HEAD, 0)?.unwrap_or_default())
}

/// The proof that the log extends its first `from` entries; nothing when it has not so many.
pub(crate) fn consistency(records: &impl Records, head: &Head, from: u64) -> Result<Option<Vec<Digest>>, Error> {
    if from > head.size {
        return Ok(None);
    }
    let nodes = Stored(records);
    let (proof, old) = (tree::prove_consistency(&nodes, from, head.size)?, tree::root(&nodes, from)?);
    tree::verify_consistency((from, &old), (head.size, &head.root()), &proof).map_err(|_| Error::LogDamaged)?;
    Ok(Some(proof.into_iter().map(Digest::new).collect()))
}

/// An entry with the proof that it is in the log.
pub(crate) fn proven(records: &impl Records, head: &Head, index: u64) -> Result<ProvenEntry, Error> {
    let entry = records.get(&ENTRIES, index)?.ok_or(Error::LogDamaged)?;
    if index >= head.size {
        return Err(Error::LogDamaged);
    }
    let (leaf, proof) = (tree::leaf(entry.as_bytes()), tree::prove_inclusion(&Stored(records), index, head.size)?);
    tree::verify_inclusion(&leaf, index, head.size, &proof, &head.root()).map_err(|_| Error::LogDamaged)?;
    let proof = proof.into_iter().map(Digest::new).collect();
    Ok(ProvenEntry { index, entry: Base64(entry.into_bytes()), proof })
}

/// Whether an entry concerns a user.
pub(crate) fn concerns(records: &impl Records, user: &UserId, index: u64) -> Result<bool, StoreError> {
    records.contains(&READERS, (user.as_str(), index))
}

/// The entries that concern a user, those about one task alone if one is named; and where the next page begins.
pub(crate) fn concerning(
    records: &impl Records,
    user: &UserId,
    task: Option<&TaskId>,
    after: Option<u64>,
    limit: usize,
) -> Result<(Vec<u64>, Option<u64>), StoreError> {
    let mut range = Range::starting_with(user.as_str());
    if let Some(index) = after {
        range = range.after((user.as_str(), index));
    }
    let looked_at = if task.is_some() { SCANNED } else { limit };
    let mut rows = records.scan(&READERS, range, looked_at + 1)?;
    let mut more = rows.len() > looked_at;
    rows.truncate(looked_at);
    let (mut found, mut last) = (Vec::new(), None);
    for ((_, index), about) in rows {
        if found.len() == limit {
            more = true;
            break;
        }
        if task.is_none() || about.as_ref() == task {
            found.push(index);
        }
        last = Some(index);
    }
    Ok((found, last.filter(|_| more)))
}
