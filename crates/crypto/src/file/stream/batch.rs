//! Several chunks that one thread has in hand: how they are read, sealed or opened, and written.

use std::io::{self, Read, Write};

use super::{
    chunk::{Opener, Position, Sealer},
    error::Error,
    layout::{Chunk, ChunkLen, Layout},
    reader::expect_end,
};
use crate::{gcm::TAG_LEN, hash::Sha256};

/// How much a batch is, in bytes of plaintext, unless one chunk is more: fits a second-level cache of 1 MiB, and takes
/// long beside what handing on a turn costs.
const BATCH_LEN: usize = 256 * 1024;

fn chunks_per_batch(chunk: ChunkLen) -> usize {
    (BATCH_LEN / chunk.bytes()).max(1)
}

/// How long a buffer for any batch of this layout is, in bytes.
pub(super) fn buffer_len(layout: &Layout) -> usize {
    let chunks = usize::try_from(layout.chunks()).unwrap_or(usize::MAX);
    chunks.min(chunks_per_batch(layout.chunk_len())) * layout.chunk_len().sealed_bytes()
}

/// A run of chunks; the last batch of a file may have fewer than the others.
pub(super) struct Batch {
    /// Its number, from 0.
    pub(super) number: u64,
    layout: Layout,
}

impl Batch {
    /// `None` past the end of the file.
    pub(super) fn new(layout: Layout, number: u64) -> Option<Self> {
        let batch = Self { number, layout };
        batch.chunks().next().is_some().then_some(batch)
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk> + use<> {
        let (layout, many) = (self.layout, chunks_per_batch(self.layout.chunk_len()));
        let first = self.number.saturating_mul(many as u64);
        (first..).take(many).map_while(move |index| layout.chunk(index))
    }

    fn ends_the_file(&self) -> bool {
        self.chunks().any(|chunk| chunk.last)
    }

    fn sealed_len(&self) -> usize {
        self.chunks().map(|chunk| chunk.sealed_len()).sum()
    }

    /// The chunks with their places in a buffer, where each lies as in the file: only the last one can be short.
    fn places<'b>(&self, buffer: &'b mut [u8]) -> impl Iterator<Item = (Chunk, &'b mut [u8])> + use<'b> {
        let places = buffer.chunks_mut(self.layout.chunk_len().sealed_bytes());
        self.chunks().zip(places).map(|(chunk, place)| (chunk, &mut place[..chunk.sealed_len()]))
    }

    /// The plaintext of each chunk.
    fn plaintexts<'b>(&self, buffer: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let places = buffer.chunks(self.layout.chunk_len().sealed_bytes());
        self.chunks().zip(places).map(|(chunk, place)| &place[..chunk.len])
    }

    /// Adds the plaintext.
    pub(super) fn hash(&self, buffer: &[u8], hasher: &mut Sha256) {
        self.plaintexts(buffer).for_each(|plaintext| hasher.update(plaintext));
    }
}

/// Whether files are sealed or opened.
pub(super) trait Way: Sync {
    /// Plaintext is hashed before it is sealed, and after it is opened.
    const HASH_FIRST: bool;

    fn read(&self, batch: &Batch, from: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error>;
    fn transform(&self, batch: &Batch, buffer: &mut [u8]) -> Result<(), Error>;
    fn write(&self, batch: &Batch, buffer: &[u8], to: &mut impl Write) -> io::Result<()>;
}

impl Way for Sealer {
    const HASH_FIRST: bool = true;

    fn read(&self, batch: &Batch, from: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
        let wrong_length = |error| match Error::reading(error) {
            Error::Truncated => Error::WrongLength { size: batch.layout.size() },
            other => other,
        };
        for (chunk, place) in batch.places(buffer) {
            from.read_exact(&mut place[..chunk.len]).map_err(wrong_length)?;
        }
        match batch.ends_the_file().then(|| expect_end(from)) {
            Some(Err(Error::TrailingBytes)) => Err(Error::WrongLength { size: batch.layout.size() }),
            Some(end) => end,
            None => Ok(()),
        }
    }

    fn transform(&self, batch: &Batch, buffer: &mut [u8]) -> Result<(), Error> {
        for (chunk, place) in batch.places(buffer) {
            let (text, tag) = place.split_at_mut(chunk.len);
            let made: [u8; TAG_LEN] = self.seal(Position::from(&chunk), text)?;
            tag.copy_from_slice(&made);
        }
        Ok(())
    }

    fn write(&self, batch: &Batch, buffer: &[u8], to: &mut impl Write) -> io::Result<()> {
        to.write_all(&buffer[..batch.sealed_len()])
    }
}

impl Way for Opener {
    const HASH_FIRST: bool = false;

    fn read(&self, batch: &Batch, from: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
        from.read_exact(&mut buffer[..batch.sealed_len()]).map_err(Error::reading)?;
        if batch.ends_the_file() { expect_end(from) } else { Ok(()) }
    }

    fn transform(&self, batch: &Batch, buffer: &mut [u8]) -> Result<(), Error> {
        batch.places(buffer).try_for_each(|(chunk, place)| self.open(Position::from(&chunk), place).map(drop))
    }

    fn write(&self, batch: &Batch, buffer: &[u8], to: &mut impl Write) -> io::Result<()> {
        batch.plaintexts(buffer).try_for_each(|plaintext| to.write_all(plaintext))
    }
}
