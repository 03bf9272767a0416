//! Gets a file: its ciphertext from the server's disk, where it is shared, or by URL; opened on this machine.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::thread::available_parallelism;

use bytes::{Buf as _, Bytes};
use crypto::FileKey;
use crypto::file::stream::{Error as StreamError, open_parallel};
use crypto::file::{OpenError, Plaintext, Reader};
use futures_core::Stream;
use rpc::courier::{Arriving, Carrier, CourierError};
use rpc::patience::Patience;
use tokio::sync::mpsc;
use types::file::Format;
use types::id::FileId;
use types::wire::tdfs_external::FileInfo;

use super::{FileError, blocking, file_key, place};
use crate::disk::{Draft, PRIVATE};
use crate::{Teehouse, disk};

/// Pieces of a download that wait to be opened.
const AHEAD: usize = 16;

/// Threads that open one file: more than these wait for the one that hashes.
const THREADS: usize = 4;

impl Teehouse {
    /// Fetches a file and decrypts it in memory. What comes back is what was declared, by size and SHA-256.
    ///
    /// # Errors
    /// [`FileError::NotAsDeclared`] when it is not; others say which step failed.
    pub async fn get_file(
        &self,
        file: &FileId,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<(FileInfo, Plaintext), FileError> {
        let info = self.complete_info(file).await?;
        let memory = disk::Memory::default();
        let (info, memory) = self.open_into(file, info, memory, progress).await?;
        Ok((info, memory.into_plaintext()))
    }

    /// Fetches a file to a path on this machine, readable by its owner alone: whole, checked and on disk, or not at
    /// all. What was there before is replaced.
    ///
    /// # Errors
    /// As [`Teehouse::get_file`], and [`FileError::Save`].
    pub async fn save_file(
        &self,
        file: &FileId,
        path: &Path,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<FileInfo, FileError> {
        let info = self.complete_info(file).await?;
        let to = path.to_owned();
        let save = |source| FileError::Save { path: path.to_owned(), source };
        let draft = blocking(move || Draft::create(&to, PRIVATE)).await.map_err(save)?;
        let (info, draft) = self.open_into(file, info, draft, progress).await.map_err(|error| match error {
            FileError::Write { source } => save(source),
            other => other,
        })?;
        blocking(move || draft.finish()).await.map_err(save)?;
        Ok(info)
    }

    /// Fetches a file into a stream. Only authenticated bytes of it are written; that they are all, and what was
    /// declared, is known when this returns and not before.
    ///
    /// # Errors
    /// As [`Teehouse::get_file`], and [`FileError::Write`].
    pub async fn stream_file(
        &self,
        file: &FileId,
        to: impl Write + Send + 'static,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<FileInfo, FileError> {
        let info = self.complete_info(file).await?;
        Ok(self.open_into(file, info, to, progress).await?.0)
    }

    async fn complete_info(&self, file: &FileId) -> Result<FileInfo, FileError> {
        let info = self.file_info(file).await?;
        if info.incomplete { Err(FileError::Incomplete { file: file.clone() }) } else { Ok(info) }
    }

    /// Opens a file's ciphertext, wherever it is, into a writer.
    async fn open_into<W: Write + Send + 'static>(
        &self,
        file: &FileId,
        info: FileInfo,
        to: W,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<(FileInfo, W), FileError> {
        let expected = Expected::of(file, &info)?;
        let shared = place::shared(file, &info.access_path, info.volume.as_deref())?;
        let opened = shared.filter(|_| !self.always_send).map(|path| (File::open(&path), path));
        let has_urls = info.download_url.is_some() || !info.download_parts.is_empty();
        let id = file.clone();
        let to = match opened {
            Some((Ok(from), path)) => {
                let fetch = move |source| FileError::Fetch { file: id.clone(), path: path.clone(), source };
                let length = from.metadata().map_err(&fetch)?.len();
                let from = Counted { from, done: 0, total: length, progress };
                blocking(move || expected.open(from, to, Some(length), fetch)).await?
            }
            Some((Err(source), path)) if !has_urls => return Err(FileError::Fetch { file: id, path, source }),
            _ if !has_urls => return Err(FileError::NothingStored { file: id }),
            _ => self.download(expected, &info, to, progress).await?,
        };
        Ok((info, to))
    }

    async fn download<W: Write + Send + 'static>(
        &self,
        expected: Expected,
        info: &FileInfo,
        to: W,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<W, FileError> {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let (file, total) = (expected.file.clone(), info.file_size);
        let fetching = Download { user: self, file: &file, pieces: sender }.run(info);
        let broken = {
            let file = file.clone();
            move |source| FileError::Receive { file: file.clone(), source: CourierError::Source(source) }
        };
        let opening = blocking(move || {
            let from =
                Counted { from: Pieces { current: Bytes::new(), ended: false, pieces }, done: 0, total, progress };
            expected.open(from, to, None, broken)
        });
        let (fetched, opened) = tokio::join!(fetching, opening);
        match fetched {
            // Why nothing came is why nothing could be opened.
            Err(source) if opened.is_err() => Err(source),
            _ => opened,
        }
    }
}

/// What a ciphertext must hold.
struct Expected {
    file: FileId,
    key: FileKey,
    size: u64,
    sha256: [u8; 32],
    format: Format,
}

impl Expected {
    fn of(file: &FileId, info: &FileInfo) -> Result<Self, FileError> {
        let (key, sha256) = (file_key(file, &info.key_config)?, *info.sha256.as_bytes());
        Ok(Expected { file: file.clone(), key, size: info.file_size, sha256, format: info.format })
    }

    /// Opens it from a reader into a writer; the writer, when every byte was checked.
    fn open<W: Write + Send>(
        self,
        from: impl Read + Send,
        mut to: W,
        stored_len: Option<u64>,
        unreadable: impl Fn(io::Error) -> FileError,
    ) -> Result<W, FileError> {
        let Expected { file, key, size, sha256, format } = self;
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| FileError::NotAsDeclared { file, source };
        match format {
            Format::Chunked => match open_parallel(&key, size, sha256, threads(), from, &mut to) {
                Ok(()) => Ok(to),
                Err(StreamError::Read(source)) => Err(unreadable(source)),
                Err(StreamError::Write(source)) => Err(FileError::Write { source }),
                Err(other) => Err(refused(Box::new(other))),
            },
            Format::Single => {
                let reader = Reader::new(&key, size, sha256);
                let reader = match stored_len {
                    Some(length) => reader.known_len(length),
                    None => reader,
                };
                match reader.read(from) {
                    Ok(plaintext) => {
                        to.write_all(&plaintext).map_err(|source| FileError::Write { source })?;
                        Ok(to)
                    }
                    Err(OpenError::Read(source)) => Err(unreadable(source)),
                    Err(other) => Err(refused(Box::new(other))),
                }
            }
        }
    }
}

fn threads() -> NonZeroUsize {
    let most = NonZeroUsize::MIN.saturating_add(THREADS - 1);
    available_parallelism().unwrap_or(NonZeroUsize::MIN).min(most)
}

/// One file on its way here, piece by piece; `None` is its end.
struct Download<'a> {
    user: &'a Teehouse,
    file: &'a FileId,
    pieces: mpsc::Sender<Option<Bytes>>,
}

/// How one attempt ended.
enum Ended {
    /// All is here.
    Whole,
    /// Nobody wants more.
    Unwanted,
}

impl Download<'_> {
    /// Fetches all pieces, and goes on where a connection broke.
    async fn run(self, info: &FileInfo) -> Result<(), FileError> {
        let carrier = if info.volume.is_some() { Carrier::Service } else { Carrier::Store };
        let (mut urls, mut done, mut patience) = (urls(info), 0, Patience::default());
        loop {
            let before = done;
            let error = match self.fetch(carrier, &urls, &mut done).await {
                Ok(Ended::Whole) => {
                    let _ = self.pieces.send(None).await;
                    return Ok(());
                }
                Ok(Ended::Unwanted) => return Ok(()),
                Err(error) => error,
            };
            if done > before {
                patience.renew();
            }
            if !(error.is_passing() || error.is_expired()) || !patience.again().await {
                return Err(FileError::Receive { file: self.file.clone(), source: error });
            }
            if let Ok(info) = self.user.file_info(self.file).await {
                urls = self::urls(&info);
            }
        }
    }

