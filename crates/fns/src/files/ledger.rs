//! What was seen of one input, block by block: so that every pass sees the same, and its digest is known at the end.
//!
//! ```text
//! block 0 … k−1   seen: a later pass must find the same bytes (fingerprints)
//! block k … n−1   not seen: whoever reads block k adds it to the digest and notes its fingerprint
//! all seen        the digest is compared with the declared one, before the last block is given out
//! ```
//!
//! Whoever holds the file's key can seal other bytes and put them on the disk between two passes; a chunk that verifies
//! is therefore not enough. Blocks are the node's own and no chunks of the file, so that what is sealed in tiny chunks
//! costs no more memory.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::file::OpenError;
use crypto::file::stream::ChunkLen;
use crypto::fingerprint::{Fingerprint, Fingerprints};
use crypto::hash::Sha256;
use types::digest::Digest;

use super::error::ReadError;

/// The account of one input.
pub(crate) struct Ledger {
    prints: Arc<Fingerprints>,
    /// Which input of the run.
    list: u32,
    size: u64,
    sha256: Digest,
    seen: Mutex<Seen>,
}

/// What was read so far, by whichever pass was ahead.
struct Seen {
    blocks: Vec<Fingerprint>,
    /// Over all those blocks; `None` once it was compared.
    digest: Option<Sha256>,
    /// What went wrong first.
    problem: Option<ReadError>,
}

impl Ledger {
    /// The account of the input of this number, which was declared to be so.
    pub(crate) fn new(prints: Arc<Fingerprints>, list: u32, size: u64, sha256: Digest) -> Self {
        let seen = Seen { blocks: Vec::new(), digest: Some(Sha256::new()), problem: None };
        Ledger { prints, list, size, sha256, seen: Mutex::new(seen) }
    }

    /// Bytes of every block but the last: what new files of this size have as chunks, so that there are at most 2²⁰ up
    /// to 16 TiB.
    pub(crate) fn block_bytes(&self) -> usize {
        ChunkLen::for_size(self.size).bytes()
    }

    /// Which bytes of the plaintext a block is; `None` after the last.
    pub(crate) fn block(&self, index: u64) -> Option<Range<u64>> {
        let bytes = self.block_bytes() as u64;
        let start = index.checked_mul(bytes).filter(|start| *start < self.size)?;
        Some(start..self.size.min(start + bytes))
    }

    /// Takes note of a block, before anybody uses it.
    ///
    /// # Errors
    /// [`ReadError::Changed`] when it is not what it was before; the last block, when the whole has another digest than
    /// was declared.
    pub(crate) fn admit(&self, index: u64, block: &[u8]) -> Result<(), ReadError> {
        let print = self.prints.of(self.list, index, block);
        let mut seen = self.seen();
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match seen.blocks.get(at) {
            Some(before) if *before == print => return Ok(()),
            // Blocks are read in their order: after what was seen comes the next.
            None if at == seen.blocks.len() && self.block(index).is_some() => {}
            _ => return Err(ReadError::Changed),
        }
        let mut digest = seen.digest.take().ok_or(OpenError::DigestDiffers)?;
        digest.update(block);
        if self.block(index + 1).is_some() {
            seen.digest = Some(digest);
        } else if digest.finish() != *self.sha256.as_bytes() {
            return Err(OpenError::DigestDiffers.into());
        }
        seen.blocks.push(print);
        Ok(())
    }

    /// The first block that nobody has seen; `None` when all were, and were those that were declared.
    pub(crate) fn unseen(&self) -> Option<u64> {
        let next = self.seen().blocks.len() as u64;
        self.block(next).map(|_| next)
    }

    /// Remembers what went wrong, whatever the function makes of it.
    pub(crate) fn fail(&self, problem: ReadError) {
        self.seen().problem.get_or_insert(problem);
    }

    /// What went wrong first.
    pub(crate) fn take_problem(&self) -> Option<ReadError> {
        self.seen().problem.take()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 64 << 10;

    fn ledger(content: &[u8]) -> Ledger {
        let sha256 = Digest::new(Sha256::digest(content));
        Ledger::new(Arc::default(), 0, content.len() as u64, sha256)
    }

    #[test]
    fn blocks_cover_the_file() {
        let check = |size: u64, ends: &[u64]| {
            let ledger = Ledger::new(Arc::default(), 0, size, Digest::new([0; 32]));
            let blocks: Vec<_> = (0..).map_while(|index| ledger.block(index)).collect();
            assert_eq!(blocks.iter().map(|block| block.end).collect::<Vec<_>>(), ends);
            let starts: Vec<_> = blocks.iter().map(|block| block.start).collect();
            assert!(starts.iter().eq([0].iter().chain(ends).take(ends.len())));
        };
        let block = BLOCK as u64;
        check(0, &[]);
        check(1, &[1]);
        check(block, &[block]);
        check(block + 1, &[block, block + 1]);
        let huge = Ledger::new(Arc::default(), 0, 1 << 44, Digest::new([0; 32]));
        assert!(huge.block((1 << 20) - 1).is_some() && huge.block(1 << 20).is_none());
        assert!(huge.block(u64::MAX).is_none());
    }

    #[test]
    fn a_block_is_admitted_again_only_as_it_was() {
        let content = vec![7; 2 * BLOCK + 5];
        let ledger = ledger(&content);
        ledger.admit(0, &content[..BLOCK]).unwrap();
        ledger.admit(0, &content[..BLOCK]).unwrap();
        let mut other = content[..BLOCK].to_vec();
        other[BLOCK - 1] ^= 1;
        assert!(matches!(ledger.admit(0, &other), Err(ReadError::Changed)));
        assert_eq!(ledger.unseen(), Some(1));
        ledger.admit(1, &content[BLOCK..2 * BLOCK]).unwrap();
        ledger.admit(2, &content[2 * BLOCK..]).unwrap();
        assert_eq!(ledger.unseen(), None);
        ledger.admit(2, &content[2 * BLOCK..]).unwrap();
        assert!(matches!(ledger.admit(3, &[]), Err(ReadError::Changed)));
    }

    #[test]
    fn another_digest_is_found_at_the_last_block_and_stays_unseen() {
        let content = vec![7; BLOCK + 5];
        let ledger = ledger(&content);
        ledger.admit(0, &vec![8; BLOCK]).unwrap();
        let last = ledger.admit(1, &content[BLOCK..]);
        assert!(matches!(last, Err(ReadError::Open(OpenError::DigestDiffers))));
        assert_eq!(ledger.unseen(), Some(1));
    }

    #[test]
    fn blocks_are_not_skipped() {
        let ledger = ledger(&vec![7; 3 * BLOCK]);
        assert!(matches!(ledger.admit(1, &[7; BLOCK]), Err(ReadError::Changed)));
        assert_eq!(ledger.unseen(), Some(0));
    }

    #[test]
    fn the_first_problem_counts() {
        let ledger = ledger(b"x");
        ledger.fail(ReadError::Missing);
        ledger.fail(ReadError::Changed);
        assert!(matches!(ledger.take_problem(), Some(ReadError::Missing)));
    }
}
