//! Seals what is written to it, a chunk at a time.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{
    chunk::{Position, Sealer},
    error::{Error, TooLong},
    header::Header,
};
use crate::{gcm::TAG_LEN, key::FileKey};

/// A writer of plaintext over a writer of the sealed file; holds one chunk in memory, which is wiped.
///
/// [`finish`](Self::finish) writes the last chunk. A file without it is refused as cut off, so what is written before
/// an error, or before this is dropped, is never taken for a whole file.
///
/// ```
/// use std::io::{Read as _, Write as _};
///
/// use crypto::{FileKey, file::stream::{Header, Reader, Writer}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = FileKey::generate();
/// let mut writer = Writer::new(Vec::new(), &key, Header::for_size(5))?;
/// writer.write_all(b"hello")?;
/// let sealed = writer.finish()?;
/// let mut opened = String::new();
/// Reader::new(&sealed[..], &key, 5)?.read_to_string(&mut opened)?;
/// assert_eq!(opened, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    sealer: Sealer,
    /// Plaintext of the present chunk, with room for its tag; ciphertext only within a call.
    buffer: Zeroizing<Vec<u8>>,
    index: u64,
    failed: bool,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`Error::Write`] when that fails.
    pub fn new(mut to: W, key: &FileKey, header: Header) -> Result<Self, Error> {
        to.write_all(&header.encode()).map_err(Error::Write)?;
        let buffer = Zeroizing::new(Vec::with_capacity(header.chunk_len().sealed_bytes()));
        Ok(Self { to, sealer: Sealer::new(key, header), buffer, index: 0, failed: false })
    }

    /// Seals and writes the last chunk and flushes; gives back what was written to.
    ///
    /// # Errors
    /// [`Error::Write`], and [`Error::Failed`] when an earlier call failed.
    pub fn finish(mut self) -> Result<W, Error> {
        self.seal_chunk(true)?;
        self.to.flush().map_err(Error::Write)?;
        Ok(self.to)
    }

    fn seal_chunk(&mut self, last: bool) -> Result<(), Error> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(Error::Failed);
        }
        let limit = self.sealer.header().chunk_len().max_size();
        let index = u32::try_from(self.index).map_err(|_| TooLong { limit })?;
        let tag: [u8; TAG_LEN] = self.sealer.seal(Position { index, last }, &mut self.buffer)?;
        self.buffer.extend_from_slice(&tag);
        self.to.write_all(&self.buffer).map_err(Error::Write)?;
        self.buffer.clear();
        self.index += 1;
        self.failed = false;
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let chunk = self.sealer.header().chunk_len().bytes();
        if piece.is_empty() {
            return Ok(0);
        }
        // Only when there is more is it known that a full chunk is not the last one.
        if self.buffer.len() == chunk || self.failed {
            self.seal_chunk(false).map_err(Error::into_io)?;
        }
        let taken = piece.len().min(chunk - self.buffer.len());
        self.buffer.extend_from_slice(&piece[..taken]);
        Ok(taken)
    }

    /// Flushes what was sealed; the present chunk is not complete and stays.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
