//! A whole file sealed or opened by several threads, from a reader to a writer, in bounded memory.
//!
//! Every thread does the same: it reads the next batch of chunks, seals or opens it, and writes it, with one buffer that
//! it keeps. Reading, hashing and writing are done by one thread at a time, in the file's order (`turns`); while
//! one hashes a batch, which takes longest, another reads, seals and writes others. One thread alone does one after
//! the other, by the same code. So there are as many batches in memory as threads, and no queue.
//!
//! ```text
//! seal   read ─▶ SHA-256 ─▶ seal ─▶ write        open   read ─▶ open ─▶ SHA-256 ─▶ write
//!        └─ one at a time ┘        └ one ┘              └ one ┘         └─ one at a time ─┘
//! ```

use std::{
    io::{Read, Write},
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};

use zeroize::Zeroizing;

use super::{
    batch::{Batch, Way, buffer_len},
    chunk::{Opener, Sealer},
    error::Error,
    header::Header,
    layout::Layout,
    reader::read_header,
    turns::Turns,
};
use crate::{
    hash::{DIGEST_LEN, Sha256},
    key::FileKey,
};

/// Seals `size` bytes from `from` to `to` with this many threads, the calling one included; the SHA-256 of the plaintext.
///
/// Memory: a buffer of 256 KiB, or of a chunk if that is longer, for each thread. The file is the same whatever the
/// number of threads. After an error, what was written is no file.
///
/// # Errors
/// [`Error::WrongLength`] when there is less or more to read, [`Error::TooLong`], [`Error::Read`], [`Error::Write`].
pub fn seal_parallel(
    key: &FileKey,
    header: Header,
    size: u64,
    threads: NonZeroUsize,
    from: impl Read + Send,
    to: impl Write + Send,
) -> Result<[u8; DIGEST_LEN], Error> {
    let digest = seal(key, header, size, threads, Some(Sha256::new()), from, to)?;
    Ok(digest.expect("it was asked for"))
}

/// As [`seal_parallel`], without the digest, for whoever has it already.
///
/// # Errors
/// As [`seal_parallel`].
pub fn seal_parallel_unhashed(
    key: &FileKey,
    header: Header,
    size: u64,
    threads: NonZeroUsize,
    from: impl Read + Send,
    to: impl Write + Send,
) -> Result<(), Error> {
    seal(key, header, size, threads, None, from, to).map(drop)
}

/// Opens a stored file that must hold `size` bytes with this SHA-256, with this many threads, the calling one included.
///
/// Only authenticated bytes are written, in order. That they are all there, and the declared ones, is known when this
/// returns and not before. Of several things that are wrong, the first in the file is reported.
///
/// # Errors
/// Every [`Error`] but [`Error::ChunkLength`] and [`Error::Failed`].
pub fn open_parallel(
    key: &FileKey,
    size: u64,
    sha256: [u8; DIGEST_LEN],
    threads: NonZeroUsize,
    from: impl Read + Send,
    to: impl Write + Send,
) -> Result<(), Error> {
    if open(key, size, threads, Some(Sha256::new()), from, to)? != Some(sha256) {
        return Err(Error::DigestDiffers);
    }
    Ok(())
}

/// As [`open_parallel`], for whoever checks the digest later or has no use for it: every byte is authenticated all the
/// same.
///
/// # Errors
/// As [`open_parallel`], but for [`Error::DigestDiffers`].
pub fn open_parallel_unhashed(
    key: &FileKey,
    size: u64,
    threads: NonZeroUsize,
    from: impl Read + Send,
    to: impl Write + Send,
) -> Result<(), Error> {
    open(key, size, threads, None, from, to).map(drop)
}

type Digest = Option<[u8; DIGEST_LEN]>;

fn seal(
    key: &FileKey,
    header: Header,
    size: u64,
    threads: NonZeroUsize,
    hasher: Option<Sha256>,
    from: impl Read + Send,
    mut to: impl Write + Send,
) -> Result<Digest, Error> {
    let sealer = Sealer::new(key, header);
    let layout = sealer.layout(size)?;
    to.write_all(&header.encode()).map_err(Error::Write)?;
    Line::new(sealer, layout, hasher, from, to).run(threads)
}

