//! Where large outputs wait for their run's end: files without a name, sealed under keys that only this process has.
//!
//! A spooled output lies in the data directory's `spool`, in the chunked format, under a random key of its own that is
//! never written anywhere. Its name is removed before its first byte is written, so nothing is left of it when the
//! process ends, however it ends; and what is left on the disk's blocks opens under no key that exists.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crypto::FileKey;
use crypto::file::stream::{ChunkLen, Error as StreamError, Header, Reader, Salt, Writer};
use crypto::hash::{Sha256, hex};
use types::digest::Digest;

/// What a spooled output is written to and read from.
pub(crate) trait Storage: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Storage for T {}

/// Makes places for outputs.
pub(crate) trait Spool: Send + Sync {
    /// An empty place that nobody else has.
    fn create(&self) -> io::Result<Box<dyn Storage>>;
}

/// Places in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The spool of a data directory. The folder is made when it is needed.
    pub(crate) fn of(data_dir: &Path) -> Self {
        Folder(data_dir.join("spool"))
    }

    /// Removes what a process left that was killed between making a file and removing its name.
    pub(crate) fn clear(&self) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(%error, "what is left in the spool can't be removed");
            }
        }
    }
}

impl Spool for Folder {
    fn create(&self) -> io::Result<Box<dyn Storage>> {
        const OWNER_ALONE: u32 = 0o700;
        DirBuilder::new().recursive(true).mode(OWNER_ALONE).create(&self.0)?;
        let path = self.0.join(hex(&crypto::random::bytes::<16>()));
        let file: File = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        match fs::remove_file(&path) {
            // Another process that clears its spool was faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Box::new(file)),
        }
    }
}

/// An output on its way to the spool; holds one chunk in memory.
pub(crate) struct Spooling {
    writer: Writer<Box<dyn Storage>>,
    key: FileKey,
    digest: Sha256,
    size: u64,
}

impl Spooling {
    /// # Errors
    /// When there is no place, or the first bytes can't be written.
    pub(crate) fn begin(spool: &dyn Spool) -> io::Result<Self> {
        let (key, header) = (FileKey::generate(), Header::new(ChunkLen::DEFAULT, Salt::generate()));
        let writer = Writer::new(spool.create()?, &key, header).map_err(into_io)?;
        Ok(Spooling { writer, key, digest: Sha256::new(), size: 0 })
    }

    /// # Errors
    /// When the disk fails or is full.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        self.writer.write_all(bytes)
    }

    /// # Errors
    /// When the disk fails or is full.
    pub(crate) fn finish(self) -> io::Result<Spooled> {
        let storage = self.writer.finish().map_err(into_io)?;
        Ok(Spooled { storage, key: self.key, size: self.size, sha256: Digest::new(self.digest.finish()) })
    }
}

/// An output in the spool.
pub(crate) struct Spooled {
    storage: Box<dyn Storage>,
    key: FileKey,
    size: u64,
    sha256: Digest,
}

impl Spooled {
    /// Plaintext bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the plaintext.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Reads it from its start: what was written, or an error.
    ///
    /// # Errors
    /// When the disk fails, or does not have what was written.
    pub(crate) fn read(&mut self) -> io::Result<Reader<&mut (dyn Storage + 'static)>> {
        self.storage.rewind()?;
        Reader::new(&mut *self.storage, &self.key, self.size).map_err(into_io)
    }
}

fn into_io(error: StreamError) -> io::Error {
    match error {
        StreamError::Read(error) | StreamError::Write(error) => error,
        other => io::Error::other(other),
    }
}
