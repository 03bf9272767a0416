//! Chunks of a working set: in memory while there is room, else in the run's scratch space.
//!
//! Whoever collects more than fits into memory collects it in chunks and gives each full one to the [`Pool`]. The first
//! ones stay where they are, later ones are appended to the scratch space and their memory is used again. The pool
//! also counts what the run holds beside them, so that a test can compare the most it ever was with the limit.

use std::mem::{size_of, take};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use executor::{Failure, Limit, ScratchSpace};

/// What chunks are made of: plain bytes.
pub(crate) trait Plain: Copy + Send {
    const ZERO: Self;
    fn bytes(chunk: &[Self]) -> &[u8];
    fn bytes_mut(chunk: &mut [Self]) -> &mut [u8];
}

impl Plain for u8 {
    const ZERO: Self = 0;

    fn bytes(chunk: &[Self]) -> &[u8] {
        chunk
    }

    fn bytes_mut(chunk: &mut [Self]) -> &mut [u8] {
        chunk
    }
}

impl<const N: usize> Plain for [u8; N] {
    const ZERO: Self = [0; N];

    fn bytes(chunk: &[Self]) -> &[u8] {
        chunk.as_flattened()
    }

    fn bytes_mut(chunk: &mut [Self]) -> &mut [u8] {
        chunk.as_flattened_mut()
    }
}

/// A chunk that was filled.
pub(crate) enum Chunk<T> {
    Held(Vec<T>),
    Spilled { position: u64, len: usize },
}

impl<T> Chunk<T> {
    /// Elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Held(content) => content.len(),
            Self::Spilled { len, .. } => *len,
        }
    }
}

/// A run's memory.
pub(crate) struct Pool {
    /// For chunks that stay, in bytes.
    room: u64,
    held: AtomicU64,
    all: AtomicU64,
    peak: AtomicU64,
    limit: u64,
    scratch: Option<ScratchSpace>,
}

impl Pool {
    /// With room for so many bytes of chunks, under a limit for everything together, which a failure names.
    pub(crate) fn new(room: u64, limit: u64, scratch: Option<ScratchSpace>) -> Self {
        let [held, all, peak] = Default::default();
        Self { room, held, all, peak, limit, scratch }
    }

    /// Keeps a chunk, and leaves an empty one in its place, which may have its memory.
    pub(crate) fn keep<T: Plain>(&self, open: &mut Vec<T>) -> Result<Chunk<T>, Failure> {
        let bytes = size::<T>(open.capacity());
        let fits = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.room);
        if self.held.fetch_update(Relaxed, Relaxed, fits).is_ok() {
            return Ok(Chunk::Held(take(open)));
        }
        let scratch = self.scratch.as_ref().ok_or(Limit::Memory(self.limit))?;
        let (position, len) = (scratch.append(T::bytes(open))?, open.len());
        open.clear();
        Ok(Chunk::Spilled { position, len })
    }

    /// What is in a chunk; `buffer` is where a spilled one is read to.
    pub(crate) fn load<'c, T: Plain>(&self, chunk: &'c Chunk<T>, buffer: &'c mut Vec<T>) -> Result<&'c [T], Failure> {
        match chunk {
            Chunk::Held(content) => Ok(content),
            Chunk::Spilled { position, len } => {
                let scratch = self.scratch.as_ref().ok_or(Limit::Memory(self.limit))?;
                buffer.resize(*len, T::ZERO);
                scratch.read(*position, T::bytes_mut(buffer))?;
                Ok(buffer)
            }
        }
    }

    /// Moves what is in a chunk to `to`.
    pub(crate) fn take<T: Plain>(&self, chunk: Chunk<T>, to: &mut Vec<T>) -> Result<(), Failure> {
        if let Chunk::Held(content) = chunk {
            let bytes = size::<T>(content.capacity());
            self.held.fetch_sub(bytes, Relaxed);
            self.uncount(bytes);
            *to = content;
            return Ok(());
        }
        self.load(&chunk, to).map(drop)
    }

    /// Frees a chunk that stayed.
    pub(crate) fn release<T>(&self, chunk: Chunk<T>) {
        if let Chunk::Held(content) = chunk {
            let bytes = size::<T>(content.capacity());
            self.held.fetch_sub(bytes, Relaxed);
            self.uncount(bytes);
        }
    }

    /// Counts memory that was allocated for elements.
    pub(crate) fn count<T>(&self, elements: usize) {
        let now = self.all.fetch_add(size::<T>(elements), Relaxed) + size::<T>(elements);
        self.peak.fetch_max(now, Relaxed);
    }

    /// Counts memory that was freed.
    pub(crate) fn count_freed<T>(&self, elements: usize) {
        self.uncount(size::<T>(elements));
    }

    fn uncount(&self, bytes: u64) {
        self.all.fetch_sub(bytes, Relaxed);
    }

    /// The most bytes that were counted at once.
    #[cfg(test)]
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }
}

fn size<T>(elements: usize) -> u64 {
    (elements * size_of::<T>()) as u64
}
