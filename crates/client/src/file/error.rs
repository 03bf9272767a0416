//! What can go wrong with a file, and what to do about it.

use std::io;
use std::path::PathBuf;

use crypto::BadKey;
use rpc::courier::CourierError;
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
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is to be put changed while it was read.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The file on this machine.
        path: PathBuf,
    },
    /// Sending its ciphertext.
    #[error("the ciphertext of file {file} can't be sent")]
    Send {
        /// The file.
        file: FileId,
        /// Why.
        source: CourierError,
    },
    /// Making a file of what was sent.
    #[error("the upload of file {file} can't be completed")]
    Complete {
        /// The file.
        file: FileId,
        /// Why.
        source: RequestError,
    },
    /// The upload broke off; what arrived is kept.
    #[error("the upload is interrupted")]
    Interrupted(#[source] Box<FileError>),
    /// What an upload needs to be continued later can't be written.
    #[error("the upload can't be remembered on this machine")]
    Remember {
        /// Why.
        source: io::Error,
    },
    /// Its upload has not ended.
    #[error("the upload of file {file} has not ended")]
    Incomplete {
        /// The file.
        file: FileId,
    },
    /// It was declared and has no ciphertext.
    #[error("file {file} has no content yet")]
    NothingStored {
        /// The file.
        file: FileId,
    },
    /// Receiving its ciphertext.
    #[error("the ciphertext of file {file} can't be fetched")]
    Receive {
        /// The file.
        file: FileId,
        /// Why.
        source: CourierError,
    },
    /// Writing its plaintext to where it was to go.
    #[error("what is fetched can't be written")]
    Write {
        /// Why.
        source: io::Error,
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
    /// Saying what tasks may do with it.
    #[error("the policy of file {file} was not changed")]
    Policy {
        /// The file.
        file: FileId,
        /// Why.
        source: RequestError,
    },
    /// Listing them.
    #[error("files can't be listed")]
    List(#[source] RequestError),
    /// Asking how much there is and may be.
    #[error("usage can't be shown")]
    Usage(#[source] RequestError),
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
        source: Box<dyn std::error::Error + Send + Sync>,
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
            | FileError::Complete { source, .. }
            | FileError::Policy { source, .. }
            | FileError::List(source)
            | FileError::Usage(source) => Some(source),
            FileError::Interrupted(source) => source.request(),
            _ => None,
        }
    }

    /// Whether the same may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            FileError::Send { source, .. } | FileError::Receive { source, .. } => source.is_passing(),
            other => other.request().is_some_and(RequestError::is_passing),
        }
    }

    /// Whether the file is complete already.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            FileError::Send { source, .. } => source.is_conflict(),
            other => other.request().is_some_and(RequestError::is_conflict),
        }
    }

    /// What to do about it, where there is something to be done.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            FileError::Interrupted(_) => "what arrived is kept for a while: the same command goes on from there",
            FileError::Changed { .. } => "put it again when nobody writes to it",
            FileError::Store { .. } => "the server's disk is shared with this machine: see that you may write there",
            FileError::Fetch { .. } => "the server's disk is shared with this machine: see that you may read there",
            FileError::NothingStored { .. } => "it was declared but never put: its owner can put it again",
            FileError::Incomplete { .. } => "its owner can finish the upload by putting the same file again",
            FileError::Send { source, .. } if source.is_passing() => {
                "see that the server can be reached, and try again"
            }
            FileError::Receive { source, .. } if source.is_passing() => {
                "see that the server can be reached, and try again"
            }
            FileError::Remember { .. } => "name a folder that you may write to in XDG_STATE_HOME",
            FileError::NotAsDeclared { .. } => {
                "somebody changed the stored bytes, or the file was put wrong: ask its owner to put it again"
            }
            FileError::Remove { path, .. } => {
                return Some(format!("remove {} yourself; nobody can read it any more", path.display()));
            }
            FileError::BadPath { .. } | FileError::BadKey { .. } => {
                "the server's answer makes no sense: check that both sides are of one version"
            }
            other => return other.request().and_then(RequestError::help),
        };
        Some(help.to_owned())
    }
}
