//! What a reader of the log believes, given what it believed before.
//!
//! A log that only grows has one history. A reader who remembers a checkpoint therefore notices a store that was put
//! back (the log is smaller, or doesn't extend what is remembered) and a fork (another root for the same size), whoever
//! signed them.

use attest::identity::Deployment;
use serde_json::Value;
use types::log::Entry;
use types::wire::tms_log::{LogHead, ProvenEntry};

use crate::log::chain::Broken;
use crate::log::checkpoint::{BadCheckpoint, Checkpoint};
use crate::log::entry::{self, BadEntry};
use crate::log::tree::{self, Hash, MAX_PROOF};

/// What a reader remembers of a log: the newest checkpoint that it believed, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The Ed25519 key that signed it.
    pub key: Vec<u8>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

/// Why a log is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Suspicion {
    /// The checkpoint is none of this log, or not signed by its key.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// Another key signs than before.
    #[error("its checkpoint is signed by another key than before")]
    OtherKey,
    /// It is smaller than before.
    #[error("it has {shown} entries, and had {remembered} before")]
    Smaller {
        /// How many entries are remembered.
        remembered: u64,
        /// How many there are said to be.
        shown: u64,
    },
    /// It has as many entries as before, but others.
    #[error("its {0} entries are not those that it had before")]
    Forked(u64),
    /// It does not extend what it was before.
    #[error("it does not extend the {remembered} entries that it had before")]
    NotExtended {
        /// How many entries are remembered.
        remembered: u64,
    },
    /// An entry is not in it.
    #[error("entry {0} is not in it")]
    NotIncluded(u64),
    /// An entry is none.
    #[error("entry {index}: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        source: BadEntry,
    },
    /// An entry is missing from a user's, or is not the user's.
    #[error("before entry {index}: {source}")]
    Chain {
        /// The index of the entry after the gap.
        index: u64,
        /// Why.
        source: Broken,
    },
    /// Entries come in another order than that of the log.
    #[error("entry {0} comes out of order")]
    Order(u64),
    /// An entry that was there before is not listed any more.
    #[error("entry {0} was there before and is not listed any more")]
    Gone(u64),
}

/// Decides on a log's head: it must be the signer's, and extend what is remembered. Whose code has the signer's key, is
/// `statement::appraise`'s business.
///
/// # Errors
/// [`Suspicion`] with the first reason.
pub fn accept(
    remembered: Option<&Remembered>,
    deployment: &Deployment,
    head: &LogHead,
) -> Result<Remembered, Suspicion> {
    let key = &head.signer.key.0;
    let checkpoint = Checkpoint::open(&head.checkpoint, deployment, key)?;
    if let Some(remembered) = remembered {
        if remembered.key != *key {
            return Err(Suspicion::OtherKey);
        }
        extends(&remembered.checkpoint, &checkpoint, head)?;
    }
    Ok(Remembered { key: key.clone(), checkpoint })
}

fn extends(before: &Checkpoint, now: &Checkpoint, head: &LogHead) -> Result<(), Suspicion> {
    if now.size < before.size {
        return Err(Suspicion::Smaller { remembered: before.size, shown: now.size });
    }
    if now.size == before.size {
        return if now.root == before.root { Ok(()) } else { Err(Suspicion::Forked(now.size)) };
    }
    let not = Suspicion::NotExtended { remembered: before.size };
    let Some(proof) = head.consistency.as_ref().filter(|proof| proof.len() <= MAX_PROOF) else { return Err(not) };
    let proof: Vec<Hash> = proof.iter().map(|hash| *hash.as_bytes()).collect();
    tree::verify_consistency((before.size, &before.root), (now.size, &now.root), &proof).map_err(|_| not)
}

/// Reads an entry that is in the log of a checkpoint.
///
/// # Errors
/// [`Suspicion`] when it is not, or when it is no entry.
pub fn included(checkpoint: &Checkpoint, proven: &ProvenEntry) -> Result<Entry<Value>, Suspicion> {
    let ProvenEntry { index, entry, proof } = proven;
    let hashes: Vec<Hash> = proof.iter().take(MAX_PROOF + 1).map(|hash| *hash.as_bytes()).collect();
    let leaf = tree::leaf(&entry.0);
    tree::verify_inclusion(&leaf, *index, checkpoint.size, &hashes, &checkpoint.root)
        .map_err(|_| Suspicion::NotIncluded(*index))?;
    entry::open(&entry.0).map_err(|source| Suspicion::Entry { index: *index, source })
}

