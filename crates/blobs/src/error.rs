//! What can go wrong with stored ciphertext, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::Id;

/// An operation on stored ciphertext failed. `Display` names the operation, the ciphertext and what to do, and never a
/// secret; the source is the system's or the store's own error.
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    /// `None` for operations on the whole store.
    id: Option<Id>,
    reason: Reason,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such ciphertext or upload.
    #[error("nothing is stored under this name; send the file first")]
    Missing,
    /// The name is taken by a finished ciphertext, which is never replaced.
    #[error("another finished ciphertext has this name; delete the file, or create one with another name")]
    Exists,
    /// A part is missing, or has another length than it must have.
    #[error("part {part} must have {expected} bytes and has {received}; send this part again")]
    Incomplete {
        /// The first such part.
        part: u32,
        /// Bytes that it must have.
        expected: u64,
        /// Bytes that were acknowledged; 0 when none were.
        received: u64,
    },
    /// A part lies behind the stated length.
    #[error("part {part} lies past the end of a file of {stored_len} bytes; state the length that was sent")]
    PastTheEnd {
        /// The first such part.
        part: u32,
        /// The stated length in bytes.
        stored_len: u64,
    },
    /// Numbers of parts end before [`MAX_PARTS`](crate::MAX_PARTS).
    #[error("a file has at most {} parts of {} bytes; split it", crate::MAX_PARTS, crate::PART_SIZE)]
    TooLarge,
    /// The body goes on after the bytes that it may have.
    #[error("the body has more than {max} bytes; send exactly what was declared")]
    TooLong {
        /// Bytes that it may have.
        max: u64,
    },
    /// The body ended early.
    #[error("the body ended after {received} of {expected} bytes; send it again")]
    TooShort {
        /// Bytes that it must have.
        expected: u64,
        /// Bytes that it had.
        received: u64,
    },
    /// The body broke off.
    #[error("the body broke off; send it again")]
    Body(#[source] io::Error),
    /// A later request took this one's place, completed the upload or deleted the file.
    #[error("another request for the same file took over; ask what was received, and go on from there")]
    Superseded,
    /// Something lies there that is no regular file.
    #[error("what lies there is a link, a folder or a device; an operator must remove it")]
    NotAFile,
    /// The range doesn't lie within the ciphertext.
    #[error("bytes {start} to {end} do not lie within the {len} bytes that are stored")]
    OutOfRange {
        /// First byte that was asked for.
        start: u64,
        /// The byte after the last one that was asked for.
        end: u64,
        /// Bytes there are.
        len: u64,
    },
    /// The record says parts, but folders hold whole files only.
    #[error("its record says parts, which only S3 stores have; join them into one file of this name in the folder")]
    InParts,
    /// What an upload acknowledged isn't there any more.
    #[error("the upload's data is shorter than what was acknowledged; delete the file and send it again")]
    Damaged,
    /// No space is left.
    #[error("the disk, a quota or a limit on file sizes is full; make room, then send it again")]
    Full(#[source] io::Error),
    /// The system refused.
    #[error("the folder can't be used; see the system's error and the folder's owner and mode")]
    Io(#[source] io::Error),
    /// The object that a client sent has another length than it said.
    #[error("{received} bytes were stored where {expected} were stated; delete the file and send it again")]
    OtherLength {
        /// Bytes that were stated.
        expected: u64,
        /// Bytes that are there.
        received: u64,
    },
    /// The object store refused our key.
    #[error("the object store refused; check the key, the region and the bucket's policy")]
    Refused(#[source] StoreFault),
    /// The object store failed, or did not answer, several times.
    #[error("the object store did not do it; check that it runs and is reached at its address, then try again")]
    Unavailable(#[source] StoreFault),
    /// The runtime is being shut down.
    #[error("the server is stopping; try again when it is back")]
    Stopping,
}

impl Error {
    pub(crate) fn new(operation: &'static str, id: Option<&Id>, reason: Reason) -> Self {
        Error { operation, id: id.cloned(), reason }
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Which ciphertext, or `None` for operations on the whole store.
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{} of file {id} failed: {}", self.operation, self.reason),
            None => write!(f, "{} failed: {}", self.operation, self.reason),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.reason.source()
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Reason::Full(error),
            _ => Reason::Io(error),
        }
    }
}

impl From<rustix::io::Errno> for Reason {
    fn from(errno: rustix::io::Errno) -> Self {
        io::Error::from(errno).into()
    }
}

/// Bytes of an object store's own words that are kept.
const MAX_WORDS: usize = 600;

/// What an object store, or the way to it, said: method, address without signature, status, number of tries.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreFault(String);

impl StoreFault {
    /// An answer may be hostile: it is cut, and loses what would act on a terminal.
    pub(crate) fn new(error: &object_store::Error) -> Self {
        let words = error.to_string();
        StoreFault(words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect())
    }

    pub(crate) fn slow(waited: Duration) -> Self {
        StoreFault(format!("no answer within {} seconds", waited.as_secs()))
    }
}

impl From<object_store::Error> for Reason {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        match error {
            NotFound { .. } => Reason::Missing,
            PermissionDenied { .. } | Unauthenticated { .. } => Reason::Refused(StoreFault::new(&error)),
            _ => Reason::Unavailable(StoreFault::new(&error)),
        }
    }
}

/// A store of ciphertext can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is none.
    #[error("{0:?} is no place for ciphertext; give a folder, file:///folder or s3://bucket/prefix")]
    Address(String),
    /// Paths are given to clients as JSON text.
    #[error("the folder's path is not UTF-8; choose another folder")]
    NotUtf8,
    /// The folder can't be made or used.
    #[error("folder {path} can't be used; see its owner and mode")]
    Folder {
        /// The folder.
        path: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// What is known of the bucket is not enough, or contradicts itself.
    #[error("bucket {bucket} can't be used; check endpoint, region and key")]
    Bucket {
        /// The bucket.
        bucket: String,
        /// What is wrong.
        #[source]
        source: StoreFault,
    },
    /// The file `.volume` isn't ours.
    #[error("{path}/.volume does not hold 32 hexadecimal digits; remove it")]
    Volume {
        /// The folder.
        path: String,
    },
}
