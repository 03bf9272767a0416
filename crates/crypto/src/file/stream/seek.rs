//! Reads any part of a stored file: opens the chunks that hold it, and no others.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use zeroize::Zeroizing;

use super::{
    chunk::{Opener, Position},
    error::Error,
    layout::{Chunk, Layout},
    reader::read_header,
};
use crate::key::FileKey;

/// A seekable reader of plaintext over a sealed file; holds one chunk in memory, which is wiped.
///
/// The file's length must be what the declared size asks for; every byte given out was authenticated, at its place, in
/// a file of that size. What is not read is not checked: for a whole file's SHA-256 take [`Reader`](super::Reader).
pub struct SeekReader<R> {
    from: R,
    opener: Opener,
    layout: Layout,
    buffer: Zeroizing<Vec<u8>>,
    /// Which chunk's plaintext the buffer holds.
    opened: Option<Chunk>,
    position: u64,
}

impl<R: Read + Seek> SeekReader<R> {
    /// Reads the header and looks at the length of a file of `size` bytes of plaintext.
    ///
    /// # Errors
    /// [`Error::Header`], [`Error::WrongLength`], [`Error::Truncated`], [`Error::TooLong`], [`Error::Read`].
    pub fn new(mut from: R, key: &FileKey, size: u64) -> Result<Self, Error> {
        from.rewind().map_err(Error::Read)?;
        let opener = Opener::new(key, read_header(&mut from)?);
        let layout = opener.layout(size)?;
        if from.seek(SeekFrom::End(0)).map_err(Error::Read)? != layout.sealed_len() {
            return Err(Error::WrongLength { size });
        }
        let buffer = Zeroizing::new(vec![0; layout.chunk(0).map_or(0, |first| first.sealed_len())]);
        Ok(Self { from, opener, layout, buffer, opened: None, position: 0 })
    }

    /// The file's layout, from its header and its size.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Sees to it that the buffer holds the chunk of the position; gives what of it is from there on.
    fn at_position(&mut self) -> Result<&[u8], Error> {
        if self.position >= self.layout.size() {
            return Ok(&[]);
        }
        let index = self.layout.chunks_of(self.position..self.position + 1).start;
        let chunk = match self.opened.filter(|opened| u64::from(opened.index) == index) {
            Some(opened) => opened,
            None => self.open(index)?,
        };
        let skipped = usize::try_from(self.position - chunk.start).unwrap_or(usize::MAX);
        Ok(&self.buffer[skipped.min(chunk.len)..chunk.len])
    }

    fn open(&mut self, index: u64) -> Result<Chunk, Error> {
        self.opened = None;
        let chunk = self.layout.chunk(index).ok_or(Error::Refused { index })?;
        let sealed = &mut self.buffer[..chunk.sealed_len()];
        self.from.seek(SeekFrom::Start(chunk.sealed_start)).map_err(Error::Read)?;
        self.from.read_exact(sealed).map_err(Error::reading)?;
        self.opener.open(Position::from(&chunk), sealed)?;
        self.opened = Some(chunk);
        Ok(chunk)
    }
}

impl<R: Read + Seek> Read for SeekReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read + Seek> BufRead for SeekReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.at_position().map_err(Error::into_io)
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount as u64);
    }
}

impl<R: Read + Seek> Seek for SeekReader<R> {
    /// As `std::io` has it: a place past the end is allowed and reads as the end.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.layout.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl<R> std::fmt::Debug for SeekReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SeekReader({:?}, [redacted])", self.layout)
    }
}
