//! A file in one message: AES-256-GCM (NIST SP 800-38D) over the whole plaintext.
//!
//! ```text
//! file = ciphertext (as long as the plaintext) ‖ tag (16 bytes)
//! key, nonce, associated data: the file's FileKey; not in the file
//! ```
//!
//! This is the format that the API reference's `key`, `nonce` and `ad` describe. One message has one tag at its end:
//! nothing of a file may be used before all of it was read, so it is opened in memory, in place. Whoever opens a file
//! says what it must be (size and SHA-256 of the plaintext) and gets exactly that or an error.

use std::io::{self, Read};

use super::Plaintext;
use crate::{
    gcm::{self, Gcm},
    hash::{DIGEST_LEN, Sha256},
    key::FileKey,
};

/// How many bytes longer a file is than its plaintext.
pub const TAG_LEN: usize = gcm::TAG_LEN;

/// The longest plaintext that GCM can seal, in bytes: 2³⁹ − 256 bits (NIST SP 800-38D, section 5.2.1.1).
pub const MAX_PLAINTEXT_LEN: u64 = gcm::MAX_LEN;

/// The least that the buffer grows at a time, in bytes, while a file of unproven length arrives.
const STEP_LEN: usize = 1 << 20;

/// Seals a file in place: the result is the plaintext's buffer and a tag.
///
/// Consumes the key, because a [`FileKey`] seals one plaintext, once. To know the digest that will be declared, ask
/// [`Sha256::digest`] before.
///
/// # Errors
/// [`TooLong`] above [`MAX_PLAINTEXT_LEN`]; the plaintext is wiped.
#[expect(clippy::needless_pass_by_value, reason = "consuming the key is what prevents a second use")]
pub fn seal(plaintext: impl Into<Plaintext>, key: FileKey) -> Result<Vec<u8>, TooLong> {
    let mut plaintext = plaintext.into();
    if plaintext.len() as u64 > MAX_PLAINTEXT_LEN {
        return Err(TooLong);
    }
    let tag = Gcm::new(key.key()).seal(*key.nonce(), key.ad(), &mut plaintext.0);
    // From here on the buffer holds ciphertext: growing it may leave a copy behind.
    let mut sealed = std::mem::take(&mut *plaintext.0);
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// A plaintext longer than [`MAX_PLAINTEXT_LEN`] cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file of more than {MAX_PLAINTEXT_LEN} bytes cannot be sealed")]
pub struct TooLong;

/// Opens one file that must be what was declared.
///
/// ```
/// use crypto::{FileKey, file, hash::Sha256};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = FileKey::generate();
/// let same_key = FileKey::new(key.key(), key.nonce(), key.ad())?;
/// let digest = Sha256::digest(b"hello");
/// let sealed = file::seal(b"hello".to_vec(), key)?;
/// let opened = file::Reader::new(&same_key, 5, digest).limit(1024).read(&sealed[..])?;
/// assert_eq!(&*opened, b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader<'k> {
    key: &'k FileKey,
    size: u64,
    sha256: [u8; DIGEST_LEN],
    limit: u64,
    file_len: Option<u64>,
}

impl<'k> Reader<'k> {
    /// Expects `size` bytes of plaintext with this SHA-256.
    pub fn new(key: &'k FileKey, size: u64, sha256: [u8; DIGEST_LEN]) -> Self {
        Self { key, size, sha256, limit: MAX_PLAINTEXT_LEN, file_len: None }
    }

