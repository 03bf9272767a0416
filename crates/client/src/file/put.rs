//! Puts a file: sealed on this machine, in one message or in chunks, and brought to the server's disk or sent to it.
//!
//! ```text
//! one message   read + hash ─▶ Create (size, SHA-256) ─▶ seal in memory ─▶ place
//! chunks        Create ─▶ read, hash, seal and place as it goes ─▶ CompleteUpload (size, SHA-256)
//! place         the server's own disk, where it is shared: a draft, then its name
//!               else parts by URL, several at once, ─▶ CompleteUpload
//! ```

use std::fs;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;

use crypto::FileKey;
use crypto::file::stream::{ChunkLen, Error as StreamError, Header, Layout, Salt, Writer, seal_parallel};
use crypto::file::{Plaintext, seal};
use crypto::hash::{Sha256, hex};
use types::consent::FilePolicy;
use types::digest::Digest;
use types::file::{FileName, Format, PART_BYTES};
use types::id::FileId;
use types::wire::tdfs_external::{CreateFile, CreatedFile, Response};

use super::resume::{Slot, Stamp, Unfinished};
use super::source::{Contents, Source, hashed};
use super::upload::{self, Progress, Upload};
use super::{FileError, StoredFile, blocking, file_key, place};
use crate::disk::Draft;
use crate::{RequestError, Teehouse, disk};

/// Up to what size a file is sealed in one message unless something else is asked for, in bytes: 256 MiB.
pub const SINGLE_BYTES: u64 = 256 << 20;

/// Bytes of a stream that are read to find out whether it is short.
const SHORT_BYTES: u64 = 8 << 20;

/// Threads that seal one file: more than these wait for the one that hashes.
const THREADS: usize = 4;

/// How a file is put.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its display name.
    pub name: FileName,
    /// How it is sealed; by its size when absent: up to [`Put::single_bytes`] in one message.
    pub format: Option<Format>,
    /// Up to what size a file is sealed in one message, in bytes.
    pub single_bytes: u64,
    /// What tasks may do with it; anything that its owner approves, when absent.
    pub policy: Option<FilePolicy>,
}

impl Put {
    /// A file of this name, sealed by its size.
    pub fn named(name: FileName) -> Self {
        Put { name, format: None, single_bytes: SINGLE_BYTES, policy: None }
    }

    fn is_single(&self, size: u64) -> bool {
        self.format.map_or(size <= self.single_bytes, |format| format == Format::Single)
    }
}

/// A declared file, and where its ciphertext goes.
struct Declared {
    file: FileId,
    key: FileKey,
    place: Place,
    whole: Option<Whole>,
}

enum Place {
    Disk(PathBuf),
    Server,
}

/// Where a whole ciphertext can be sent, and whether that is the service itself.
struct Whole {
    url: String,
    attested: bool,
}

/// A file in chunks that was begun, now or before.
struct Begun {
    declared: Declared,
    header: Header,
    slot: Option<Slot>,
    /// What the source was when an earlier client began with it; nothing where none did.
    resumed: Option<Stamp>,
}

/// What there is of a file in chunks when it is to be put.
enum Beginning {
    /// Something to do.
    Now(Begun),
    /// Nothing: an earlier client was killed before it heard that it had ended.
    Ended(StoredFile),
}

impl Beginning {
    fn file(&self) -> &FileId {
        match self {
            Beginning::Now(begun) => &begun.declared.file,
            Beginning::Ended(stored) => &stored.file_id,
        }
    }
}

impl Teehouse {
    /// Encrypts a file on this machine and puts it.
    ///
    /// `progress` hears how many bytes of how many are done; of how many is 0 while that is not known. A file in chunks
    /// whose upload breaks off, or whose client is killed, goes on where it was when the same file is put again.
    ///
    /// # Errors
    /// [`FileError`] says which step failed.
    pub async fn put_file(
        &self,
        contents: Contents,
        put: Put,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        match blocking(move || Source::open(contents)).await? {
            Source::Whole(bytes) if put.is_single(bytes.len() as u64) => self.put_message(bytes, put, progress).await,
            Source::Whole(bytes) => self.put_stream("memory".into(), io::Cursor::new(bytes), put, progress).await,
            Source::File(path, file, size) if put.is_single(size) => {
                let bytes = read_whole(path, file, size).await?;
                self.put_message(bytes, put, progress).await
            }
            Source::File(path, file, size) => self.put_chunks((path, file, size), put, progress).await,
            Source::Stream(path, from) => self.put_unmeasured(path, from, put, progress).await,
        }
    }

