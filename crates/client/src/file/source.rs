//! What is to be put: a file, a stream, lines, or bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crypto::file::Plaintext;
use crypto::hash::Sha256;
use types::digest::Digest;

use super::FileError;
use crate::{disk, records};

/// What a new file is to hold.
pub enum Contents {
    /// A file's bytes as they are.
    File(PathBuf),
    /// The 32-byte records of a text file's lines (see [`records`]).
    Lines(PathBuf),
    /// These bytes.
    Bytes(Plaintext),
    /// All that comes out of this, however much it is; the name is for messages.
    Stream(&'static str, Box<dyn Read + Send>),
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contents::File(path) => write!(f, "File({})", path.display()),
            Contents::Lines(path) => write!(f, "Lines({})", path.display()),
            Contents::Bytes(bytes) => write!(f, "Bytes({bytes:?})"),
            Contents::Stream(name, _) => write!(f, "Stream({name})"),
        }
    }
}

/// An open source.
pub(super) enum Source {
    /// In memory.
    Whole(Plaintext),
    /// A regular file of known size.
    File(PathBuf, File, u64),
    /// Something that ends when it ends.
    Stream(PathBuf, Box<dyn Read + Send>),
}

impl Source {
    /// Opens what is to be put.
    pub(super) fn open(contents: Contents) -> Result<Self, FileError> {
        match contents {
            Contents::Bytes(bytes) => Ok(Source::Whole(bytes)),
            Contents::Stream(name, from) => Ok(Source::Stream(PathBuf::from(name), from)),
            Contents::Lines(path) => {
                let text = disk::read(&path).map_err(|source| FileError::Read { path, source })?;
                Ok(Source::Whole(records::from_lines(&text).into()))
            }
            Contents::File(path) => Self::open_file(path),
        }
    }

    fn open_file(path: PathBuf) -> Result<Self, FileError> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((found, _)) if found.is_dir() => {
                Err(FileError::Read { path, source: io::ErrorKind::IsADirectory.into() })
            }
            Ok((found, file)) if found.is_file() => Ok(Source::File(path, file, found.len())),
            Ok((_, file)) => Ok(Source::Stream(path, Box::new(file))),
            Err(source) => Err(FileError::Read { path, source }),
        }
    }
}

/// A whole plaintext and its digest.
pub(super) fn hashed(plaintext: Plaintext) -> (Plaintext, Digest) {
    let digest = Sha256::digest(&plaintext);
    (plaintext, Digest::new(digest))
}
