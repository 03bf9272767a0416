//! One reading of a chunked input: opens chunk after chunk, and gives out no block that the ledger did not admit.

use std::io::{self, BufRead, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use crypto::FileKey;
use crypto::file::stream::{ChunkLen, Error as StreamError, SeekReader};
use zeroize::Zeroizing;

use super::error::ReadError;
use super::ledger::Ledger;
use super::source::{Ciphertext, Source};

/// Chunks up to this length are read in files of any size: a reader holds one of them in memory.
const CHUNK_BYTES: usize = 1 << 20;

/// A stored file in chunks, its key, and its declared size.
pub(crate) struct Stored {
    pub(crate) source: Source,
    pub(crate) key: FileKey,
    pub(crate) size: u64,
}

impl Stored {
    /// Opens the ciphertext: it has the length of a file of that size, and chunks that fit into memory.
    ///
    /// # Errors
    /// [`ReadError`] says what is wrong with what is stored.
    pub(crate) fn open(&self) -> Result<SeekReader<Ciphertext>, ReadError> {
        let reader = SeekReader::new(self.source.open()?, &self.key, self.size)?;
        let found = reader.layout().chunk_len().bytes();
        let most = ChunkLen::for_size(self.size).bytes().max(CHUNK_BYTES);
        if found > most { Err(ReadError::ChunkLen { found, most }) } else { Ok(reader) }
    }
}

/// A reader of an input from one of its blocks to its end; holds one block and one chunk in memory, which are wiped.
pub(crate) struct Pass {
    from: SeekReader<Ciphertext>,
    ledger: Arc<Ledger>,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer was not read yet.
    ready: Range<usize>,
    /// The block after the one in the buffer.
    next: u64,
    failed: bool,
}

impl Pass {
    /// Begins at the start.
    pub(crate) fn new(from: SeekReader<Ciphertext>, ledger: Arc<Ledger>) -> Self {
        let bytes = ledger.block(0).map_or(0, |block| ledger.block_bytes().min(length(&block)));
        Pass { from, ledger, buffer: Zeroizing::new(vec![0; bytes]), ready: 0..0, next: 0, failed: false }
    }

    /// Begins at a block instead.
    pub(crate) fn at(self, next: u64) -> Self {
        Pass { next, ..self }
    }

    fn next_block(&mut self) -> Result<(), ReadError> {
        if self.failed {
            return Err(StreamError::Failed.into());
        }
        let Some(block) = self.ledger.block(self.next) else { return Ok(()) };
        self.failed = true;
        self.from.seek(SeekFrom::Start(block.start))?;
        let buffer = &mut self.buffer[..length(&block)];
        self.from.read_exact(buffer)?;
        self.ledger.admit(self.next, buffer)?;
        self.ready = 0..buffer.len();
        self.next += 1;
        self.failed = false;
        Ok(())
    }
}

fn length(block: &Range<u64>) -> usize {
    usize::try_from(block.end - block.start).unwrap_or(usize::MAX)
}

impl Read for Pass {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pass {
    /// The function hears that reading failed; why, the ledger keeps for whoever reports it.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready.is_empty()
            && let Err(problem) = self.next_block()
        {
            self.ledger.fail(problem);
            return Err(io::Error::other("an input failed"));
        }
        Ok(&self.buffer[self.ready.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.ready.start = (self.ready.start + amount).min(self.ready.end);
    }
}