    /// One attempt, from where the last one ended.
    async fn fetch(
        &self,
        carrier: Carrier,
        urls: &[(String, Option<u64>)],
        done: &mut u64,
    ) -> Result<Ended, CourierError> {
        let mut start = 0;
        for (url, size) in urls {
            let skip = done.saturating_sub(start);
            if size.is_some_and(|size| skip >= size) {
                start += size.unwrap_or(0);
                continue;
            }
            let range = (skip > 0).then(|| skip..size.unwrap_or(u64::MAX));
            let arriving = match self.user.courier.get(carrier, url, range).await {
                // Nothing is left of the last one.
                Err(CourierError::Refused { status: 416, .. }) if skip > 0 && size.is_none() => {
                    return Ok(Ended::Whole);
                }
                arriving => arriving?,
            };
            if matches!(self.pass_on(arriving, done).await?, Ended::Unwanted) {
                return Ok(Ended::Unwanted);
            }
            if let Some(size) = size {
                start += size;
                if *done < start {
                    return Err(CourierError::Slow);
                }
            }
        }
        Ok(Ended::Whole)
    }

    async fn pass_on(&self, mut arriving: Arriving, done: &mut u64) -> Result<Ended, CourierError> {
        loop {
            let piece = poll_fn(|cx| Pin::new(&mut arriving).poll_next(cx)).await;
            let Some(piece) = piece else { return Ok(Ended::Whole) };
            let piece = piece.map_err(CourierError::Connection)?;
            let length = piece.len() as u64;
            if self.pieces.send(Some(piece)).await.is_err() {
                return Ok(Ended::Unwanted);
            }
            *done += length;
        }
    }
}

/// Where the pieces are, and how long those are whose length is known.
fn urls(info: &FileInfo) -> Vec<(String, Option<u64>)> {
    match &info.download_url {
        Some(url) => vec![(url.clone(), None)],
        None => info.download_parts.iter().map(|part| (part.url.clone(), Some(part.size))).collect(),
    }
}

/// Pieces as a reader: it fails when they end without their end.
struct Pieces {
    current: Bytes,
    ended: bool,
    pieces: mpsc::Receiver<Option<Bytes>>,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.current = piece,
                Some(None) => self.ended = true,
                None if self.ended => return Ok(0),
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        let length = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

/// A reader that tells how far it is.
struct Counted<R, P> {
    from: R,
    done: u64,
    total: u64,
    progress: P,
}

impl<R: Read, P: FnMut(u64, u64)> Read for Counted<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// Small enough for a bar to move, large enough for the disk.
        const PIECE_LEN: usize = 1 << 20;
        let piece = buffer.len().min(PIECE_LEN);
        let count = self.from.read(&mut buffer[..piece])?;
        self.done += count as u64;
        (self.progress)(self.done.min(self.total), self.total);
        Ok(count)
    }
}