fn open(
    key: &FileKey,
    size: u64,
    threads: NonZeroUsize,
    hasher: Option<Sha256>,
    mut from: impl Read + Send,
    to: impl Write + Send,
) -> Result<Digest, Error> {
    let opener = Opener::new(key, read_header(&mut from)?);
    let layout = opener.layout(size)?;
    Line::new(opener, layout, hasher, from, to).run(threads)
}

/// What the threads share.
struct Line<D, R, W> {
    way: D,
    layout: Layout,
    source: Mutex<Source<R>>,
    hasher: Option<Turns<Sha256>>,
    sink: Turns<Sink<W>>,
}

struct Source<R> {
    from: R,
    next: u64,
}

struct Sink<W> {
    to: W,
    outcome: Result<(), Error>,
}

impl<D: Way, R: Read + Send, W: Write + Send> Line<D, R, W> {
    fn new(way: D, layout: Layout, hasher: Option<Sha256>, from: R, to: W) -> Self {
        let source = Mutex::new(Source { from, next: 0 });
        let sink = Turns::new(Sink { to, outcome: Ok(()) });
        Self { way, layout, source, hasher: hasher.map(Turns::new), sink }
    }

    fn run(self, threads: NonZeroUsize) -> Result<Digest, Error> {
        thread::scope(|scope| {
            // Where the system has no more threads, those that there are do the work.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, || self.work()).ok();
            let others: Vec<_> = (1..threads.get()).filter_map(spawn).collect();
            self.work();
            // The scope waits until their work is done; joining, until they and their memory are gone.
            let panics: Vec<_> = others.into_iter().filter_map(|other| other.join().err()).collect();
            if let Some(panic) = panics.into_iter().next() {
                std::panic::resume_unwind(panic);
            }
        });
        let mut sink = self.sink.into_inner();
        sink.outcome?;
        sink.to.flush().map_err(Error::Write)?;
        Ok(self.hasher.map(|turns| turns.into_inner().finish()))
    }

    /// What each thread does.
    fn work(&self) {
        let _stop = StopOnPanic(self);
        let mut buffer = Zeroizing::new(vec![0; buffer_len(&self.layout)]);
        while let Some((batch, read)) = self.read_next(&mut buffer) {
            let ready = read.and_then(|()| self.process(&batch, &mut buffer));
            if self.sink.take(batch.number, |sink| self.write(sink, &batch, &buffer, ready)) != Some(true) {
                return self.stop();
            }
        }
    }

    fn read_next(&self, buffer: &mut [u8]) -> Option<(Batch, Result<(), Error>)> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = Batch::new(self.layout, source.next)?;
        source.next += 1;
        let read = self.way.read(&batch, &mut source.from, buffer);
        Some((batch, read))
    }

    fn process(&self, batch: &Batch, buffer: &mut [u8]) -> Result<(), Error> {
        if D::HASH_FIRST {
            self.hash(batch, buffer)?;
        }
        self.way.transform(batch, buffer)?;
        if D::HASH_FIRST { Ok(()) } else { self.hash(batch, buffer) }
    }

    fn hash(&self, batch: &Batch, buffer: &[u8]) -> Result<(), Error> {
        let Some(turns) = &self.hasher else { return Ok(()) };
        turns.take(batch.number, |hasher| batch.hash(buffer, hasher)).ok_or(Error::Failed)
    }

    /// Whether all is well so far. The first failure in the file's order is the outcome, and nothing is written after it.
    fn write(&self, sink: &mut Sink<W>, batch: &Batch, buffer: &[u8], ready: Result<(), Error>) -> bool {
        if sink.outcome.is_ok() {
            sink.outcome = ready.and_then(|()| self.way.write(batch, buffer, &mut sink.to).map_err(Error::Write));
        }
        sink.outcome.is_ok()
    }
}

impl<D, R, W> Line<D, R, W> {
    fn stop(&self) {
        self.sink.stop();
        self.hasher.iter().for_each(Turns::stop);
    }
}

/// Whoever waits for a turn after a panic, as of a caller's reader, would wait for ever.
struct StopOnPanic<'a, D, R, W>(&'a Line<D, R, W>);

impl<D, R, W> Drop for StopOnPanic<'_, D, R, W> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}