    /// What ends when it ends: in one message if that is asked for, or it turns out to be short.
    async fn put_unmeasured(
        &self,
        path: PathBuf,
        from: Box<dyn Read + Send>,
        put: Put,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        match put.format {
            Some(Format::Chunked) => self.put_stream(path, from, put, progress).await,
            Some(Format::Single) => {
                let bytes = read_whole(path, from, 0).await?;
                self.put_message(bytes, put, progress).await
            }
            None => {
                let (start, rest) = read_start(path.clone(), from, SHORT_BYTES.min(put.single_bytes)).await?;
                match rest {
                    None => self.put_message(start, put, progress).await,
                    Some(rest) => self.put_stream(path, io::Cursor::new(start).chain(rest), put, progress).await,
                }
            }
        }
    }

    async fn put_message(
        &self,
        plaintext: Plaintext,
        put: Put,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        let (plaintext, sha256) = blocking(move || hashed(plaintext)).await;
        let file_size = plaintext.len() as u64;
        let Declared { file, key, place, whole } = self.declare(put, Some((file_size, sha256)), Format::Single).await?;
        let id = file.clone();
        let sealed = blocking(move || seal(plaintext, key)).await;
        let is_short = |sealed: &[u8]| sealed.len() as u64 <= PART_BYTES;
        let completed = match (sealed, place, whole) {
            (Ok(sealed), Place::Server, Some(Whole { url, attested })) if is_short(&sealed) => {
                let (tell, total) = (telling(progress, sealed.len() as u64), sealed.len() as u64);
                let sent = upload::send_whole(self, &file, (&url, attested), sealed.into()).await;
                sent.inspect(|()| tell.add(total))
            }
            (Ok(sealed), place, _) => {
                let tell = telling(progress, sealed.len() as u64);
                let write = move |to: &mut (dyn Write + Send)| to.write_all(&sealed).map_err(StreamError::Write);
                match (self.bring(&file, &place, (tell, false), "memory".into(), write).await, place) {
                    (Ok(()), Place::Server) => upload::complete(self, &file, None).await,
                    (stored, _) => stored,
                }
            }
            (Err(source), ..) => Err(FileError::Seal { file: id, source: Box::new(source) }),
        };
        match completed {
            Ok(()) => Ok(StoredFile { file_id: file, sha256, file_size }),
            Err(error) => Err(self.give_up(&file, error).await),
        }
    }

    /// A file of known size, sealed in chunks as it is read.
    async fn put_chunks(
        &self,
        (path, source, size): (PathBuf, fs::File, u64),
        put: Put,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        let begun = match self.begin(&path, &source, size, put).await? {
            Beginning::Now(begun) => begun,
            Beginning::Ended(stored) => return Ok(stored),
        };
        let Begun { declared: Declared { file, key, place, .. }, header, slot, resumed } = begun;
        let total = Layout::new(header.chunk_len(), size).map_or(size, |layout| layout.sealed_len());
        let tell = telling(progress, total);
        let write = move |to: &mut (dyn Write + Send)| seal_parallel(&key, header, size, threads(), source, to);
        let sealed = self.bring(&file, &place, (tell, resumed.is_some()), path.clone(), write).await;
        let completed = match sealed {
            Ok(digest) => self.complete(&file, size, digest).await,
            Err(error) => Err(error),
        };
        let completed = match (completed, resumed) {
            (Err(error), Some(stamp)) if error.is_conflict() => self.confirm(&file, size, (&path, stamp), error).await,
            (completed, _) => completed,
        };
        match (completed, slot) {
            // What arrived is kept, and the salt that it goes on with.
            (Err(error), Some(_)) if error.is_passing() => Err(FileError::Interrupted(Box::new(error))),
            (completed, slot) => {
                slot.iter().for_each(Slot::clear);
                match completed {
                    Ok(stored) => Ok(stored),
                    Err(error) => Err(self.give_up(&file, error).await),
                }
            }
        }
    }

    /// What ends when it ends, sealed in chunks as it comes.
    async fn put_stream(
        &self,
        path: PathBuf,
        from: impl Read + Send + 'static,
        put: Put,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        let Declared { file, key, place, .. } = self.declare(put, None, Format::Chunked).await?;
        let header = Header::new(ChunkLen::DEFAULT, Salt::generate());
        let tell = telling(progress, 0);
        let write = move |to: &mut (dyn Write + Send)| seal_stream(&key, header, from, to);
        let completed = match self.bring(&file, &place, (tell, false), path, write).await {
            Ok((size, digest)) => self.complete(&file, size, digest).await,
            Err(error) => Err(error),
        };
        match completed {
            Ok(stored) => Ok(stored),
            Err(error) => Err(self.give_up(&file, error).await),
        }
    }

