//! Why a file of chunks was not sealed or opened. None of the messages holds a byte of it.

use std::io;

/// What went wrong with a file of chunks.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not begin as a file of chunks does.
    #[error("header of the stored file")]
    Header(#[from] BadHeader),
    /// The file ends before its last chunk does.
    #[error("stored file ends too early: it was cut off, or never sealed to its end")]
    Truncated,
    /// There are bytes after the last chunk.
    #[error("stored file goes on after its last chunk")]
    TrailingBytes,
    /// A chunk does not verify: another key, or the stored bytes were changed or moved.
    #[error("chunk {index} of the stored file does not verify under the file's key")]
    Refused {
        /// The chunk's number, from 0.
        index: u64,
    },
    /// The stored file, or what is to be sealed, has another length than was declared.
    #[error("length does not fit the declared {size} bytes")]
    WrongLength {
        /// The declared size, in bytes of plaintext.
        size: u64,
    },
    /// A chunk is neither full nor the last one, or empty and not alone.
    #[error("chunk {index} may not be {len} bytes long")]
    ChunkLength {
        /// The chunk's number, from 0.
        index: u64,
        /// How many bytes of plaintext it would hold.
        len: usize,
    },
    /// There is more plaintext than 2³² chunks can hold.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Sealed with the right key, but other content than was declared.
    #[error("content of the file has another SHA-256 than was declared")]
    DigestDiffers,
    /// An earlier call failed; nothing more comes of this stream.
    #[error("an earlier operation on the file failed")]
    Failed,
    /// What is read from failed.
    #[error("reading the file")]
    Read(#[source] io::Error),
    /// What is written to failed.
    #[error("writing the file")]
    Write(#[source] io::Error),
}

/// A header that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The first eight bytes are others.
    #[error("not a file of chunks: it does not begin with the format's mark")]
    NoMark,
    /// Another version of the format, most likely of a later release.
    #[error("format version {found} is not known to this release, which knows version 1: a newer one may")]
    Version {
        /// The version that the file names.
        found: u8,
    },
    /// Chunks of a length that is not allowed.
    #[error("chunk length of 2^{log2} bytes is not between 2^12 and 2^24")]
    ChunkLen {
        /// The exponent that the file names.
        log2: u8,
    },
    /// Bytes that this version keeps at zero.
    #[error("reserved bytes are not zero")]
    Reserved,
}

/// A plaintext that has more than 2³² chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file of more than {limit} bytes cannot be sealed in chunks of this length")]
pub struct TooLong {
    /// The longest plaintext, in bytes.
    pub limit: u64,
}

impl Error {
    /// The error of a file behind one of `std::io`, where a stream had to answer with that.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// As `std::io` wants it; failures of the underlying stream stay what they were.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match self {
            Self::Read(error) | Self::Write(error) => return error,
            Self::Truncated => io::ErrorKind::UnexpectedEof,
            Self::TooLong(_) => io::ErrorKind::FileTooLarge,
            Self::Failed => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }

    /// A stream that ended early is a truncated file; any other failure is the stream's.
    pub(super) fn reading(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }
}
