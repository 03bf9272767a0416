//! Sealing and opening one chunk in place: the core that everything else here is made of.
//!
//! ```text
//! nonce = prefix (7 bytes) ‖ chunk number (4 bytes, big-endian) ‖ 01 if the chunk is the last, else 00
//! chunk = AES-256-GCM(key, nonce, no associated data, plaintext) = ciphertext ‖ tag (16 bytes)
//! ```
//!
//! Key and prefix belong to one file alone (`kdf`), so a nonce says where a chunk belongs: one that was moved, or is of
//! another file, or is passed off as the end or as what is not the end, doesn't verify.

use std::fmt;

use super::{
    error::{Error, TooLong},
    header::Header,
    layout::{Chunk, ChunkLen, Layout},
};
use crate::{
    gcm::{Gcm, NONCE_LEN, TAG_LEN},
    kdf::ChunkSecrets,
    key::FileKey,
};

/// Which chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its number, from 0.
    pub index: u32,
    /// Whether it ends the file.
    pub last: bool,
}

impl From<&Chunk> for Position {
    fn from(chunk: &Chunk) -> Self {
        Self { index: chunk.index, last: chunk.last }
    }
}

/// Seals the chunks of one file, in any order; several threads may share it.
pub struct Sealer(Cipher);

impl Sealer {
    /// The sealer of the file that begins with this header. The header goes into the file as it is.
    pub fn new(key: &FileKey, header: Header) -> Self {
        Self(Cipher::new(key, header))
    }

    /// The file's header.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// Where the chunks of `size` bytes of plaintext are.
    ///
    /// # Errors
    /// [`TooLong`] above 2³² chunks.
    pub fn layout(&self, size: u64) -> Result<Layout, TooLong> {
        Layout::new(self.0.header.chunk_len(), size)
    }

    /// Seals one chunk in place; the tag follows it in the file. At each position one plaintext, however often.
    ///
    /// # Errors
    /// [`Error::ChunkLength`] unless the chunk is full, or the last one and, but for an empty file's, not empty.
    pub fn seal(&self, at: Position, chunk: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        self.0.check(at, chunk.len())?;
        Ok(self.0.gcm.seal(self.0.nonce(at), &[], chunk))
    }
}

/// Opens the chunks of one file, in any order; several threads may share it.
pub struct Opener(Cipher);

impl Opener {
    /// The opener of the file that began with this header.
    pub fn new(key: &FileKey, header: Header) -> Self {
        Self(Cipher::new(key, header))
    }

    /// The file's header.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// Where the chunks of `size` bytes of plaintext are.
    ///
    /// # Errors
    /// [`TooLong`] above 2³² chunks.
    pub fn layout(&self, size: u64) -> Result<Layout, TooLong> {
        Layout::new(self.0.header.chunk_len(), size)
    }

    /// Opens one chunk, ciphertext ‖ tag, in place; what is returned is its plaintext.
    ///
    /// # Errors
    /// [`Error::ChunkLength`] for a length that no chunk at this position has, [`Error::Refused`] when it doesn't
    /// verify; what the buffer then holds is of no use.
    pub fn open<'b>(&self, at: Position, sealed: &'b mut [u8]) -> Result<&'b mut [u8], Error> {
        let index = at.index.into();
        let len = sealed.len().checked_sub(TAG_LEN).ok_or(Error::ChunkLength { index, len: 0 })?;
        self.0.check(at, len)?;
        self.0.gcm.open(self.0.nonce(at), &[], sealed).map_err(|_| Error::Refused { index })
    }
}

struct Cipher {
    gcm: Gcm,
    nonce_prefix: [u8; 7],
    header: Header,
}

impl Cipher {
    fn new(key: &FileKey, header: Header) -> Self {
        let secrets = ChunkSecrets::derive(key, header.salt().as_bytes(), &header.encode());
        Self { gcm: Gcm::new(&secrets.key), nonce_prefix: secrets.nonce_prefix, header }
    }

    fn check(&self, at: Position, len: usize) -> Result<(), Error> {
        if may_be(self.header.chunk_len(), at, len) {
            return Ok(());
        }
        Err(Error::ChunkLength { index: at.index.into(), len })
    }

    fn nonce(&self, at: Position) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce[..7].copy_from_slice(&self.nonce_prefix);
        nonce[7..11].copy_from_slice(&at.index.to_be_bytes());
        nonce[11] = at.last.into();
        nonce
    }
}

/// Every chunk but the last is full; the last one is not empty unless it is alone.
fn may_be(chunk: ChunkLen, at: Position, len: usize) -> bool {
    match at.last {
        false => len == chunk.bytes(),
        true => len <= chunk.bytes() && (len > 0 || at.index == 0),
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, [redacted])", self.0.header)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?}, [redacted])", self.0.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_can_share_them() {
        fn check<T: Send + Sync>() {}
        check::<Sealer>();
        check::<Opener>();
    }

    #[test]
    fn chunks_have_the_lengths_that_they_may_have() {
        let check = |index: u32, last: bool, len: usize, may: bool| {
            assert_eq!(may_be(ChunkLen::MIN, Position { index, last }, len), may, "{index} {last} {len}");
        };
        check(0, true, 0, true);
        check(1, true, 0, false);
        check(0, false, 0, false);
        check(0, false, 4095, false);
        check(0, false, 4096, true);
        check(7, false, 4097, false);
        check(7, true, 1, true);
        check(7, true, 4096, true);
        check(7, true, 4097, false);
    }

    #[test]
    fn a_sealer_prints_no_key() {
        let sealer = Sealer::new(&FileKey::generate(), Header::for_size(0));
        assert!(format!("{sealer:?}").ends_with(", [redacted])"));
    }
}
