//! Opens a stored file from its beginning to its end, and gives out nothing that was not authenticated.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

use super::{
    chunk::{Opener, Position},
    error::Error,
    header::Header,
    layout::{HEADER_LEN, Layout},
};
use crate::{
    hash::{DIGEST_LEN, Sha256},
    key::FileKey,
};

/// A reader of plaintext over a reader of the sealed file; holds one chunk in memory, which is wiped.
///
/// Gives exactly the declared size or an error: the end of the plaintext is seen only when the stored file ended there
/// as well. After an error there are only errors. The errors of `read` hold an [`Error`]: see [`Error::of`].
pub struct Reader<R> {
    from: R,
    opener: Opener,
    layout: Layout,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer is plaintext that was not read yet.
    ready: std::ops::Range<usize>,
    next: u64,
    failed: bool,
    digest: Option<(Sha256, [u8; DIGEST_LEN])>,
}

impl<R: Read> Reader<R> {
    /// Reads the header of a file of `size` bytes of plaintext.
    ///
    /// # Errors
    /// [`Error::Header`], [`Error::Truncated`], [`Error::Read`], or [`Error::TooLong`] for a size that the file's
    /// chunks can't hold.
    pub fn new(mut from: R, key: &FileKey, size: u64) -> Result<Self, Error> {
        let opener = Opener::new(key, read_header(&mut from)?);
        let layout = opener.layout(size)?;
        let buffer = Zeroizing::new(vec![0; layout.chunk(0).map_or(0, |first| first.sealed_len())]);
        Ok(Self { from, opener, layout, buffer, ready: 0..0, next: 0, failed: false, digest: None })
    }

    /// Also expects this SHA-256 of the plaintext; before the last chunk is given out, it is compared.
    #[must_use]
    pub fn expect_sha256(mut self, sha256: [u8; DIGEST_LEN]) -> Self {
        self.digest = Some((Sha256::new(), sha256));
        self
    }

    /// The file's layout, from its header and its size.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn open_next(&mut self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        let Some(chunk) = self.layout.chunk(self.next) else { return Ok(()) };
        self.failed = true;
        let sealed = &mut self.buffer[..chunk.sealed_len()];
        self.from.read_exact(sealed).map_err(Error::reading)?;
        if chunk.last {
            expect_end(&mut self.from)?;
        }
        let plaintext = self.opener.open(Position::from(&chunk), sealed)?;
        if let Some((hasher, _)) = &mut self.digest {
            hasher.update(plaintext);
        }
        if chunk.last && self.digest.take().is_some_and(|(hasher, expected)| hasher.finish() != expected) {
            return Err(Error::DigestDiffers);
        }
        self.ready = 0..chunk.len;
        self.next += 1;
        self.failed = false;
        Ok(())
    }
}

/// Reads the 64 bytes before the first chunk.
///
/// # Errors
/// [`Error::Header`], [`Error::Truncated`] or [`Error::Read`].
pub fn read_header(from: &mut impl Read) -> Result<Header, Error> {
    let mut bytes = [0; HEADER_LEN];
    from.read_exact(&mut bytes).map_err(Error::reading)?;
    Ok(Header::parse(&bytes)?)
}

/// Nothing may follow the last chunk.
pub(super) fn expect_end(from: &mut impl Read) -> Result<(), Error> {
    match io::copy(&mut from.take(1), &mut io::sink()).map_err(Error::Read)? {
        0 => Ok(()),
        _ => Err(Error::TrailingBytes),
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready.is_empty() {
            self.open_next().map_err(Error::into_io)?;
        }
        Ok(&self.buffer[self.ready.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.ready.start = (self.ready.start + amount).min(self.ready.end);
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({:?}, [redacted])", self.layout)
    }
}