    /// Says what a file in chunks turned out to hold.
    async fn complete(&self, file: &FileId, file_size: u64, digest: [u8; 32]) -> Result<StoredFile, FileError> {
        let sha256 = Digest::new(digest);
        upload::complete(self, file, Some((file_size, sha256))).await?;
        Ok(StoredFile { file_id: file.clone(), sha256, file_size })
    }

    /// Completes what an earlier client had brought whole before it was killed: its last word reached the server when this
    /// one had asked already how far it was, or the server was killed over it.
    async fn confirm(
        &self,
        file: &FileId,
        size: u64,
        (path, stamp): (&Path, Stamp),
        conflict: FileError,
    ) -> Result<StoredFile, FileError> {
        let path = path.to_owned();
        let digest = blocking(move || {
            let digest = disk::digest(&path)?;
            Ok::<_, io::Error>((Stamp::of(&fs::metadata(&path)?) == stamp).then_some(digest))
        });
        match digest.await {
            Ok(Some(digest)) => self.complete(file, size, digest).await,
            _ => Err(conflict),
        }
    }

    /// Brings to its place what `write` writes; what that returns, once all of it is there.
    async fn bring<T: Send + 'static>(
        &self,
        file: &FileId,
        place: &Place,
        (tell, resumed): (Progress, bool),
        path: PathBuf,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, StreamError> + Send + 'static,
    ) -> Result<T, FileError> {
        let id = file.clone();
        match place {
            Place::Disk(to) => {
                let to = to.clone();
                blocking(move || {
                    let store = |source| FileError::Store { file: id.clone(), path: to.clone(), source };
                    let mut draft = Draft::create(&to, disk::SHARED).map_err(store)?;
                    let written = write(&mut Counted { to: &mut draft, tell }).map_err(|error| match error {
                        StreamError::Write(source) => store(source),
                        other => sealing_failed(&id, &path, other),
                    })?;
                    draft.finish().map_err(store)?;
                    Ok(written)
                })
                .await
            }
            Place::Server => {
                let (upload, mut writer, parts) = Upload::begin(self, file, tell, resumed).await?;
                let writing = blocking(move || {
                    let written = write(&mut writer).map_err(|error| sealing_failed(&id, &path, error))?;
                    writer.finish().map_err(|source| sealing_failed(&id, &path, StreamError::Write(source)))?;
                    Ok(written)
                });
                let (sent, written) = tokio::join!(upload.run(parts), writing);
                // When sending fails, writing does so too: the reason is the former's.
                sent.and(written)
            }
        }
    }

    /// Declares a file in chunks, or goes on with one that was begun from the same source.
    async fn begin(&self, path: &Path, source: &fs::File, size: u64, put: Put) -> Result<Beginning, FileError> {
        let read = |source| FileError::Read { path: path.to_owned(), source };
        let stamp = Stamp::of(&source.metadata().map_err(read)?);
        let slot = match &self.uploads {
            Some(memory) => Some(memory.slot(&self.server, self.user.as_str(), path).map_err(read)?),
            None => None,
        };
        if let Some(begun) = self.recall(slot.as_ref(), stamp, path).await {
            // It may have been begun with another policy.
            if let Some(policy) = put.policy {
                self.set_file_policy(begun.file(), Some(policy)).await?;
            }
            return Ok(begun);
        }
        let header = Header::for_size(size);
        let declared = self.declare(put, None, Format::Chunked).await?;
        let slot = slot.filter(|_| matches!(declared.place, Place::Server));
        if let Some(slot) = &slot {
            let (file_id, header) = (declared.file.clone(), hex(&header.encode()));
            // Before the first part is sent: what was sent can be continued with the same salt alone.
            let kept = slot.keep(&Unfinished { file_id, header, source: stamp });
            kept.map_err(|source| FileError::Remember { source })?;
        }
        Ok(Beginning::Now(Begun { declared, header, slot, resumed: None }))
    }

    /// What an earlier client began with this very source.
    async fn recall(&self, slot: Option<&Slot>, stamp: Stamp, path: &Path) -> Option<Beginning> {
        let (slot, path) = (slot?, path.to_owned());
        let unfinished = slot.recall(stamp)?;
        let header = unfinished.header()?;
        let info = self.file_info(&unfinished.file_id).await.ok()?;
        let file = unfinished.file_id;
        if info.incomplete {
            let key = file_key(&file, &info.key_config).ok()?;
            let declared = Declared { file, key, place: Place::Server, whole: None };
            return Some(Beginning::Now(Begun { declared, header, slot: Some(slot.clone()), resumed: Some(stamp) }));
        }
        let sha256 = Digest::new(blocking(move || disk::digest(&path)).await.ok()?);
        slot.clear();
        let stored = StoredFile { file_id: file, sha256, file_size: info.file_size };
        (sha256 == info.sha256).then_some(Beginning::Ended(stored))
    }

    async fn declare(&self, put: Put, content: Option<(u64, Digest)>, format: Format) -> Result<Declared, FileError> {
        let Put { name: file_name, policy, .. } = put;
        let request = CreateFile {
            file_name: file_name.clone(),
            sha256: content.map(|(_, sha256)| sha256),
            file_size: content.map(|(size, _)| size),
            user_id: self.user.clone(),
            user_token: self.token.clone(),
            format,
            policy,
        };
        let CreatedFile { file_id, access_path, key_config, volume, upload_url, .. } =
            match self.tdfs.call(request).await {
                Ok(Response::Create(created)) => created,
                other => return Err(FileError::Create { name: file_name, source: RequestError::of(other) }),
            };
        let place = match place::shared_writable(&file_id, &access_path, volume.as_deref())? {
            Some(path) if !self.always_send => Place::Disk(path),
            _ => Place::Server,
        };
        let whole = upload_url.map(|url| Whole { url, attested: volume.is_some() });
        Ok(Declared { key: file_key(&file_id, &key_config)?, file: file_id, place, whole })
    }

    /// Removes what a failure leaves at the server.
    async fn give_up(&self, file: &FileId, error: FileError) -> FileError {
        // Best effort: the first error is the one to tell.
        let _ = self.forget(file).await;
        error
    }
}

