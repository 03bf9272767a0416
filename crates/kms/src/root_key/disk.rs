//! Where the root is kept: read within limits, written whole or not at all, by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::RootError;
use super::file::{self, FormatError, MAX_FILE_LEN, Unproven};

/// The file's name in a data directory.
pub const FILE_NAME: &str = "root.json";

/// Held by whoever may change the file: a kms for as long as it runs, a command for as long as it works.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    _lock: File,
}

impl Disk {
    pub(super) fn lock(data_dir: &Path) -> Result<Self, RootError> {
        let path = data_dir.join("root.lock");
        let failed = |source| RootError::Io { path: path.clone(), source };
        let lock = private().create(true).truncate(false).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Disk { path: data_dir.join(FILE_NAME), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(RootError::Busy { data_dir: data_dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self) -> Result<Unproven, RootError> {
        read(&self.path)
    }

    /// Replaces the file; when this fails, the old one is still there, whole.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), RootError> {
        write(&self.path, bytes).map_err(|source| RootError::Io { path: self.path.clone(), source })
    }
}

/// Reads a file without holding the lock: it is replaced in one step.
pub(super) fn read(path: &Path) -> Result<Unproven, RootError> {
    let bytes = match read_limited(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(RootError::None { path: path.to_owned() });
        }
        Err(source) => return Err(RootError::Io { path: path.to_owned(), source }),
    };
    let malformed = |source| RootError::Malformed { path: path.to_owned(), source };
    if bytes.len() > MAX_FILE_LEN {
        return Err(malformed(FormatError::TooLong));
    }
    file::parse(&bytes).map_err(malformed)
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    // A leftover of a process that was killed here.
    let _ = fs::remove_file(&draft);
    let mut file = private().create_new(true).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// For a file that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}
