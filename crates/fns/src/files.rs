//! A task's files: ciphertext on a disk that nobody trusts, plaintext in memory that nobody else sees.
//!
//! Whoever can write to the disk may have put anything under a file's path: a link, a pipe, other bytes. So a path is
//! opened without following links or waiting, must be a regular file of exactly the declared length, and what is in it
//! counts only once its tag and its SHA-256 have been checked.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crypto::file::{OpenError, Plaintext, Reader};
use crypto::{BadKey, FileKey};
use executor::{Files, Output, Sink};
use rustix::fs::OFlags;
use rustix::io::Errno;
use types::digest::Digest;
use types::key::KeyConfig;
use zeroize::Zeroizing;

/// Why a stored file is not the declared one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("its ciphertext was never uploaded")]
    Missing,
    #[error("what is stored is not a regular file")]
    NotRegular,
    #[error("its key is malformed")]
    Key(#[from] BadKey),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("it can't be read")]
    Io(#[from] io::Error),
}

/// Reads, opens and checks a stored file.
pub(crate) fn read(
    path: &Path,
    key: &KeyConfig,
    size: u64,
    sha256: Digest,
    limit: u64,
) -> Result<Plaintext, ReadError> {
    let key = file_key(key)?;
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    Ok(Reader::new(&key, size, *sha256.as_bytes()).limit(limit).known_len(length).read(file)?)
}

fn open_regular(path: &Path) -> Result<File, ReadError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Missing),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => return Err(ReadError::NotRegular),
        file => file?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotRegular) }
}

fn file_key(config: &KeyConfig) -> Result<FileKey, BadKey> {
    FileKey::new(config.key.expose(), config.nonce.expose(), config.ad.expose())
}

/// Seals a plaintext and stores it: whole and on the disk when this returns, or not there at all.
pub(crate) fn write(path: &Path, key: &KeyConfig, plaintext: Plaintext) -> io::Result<()> {
    let key = file_key(key).map_err(io::Error::other)?;
    let ciphertext = crypto::file::seal(plaintext, key).map_err(io::Error::other)?;
    let draft = path.with_extension("new");
    let stored = store(&draft, path, &ciphertext);
    if stored.is_err() {
        let _ = fs::remove_file(&draft);
    }
    stored
}

fn store(draft: &Path, path: &Path, ciphertext: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
    file.write_all(ciphertext)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Outputs that a function finished.
pub(crate) type Outputs = BTreeMap<Output, Plaintext>;

/// One run's files, all in memory.
pub(crate) struct MemoryFiles {
    inputs: Vec<Shared>,
    finished: Arc<Mutex<Outputs>>,
}

/// An input that several readers can have open.
#[derive(Clone)]
struct Shared(Arc<Plaintext>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl MemoryFiles {
    pub(crate) fn new(inputs: Vec<Plaintext>) -> Self {
        let inputs = inputs.into_iter().map(|input| Shared(Arc::new(input))).collect();
        MemoryFiles { inputs, finished: Arc::default() }
    }

    /// The finished outputs, in the order of the task's parties.
    pub(crate) fn into_outputs(self) -> Outputs {
        std::mem::take(&mut self.finished.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Files for MemoryFiles {
    fn count(&self) -> usize {
        self.inputs.len()
    }

    fn size(&self, input: usize) -> u64 {
        self.inputs[input].0.len() as u64
    }

    fn open(&mut self, input: usize) -> io::Result<Box<dyn BufRead + Send>> {
        let input = self.inputs.get(input).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(input.clone())))
    }

    fn create(&mut self, output: Output) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(MemorySink { output, content: Zeroizing::default(), finished: self.finished.clone() }))
    }
}

struct MemorySink {
    output: Output,
    content: Zeroizing<Vec<u8>>,
    finished: Arc<Mutex<Outputs>>,
}

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for MemorySink {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let content = Plaintext::from(std::mem::take(&mut *self.content));
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).insert(self.output, content);
        Ok(())
    }
}