    /// Refuses a plaintext of more than `limit` bytes before anything is read. Default: [`MAX_PLAINTEXT_LEN`].
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = limit.min(MAX_PLAINTEXT_LEN);
        self
    }

    /// Says that the ciphertext's length was seen, as a regular file's is in its metadata, and is `len` bytes: the
    /// buffer is then allocated at once. Never pass a length that somebody only claims.
    #[must_use]
    pub fn known_len(mut self, len: u64) -> Self {
        self.file_len = Some(len);
        self
    }

    /// Reads a whole ciphertext and opens it. Memory grows as bytes arrive, whatever size was declared.
    ///
    /// # Errors
    /// [`OpenError`] says which check failed.
    pub fn read(self, mut from: impl Read) -> Result<Plaintext, OpenError> {
        let len = self.checked_len()?;
        if self.file_len.is_some_and(|found| found != len as u64) {
            return Err(self.wrong_length());
        }
        let mut ciphertext = Vec::new();
        let step = if self.file_len.is_some() { len } else { STEP_LEN };
        if !read_exactly(&mut from, &mut ciphertext, len, step).map_err(OpenError::Read)? {
            return Err(self.wrong_length());
        }
        self.open(ciphertext)
    }

    /// Opens a whole ciphertext that is in memory already, in place.
    ///
    /// # Errors
    /// [`OpenError`] says which check failed; it is never [`OpenError::Read`].
    pub fn open(self, ciphertext: Vec<u8>) -> Result<Plaintext, OpenError> {
        if self.checked_len()? != ciphertext.len() {
            return Err(self.wrong_length());
        }
        let mut buffer = Plaintext::from(ciphertext);
        let opened = Gcm::new(self.key.key()).open(*self.key.nonce(), self.key.ad(), &mut buffer.0);
        let plaintext_len = opened.map_err(|_| OpenError::Refused)?.len();
        buffer.0.truncate(plaintext_len);
        if Sha256::digest(&buffer) != self.sha256 {
            return Err(OpenError::DigestDiffers);
        }
        Ok(buffer)
    }

    /// The ciphertext's length, in bytes, when it is within the limit.
    fn checked_len(&self) -> Result<usize, OpenError> {
        let too_large = OpenError::TooLarge { limit: self.limit };
        if self.size > self.limit {
            return Err(too_large);
        }
        usize::try_from(self.size + TAG_LEN as u64).map_err(|_| too_large)
    }

    fn wrong_length(&self) -> OpenError {
        OpenError::WrongLength { size: self.size }
    }
}

/// Why a file was not opened. None of the messages holds a byte of it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The declared size is over the caller's limit; nothing was read.
    #[error("file is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes of plaintext.
        limit: u64,
    },
    /// The stored file is shorter or longer than a file of the declared size.
    #[error("stored file does not have the length of a sealed file of {size} bytes")]
    WrongLength {
        /// The declared size, in bytes of plaintext.
        size: u64,
    },
    /// The tag does not verify: another key, or the stored bytes were changed.
    #[error("stored file does not verify under its key")]
    Refused,
    /// Sealed with the right key, but other content than was declared.
    #[error("content of the file has another SHA-256 than was declared")]
    DigestDiffers,
    /// The reader failed, or there is no memory for what it holds.
    #[error("reading the stored file")]
    Read(#[source] io::Error),
}

/// Reads `len` bytes and the end after them; `false` when there are fewer or more. The buffer is at most doubled, so
/// that it never holds room for more than `step` bytes beyond twice what has arrived.
fn read_exactly(from: &mut impl Read, buffer: &mut Vec<u8>, len: usize, step: usize) -> io::Result<bool> {
    while buffer.len() < len {
        let piece = (len - buffer.len()).min(step.max(buffer.len()));
        buffer.try_reserve_exact(piece)?;
        if from.take(piece as u64).read_to_end(buffer)? < piece {
            return Ok(false);
        }
    }
    Ok(io::copy(&mut from.take(1), &mut io::sink())? == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A declared size is a claim: 60 GiB of it makes room for one step, not for itself.
    #[test]
    fn room_grows_with_what_arrived() {
        let check = |arrived: usize, room: usize| {
            let mut buffer = Vec::new();
            let from = &mut io::repeat(0).take(arrived as u64);
            assert!(!read_exactly(from, &mut buffer, 60 << 30, STEP_LEN).unwrap());
            assert_eq!((buffer.len(), buffer.capacity()), (arrived, room));
        };
        check(0, STEP_LEN);
        check(STEP_LEN - 1, STEP_LEN);
        check(STEP_LEN + 1, 2 * STEP_LEN);
        check(3 * STEP_LEN, 4 * STEP_LEN);
    }
}
