//! Why a stored file is not the declared one, or can't be had.

use std::io;

use crypto::BadKey;
use crypto::file::OpenError;
use crypto::file::stream::Error as StreamError;
use executor::Stopped;
use rpc::courier::CourierError;

/// Why an input was not read: what is stored is not the declared file, or, from `Io` on, it is out of reach just now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("its ciphertext was never uploaded")]
    Missing,
    #[error("what is stored is not a regular file")]
    NotRegular,
    #[error("its key is malformed")]
    Key(#[from] BadKey),
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Stream(StreamError),
    #[error(
        "its chunks of {found} bytes are longer than a function node reads in a file of this size, which is {most}"
    )]
    ChunkLen { found: usize, most: usize },
    #[error("it was changed while the function read it")]
    Changed,
    #[error("it can't be read")]
    Io(#[source] io::Error),
    #[error("it can't be fetched from where it is stored")]
    Store(#[source] CourierError),
    #[error(transparent)]
    Stopped(Stopped),
}

impl From<OpenError> for ReadError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Read(source) => source.into(),
            refused => ReadError::Open(refused),
        }
    }
}

impl From<StreamError> for ReadError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Read(source) => source.into(),
            refused => ReadError::Stream(refused),
        }
    }
}

/// Errors travel inside `io::Error` through readers and come out again as themselves.
impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<ReadError>() {
            Ok(own) => return own,
            Err(other) => other,
        };
        match error.downcast::<StreamError>() {
            Ok(refused) => ReadError::Stream(refused),
            Err(other) => ReadError::Io(other),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(source) => source,
            other => io::Error::other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_trip_through_io() {
        let trip = |error: ReadError| ReadError::from(StreamError::Read(io::Error::from(error)));
        assert!(matches!(trip(ReadError::Changed), ReadError::Changed));
        assert!(matches!(trip(ReadError::Store(CourierError::Slow)), ReadError::Store(CourierError::Slow)));
        assert!(matches!(trip(ReadError::Io(io::ErrorKind::TimedOut.into())), ReadError::Io(_)));
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, StreamError::Truncated);
        assert!(matches!(ReadError::from(cut), ReadError::Stream(StreamError::Truncated)));
    }
}
