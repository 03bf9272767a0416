//! One input of a run: in memory and verified, or a stream that is verified as it is read.

use std::io::{self, BufRead as _, Cursor};
use std::sync::Arc;

use crypto::FileKey;
use crypto::file::stream::{Reader as StreamReader, SeekReader};
use crypto::file::{Plaintext, Reader};
use crypto::fingerprint::Fingerprints;
use executor::Stopped;
use types::digest::Digest;
use types::file::Format;
use types::key::KeyConfig;
use zeroize::Zeroizing;

use super::error::ReadError;
use super::ledger::Ledger;
use super::pass::{Pass, Stored};
use super::source::{Ciphertext, Source};

/// Up to what size an input in chunks is opened in memory before the run, in bytes.
const SMALL_BYTES: u64 = 8 << 20;

/// How much of a run's inputs in chunks is opened in memory, in bytes.
pub(crate) const SMALL_BYTES_OF_ALL: u64 = 32 << 20;

/// What an input must be.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
    pub(crate) format: Format,
}

/// What the inputs of one run share.
pub(crate) struct Room {
    prints: Arc<Fingerprints>,
    opened: u32,
    /// For one message, in bytes.
    single_bytes: u64,
    /// For small inputs in chunks, in bytes, as yet.
    small_bytes: u64,
}

impl Room {
    /// Where every input in chunks that is not empty is a stream.
    #[cfg(test)]
    pub(super) fn for_streams() -> Self {
        Room { small_bytes: 0, ..Room::new(SMALL_BYTES) }
    }

    /// For a run on a node that opens files in one message up to this size.
    pub(crate) fn new(single_bytes: u64) -> Self {
        Room { prints: Arc::default(), opened: 0, single_bytes, small_bytes: SMALL_BYTES_OF_ALL }
    }
}

/// An input.
pub(crate) enum Input {
    /// Verified before the run.
    Memory(Shared),
    /// Verified as it is read.
    Stream(Box<Streamed>),
}

/// An input that several readers can have open.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Plaintext>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An input in chunks.
pub(crate) struct Streamed {
    stored: Stored,
    ledger: Arc<Ledger>,
    /// What was opened before the run, for the first pass.
    first: Option<SeekReader<Ciphertext>>,
}

impl Input {
    /// Opens an input, and verifies it where it is to be in memory.
    ///
    /// # Errors
    /// [`ReadError`] says what is wrong with it.
    pub(crate) fn open(
        source: Source,
        key: &KeyConfig,
        declared: Declared,
        room: &mut Room,
    ) -> Result<Self, ReadError> {
        let key = FileKey::new(key.key.expose(), key.nonce.expose(), key.ad.expose())?;
        let list = room.opened;
        room.opened += 1;
        match declared.format {
            Format::Single => Ok(read_message(&source, &key, declared, room.single_bytes)?.into()),
            // Also every empty one: its one chunk holds no block that a pass could verify.
            Format::Chunked if declared.size <= SMALL_BYTES.min(room.small_bytes) => {
                room.small_bytes -= declared.size;
                Ok(read_chunks(Stored { source, key, size: declared.size }, declared.sha256)?.into())
            }
            Format::Chunked => {
                let stored = Stored { source, key, size: declared.size };
                let ledger = Arc::new(Ledger::new(room.prints.clone(), list, declared.size, declared.sha256));
                let first = Some(stored.open()?);
                Ok(Input::Stream(Box::new(Streamed { stored, ledger, first })))
            }
        }
    }

    /// Plaintext bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Input::Memory(content) => content.0.len() as u64,
            Input::Stream(streamed) => streamed.stored.size,
        }
    }

    /// Begins a pass.
    pub(crate) fn read(&mut self) -> io::Result<Box<dyn io::BufRead + Send>> {
        match self {
            Input::Memory(content) => Ok(Box::new(Cursor::new(content.clone()))),
            Input::Stream(streamed) => match streamed.pass() {
                Ok(pass) => Ok(Box::new(pass)),
                Err(problem) => {
                    streamed.ledger.fail(problem);
                    Err(io::Error::other("an input failed"))
                }
            },
        }
    }

    /// Reads what no pass has read, so that all of it was verified; says what went wrong, if anything did.
    ///
    /// # Errors
    /// What went wrong first, in a pass or now, and whatever `check` fails with before each block.
    pub(crate) fn settle(&mut self, check: &dyn Fn() -> Result<(), Stopped>) -> Result<(), ReadError> {
        match self {
            Input::Memory(_) => Ok(()),
            Input::Stream(streamed) => streamed.settle(check),
        }
    }
}

impl Streamed {
    fn pass(&mut self) -> Result<Pass, ReadError> {
        let from = match self.first.take() {
            Some(first) => first,
            None => self.stored.open()?,
        };
        Ok(Pass::new(from, self.ledger.clone()))
    }

    fn settle(&mut self, check: &dyn Fn() -> Result<(), Stopped>) -> Result<(), ReadError> {
        let noted = |ledger: &Ledger| ledger.take_problem().map_or(Ok(()), Err);
        noted(&self.ledger)?;
        let Some(unseen) = self.ledger.unseen() else { return Ok(()) };
        let mut pass = self.pass()?.at(unseen);
        loop {
            check().map_err(ReadError::Stopped)?;
            match pass.fill_buf().map(<[u8]>::len) {
                Ok(0) => break,
                Ok(read) => pass.consume(read),
                Err(_) => break,
            }
        }
        noted(&self.ledger)
    }
}

impl From<Plaintext> for Input {
    fn from(content: Plaintext) -> Self {
        Input::Memory(Shared(Arc::new(content)))
    }
}

fn read_message(source: &Source, key: &FileKey, declared: Declared, limit: u64) -> Result<Plaintext, ReadError> {
    let ciphertext = source.open()?;
    let reader = Reader::new(key, declared.size, *declared.sha256.as_bytes()).limit(limit);
    let reader = match ciphertext.known_len()? {
        Some(length) => reader.known_len(length),
        None => reader,
    };
    Ok(reader.read(ciphertext)?)
}

/// Reads a small file in chunks, whatever their length is: they are no longer than the file.
fn read_chunks(stored: Stored, sha256: Digest) -> Result<Plaintext, ReadError> {
    use io::Read as _;
    let reader = StreamReader::new(stored.source.open()?, &stored.key, stored.size)?;
    let mut content = Zeroizing::new(Vec::new());
    content.try_reserve_exact(usize::try_from(stored.size).unwrap_or(usize::MAX)).map_err(io::Error::from)?;
    reader.expect_sha256(*sha256.as_bytes()).read_to_end(&mut content)?;
    Ok(Plaintext::from(std::mem::take(&mut *content)))
}