#[cfg(test)]
mod tests {
    use crypto::sign::Ed25519KeyPair;
    use types::bytes::Base64;
    use types::consent::Signer;
    use types::digest::Digest;
    use types::log::{Event, Salt, UserChange};
    use types::time::UnixMillis;

    use super::*;
    use crate::log::checkpoint::origin;
    use crate::log::note;

    fn house() -> Deployment {
        "house".parse().expect("a name")
    }

    fn head(checkpoint: Checkpoint, seed: u8, consistency: Option<Vec<Hash>>) -> LogHead {
        let pair = Ed25519KeyPair::from_seed(&[seed; 32]);
        let text = checkpoint.text(&house());
        let key = pair.public_key().to_vec();
        let checkpoint = note::write(&text, &origin(&house()), &key, &pair.sign(text.as_bytes()));
        let signer = Signer { key: Base64(key), evidence: Base64(Vec::new()), at_ms: UnixMillis(0) };
        LogHead {
            checkpoint,
            signer,
            consistency: consistency.map(|proof| proof.into_iter().map(Digest::new).collect()),
        }
    }

    /// A log of two leaves and what was remembered when there was one.
    fn scene() -> (Checkpoint, Checkpoint, Hash) {
        let (first, second) = (tree::leaf(b"first"), tree::leaf(b"second"));
        (Checkpoint { size: 1, root: first }, Checkpoint { size: 2, root: tree::parent(&first, &second) }, second)
    }

    #[test]
    fn a_log_that_grew_is_believed() {
        let (one, two, second) = scene();
        let first = accept(None, &house(), &head(one, 7, None)).expect("nothing is remembered");
        assert_eq!(accept(Some(&first), &house(), &head(one, 7, None)).expect("the same"), first);
        let grown = accept(Some(&first), &house(), &head(two, 7, Some(vec![second]))).expect("grown");
        assert_eq!(grown.checkpoint, two);
    }

    #[test]
    fn another_history_is_not_believed() {
        let (one, two, second) = scene();
        let remembered = accept(None, &house(), &head(two, 7, None)).expect("nothing is remembered");
        let check = |head: LogHead| accept(Some(&remembered), &house(), &head).expect_err("suspect");
        assert!(matches!(check(head(one, 7, None)), Suspicion::Smaller { remembered: 2, shown: 1 }));
        let forked = Checkpoint { root: [9; 32], ..two };
        assert!(matches!(check(head(forked, 7, None)), Suspicion::Forked(2)));
        assert!(matches!(check(head(two, 8, None)), Suspicion::OtherKey));
        let later = Checkpoint { size: 3, root: [9; 32] };
        for proof in [None, Some(vec![]), Some(vec![second]), Some(vec![[0; 32]; MAX_PROOF + 1])] {
            assert!(matches!(check(head(later, 7, proof)), Suspicion::NotExtended { remembered: 2 }));
        }
        let other = accept(None, &"other".parse().expect("a name"), &head(two, 7, None));
        assert!(matches!(other, Err(Suspicion::Checkpoint(_))));
    }

    #[test]
    fn only_what_is_in_the_log_is_read() {
        let event = Event::User { user_id: "u".parse().expect("a name"), change: UserChange::Added };
        let entry = entry::new(UnixMillis(0), Salt([0; 16]), [("u".parse().expect("a name"), None)], event);
        let bytes = entry::to_bytes(&entry).expect("canonical");
        let checkpoint = |entry: &[u8]| Checkpoint { size: 1, root: tree::leaf(entry) };
        let proven = |entry: &[u8]| ProvenEntry { index: 0, entry: Base64(entry.to_vec()), proof: Vec::new() };
        assert!(included(&checkpoint(&bytes), &proven(&bytes)).is_ok());
        assert!(matches!(included(&checkpoint(b"x"), &proven(&bytes)), Err(Suspicion::NotIncluded(0))));
        assert!(matches!(included(&checkpoint(b"x"), &proven(b"x")), Err(Suspicion::Entry { index: 0, .. })));
    }
}