/// Reads all of a source into memory.
async fn read_whole(path: PathBuf, from: impl Read + Send + 'static, size: u64) -> Result<Plaintext, FileError> {
    blocking(move || disk::read_all(from, size).map_err(|source| FileError::Read { path, source })).await
}

/// Reads the start of a source; what is left when it is longer.
async fn read_start(
    path: PathBuf,
    from: Box<dyn Read + Send>,
    limit: u64,
) -> Result<(Plaintext, Option<Box<dyn Read + Send>>), FileError> {
    blocking(move || disk::read_start(from, limit).map_err(|source| FileError::Read { path, source })).await
}

fn threads() -> NonZeroUsize {
    let most = NonZeroUsize::MIN.saturating_add(THREADS - 1);
    available_parallelism().unwrap_or(NonZeroUsize::MIN).min(most)
}

/// Seals what ends when it ends; its size and SHA-256.
fn seal_stream(
    key: &FileKey,
    header: Header,
    mut from: impl Read,
    to: &mut (dyn Write + Send),
) -> Result<(u64, [u8; 32]), StreamError> {
    let (mut writer, mut hasher, mut size) = (Writer::new(to, key, header)?, Sha256::new(), 0);
    let mut buffer = zeroize::Zeroizing::new(vec![0; header.chunk_len().bytes()]);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StreamError::Read(error)),
        };
        hasher.update(&buffer[..read]);
        writer.write_all(&buffer[..read]).map_err(StreamError::Write)?;
        size += read as u64;
    }
    writer.finish()?;
    Ok((size, hasher.finish()))
}

fn sealing_failed(file: &FileId, path: &Path, error: StreamError) -> FileError {
    match error {
        StreamError::Read(source) => FileError::Read { path: path.to_owned(), source },
        StreamError::WrongLength { .. } => FileError::Changed { path: path.to_owned() },
        error => FileError::Seal { file: file.clone(), source: Box::new(error) },
    }
}

/// Tells a callback the sum of what is done.
fn telling(mut progress: impl FnMut(u64, u64) + Send + 'static, total: u64) -> Progress {
    let mut done = 0;
    Progress(Arc::new(Mutex::new(move |bytes| {
        done += bytes;
        progress(done, total);
    })))
}

/// A writer that tells how far it is.
struct Counted<W> {
    to: W,
    tell: Progress,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.tell.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
