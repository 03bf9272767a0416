//! Where an input's ciphertext is: on a disk that the node shares, or in an object store.
//!
//! Whoever can write to the disk may have put anything under a file's path: a link, a pipe, other bytes. So a path is
//! opened without following links or waiting, must be a regular file, and what is in it counts only once its seal and
//! its SHA-256 have been checked. The same goes for what an object store answers.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::ReadError;
use super::remote::{Remote, Store};

/// Where a ciphertext is.
pub(crate) enum Source {
    /// Under this path.
    Disk(PathBuf),
    /// Behind these URLs.
    Store(Arc<Store>),
    /// Nothing was uploaded.
    Nowhere,
}

impl Source {
    /// Opens the ciphertext at its start; may be done again.
    ///
    /// # Errors
    /// [`ReadError::Missing`], [`ReadError::NotRegular`], [`ReadError::Io`].
    pub(crate) fn open(&self) -> Result<Ciphertext, ReadError> {
        match self {
            Source::Disk(path) => Ok(Ciphertext::Disk(open_regular(path)?)),
            Source::Store(store) => Ok(Ciphertext::Store(Box::new(Remote::new(store.clone())))),
            Source::Nowhere => Err(ReadError::Missing),
        }
    }
}

/// An open ciphertext.
pub(crate) enum Ciphertext {
    Disk(File),
    Store(Box<Remote>),
}

impl Ciphertext {
    /// The length that was seen, where it is more than a claim.
    pub(crate) fn known_len(&self) -> io::Result<Option<u64>> {
        match self {
            Ciphertext::Disk(file) => Ok(Some(file.metadata()?.len())),
            Ciphertext::Store(_) => Ok(None),
        }
    }
}

impl Read for Ciphertext {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Ciphertext::Disk(file) => file.read(out),
            Ciphertext::Store(remote) => remote.read(out),
        }
    }
}

impl Seek for Ciphertext {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Ciphertext::Disk(file) => file.seek(to),
            Ciphertext::Store(remote) => remote.seek(to),
        }
    }
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
