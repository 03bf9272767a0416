//! What can go wrong with a file, and what to do about it.

use std::io;
use std::path::PathBuf;

use crypto::BadKey;
use crypto::file::{OpenError, TooLong};
use types::file::FileName;
use types::id::FileId;

use crate::RequestError;

/// Something that could not be done with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading what is to be put.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file on this machine.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Declaring it.
    #[error("file `{name}` was not accepted")]
    Create {
        /// Its display name.
        name: FileName,
        /// Why.
        source: RequestError,
    },
    /// Encrypting it.
    #[error("file {file} can't be encrypted")]
    Seal {
        /// The file.
        file: FileId,
        /// Why.
        source: TooLong,
    },
    /// Writing its ciphertext; its record was removed again.
    #[error("the ciphertext of file {file} can't be written to {}", path.display())]
    Store {
        /// The file.
        file: FileId,
        /// Where it was to go.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Looking at its record.
    #[error("file {file} can't be shown")]
    Show {
        /// The file.
        file: FileId,
        /// Why.
        source: RequestError,
    },
    /// Listing them.
    #[error("files can't be listed")]
    List(#[source] RequestError),
    /// Finding its ciphertext.
    #[error("the ciphertext of file {file} can't be read from {}", path.display())]
    Fetch {
        /// The file.
        file: FileId,
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its stored bytes are not those that its record declares. Nothing of them was kept.
    #[error("file {file} is not what was declared, nothing of it was kept")]
    NotAsDeclared {
        /// The file.
        file: FileId,
        /// Which check failed.
        source: OpenError,
    },
    /// Writing its plaintext.
    #[error("{} can't be written", path.display())]
    Save {
        /// The file on this machine.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Removing its record and key.
    #[error("file {file} was not deleted")]
    Delete {
        /// The file.
        file: FileId,
        /// Why.
        source: RequestError,
    },
    /// Removing its ciphertext; its record and key are gone.
    #[error("file {file} is deleted, but its ciphertext {} can't be removed", path.display())]
    Remove {
        /// The file.
        file: FileId,
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record's path is not one that this file's ciphertext can have.
    #[error("file {file} has the ciphertext path `{path}`, which is not an absolute path that ends in its id")]
    BadPath {
        /// The file.
        file: FileId,
        /// The path.
        path: String,
    },
    /// The record's key is none.
    #[error("file {file} has no usable key")]
    BadKey {
        /// The file.
        file: FileId,
        /// Why.
        source: BadKey,
    },
}

impl FileError {
    /// The request behind it that brought no answer, if there is one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            FileError::Create { source, .. }
            | FileError::Show { source, .. }
            | FileError::Delete { source, .. }
            | FileError::List(source) => Some(source),
            _ => None,
        }
    }

    /// What to do about it, where there is something to be done.
    pub fn help(&self) -> Option<String> {
        match self {
            FileError::Store { .. } => Some(
                "client and server share a disk in this version: the path must exist here \
                                             and be writable by you"
                    .to_owned(),
            ),
            FileError::Fetch { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "it was declared but never put, or the server's files are on another machine; client and server \
                      share a disk in this version"
                    .to_owned(),
            ),
            FileError::Fetch { .. } => Some(
                "client and server share a disk in this version: the path must be \
                                             readable by you"
                    .to_owned(),
            ),
            FileError::NotAsDeclared { .. } => Some(
                "somebody changed the stored bytes, or the file was put wrong: ask its owner to put it again"
                    .to_owned(),
            ),
            FileError::Remove { path, .. } => {
                Some(format!("remove {} yourself; nobody can read it any more", path.display()))
            }
            FileError::BadPath { .. } | FileError::BadKey { .. } => {
                Some("the server's answer makes no sense: check that both sides are of one version".to_owned())
            }
            other => other.request().and_then(RequestError::help),
        }
    }
}
