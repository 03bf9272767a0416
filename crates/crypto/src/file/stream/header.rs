//! The first 64 bytes of a file of chunks.
//!
//! ```text
//! offset  length
//!      0       8  mark: 89 54 48 46 49 4c 45 0a (0x89, "THFILE", line feed)
//!      8       1  format version: 1
//!      9       1  chunk length: its logarithm to base 2, 12 … 24
//!     10      22  reserved: zero, refused otherwise
//!     32      32  salt
//! ```
//!
//! Every bit of it goes into the derivation of the chunks' key, so a changed header opens nothing.

use std::fmt;

use super::{
    error::BadHeader,
    layout::{ChunkLen, HEADER_LEN},
};
use crate::random;

const MARK: [u8; 8] = *b"\x89THFILE\n";
const VERSION: u8 = 1;

/// What makes the key of one sealing another one's: 32 bytes, public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; Salt::LEN]);

impl Salt {
    /// In bytes.
    pub const LEN: usize = 32;

    /// A fresh one, for a plaintext that was not sealed before.
    pub fn generate() -> Self {
        Self(random::bytes())
    }

    /// The salt of a sealing that goes on, as after an upload that was cut off.
    ///
    /// Only for the same plaintext under the same file key: with any other, two chunks are sealed with one nonce, which
    /// gives away both and the authentication key (NIST SP 800-38D, section 8). Check the plaintext's digest before.
    pub fn danger_again(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// To write it down for a sealing that may have to go on.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salt({})", crate::hash::hex(&self.0))
    }
}

/// What a file of chunks says about itself; nothing of it is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    chunk: ChunkLen,
    salt: Salt,
}

impl Header {
    /// The header of a new file of `size` bytes of plaintext: the chunk length that fits it, and a fresh salt.
    pub fn for_size(size: u64) -> Self {
        Self::new(ChunkLen::for_size(size), Salt::generate())
    }

    /// A header of these parts.
    pub fn new(chunk: ChunkLen, salt: Salt) -> Self {
        Self { chunk, salt }
    }

    /// The length of the file's chunks.
    pub fn chunk_len(&self) -> ChunkLen {
        self.chunk
    }

    /// The file's salt.
    pub fn salt(&self) -> &Salt {
        &self.salt
    }

    /// As it stands in the file.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MARK);
        bytes[8] = VERSION;
        bytes[9] = self.chunk.log2();
        bytes[32..].copy_from_slice(&self.salt.0);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; a header has one form only.
    ///
    /// # Errors
    /// [`BadHeader`] names what is not understood.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, BadHeader> {
        let [mark @ .., version, log2] = bytes.first_chunk::<10>().expect("10 of 64 bytes");
        if *mark != MARK {
            return Err(BadHeader::NoMark);
        }
        if *version != VERSION {
            return Err(BadHeader::Version { found: *version });
        }
        let chunk = ChunkLen::from_log2(*log2).ok_or(BadHeader::ChunkLen { log2: *log2 })?;
        if bytes[10..32] != [0; 22] {
            return Err(BadHeader::Reserved);
        }
        Ok(Self { chunk, salt: Salt(*bytes.last_chunk().expect("32 of 64 bytes")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> [u8; HEADER_LEN] {
        Header::new(ChunkLen::DEFAULT, Salt([7; 32])).encode()
    }

    #[test]
    fn a_header_reads_back() {
        for log2 in 12..=24 {
            let header = Header::new(ChunkLen::from_log2(log2).unwrap(), Salt::generate());
            assert_eq!(Header::parse(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |at: usize, value: u8, error: BadHeader| {
            let mut bytes = bytes();
            bytes[at] = value;
            assert_eq!(Header::parse(&bytes), Err(error));
        };
        (0..8).for_each(|at| check(at, 0, BadHeader::NoMark));
        check(8, 0, BadHeader::Version { found: 0 });
        check(8, 2, BadHeader::Version { found: 2 });
        check(9, 11, BadHeader::ChunkLen { log2: 11 });
        check(9, 25, BadHeader::ChunkLen { log2: 25 });
        (10..32).for_each(|at| check(at, 1, BadHeader::Reserved));
        let text = BadHeader::Version { found: 2 }.to_string();
        assert_eq!(text, "format version 2 is not known to this release, which knows version 1: a newer one may");
    }

    /// No change of a header is the same header: a changed one gives another key.
    #[test]
    fn every_changed_bit_is_refused_or_another_header() {
        let header = Header::parse(&bytes()).unwrap();
        for bit in 0..HEADER_LEN * 8 {
            let mut changed = bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Header::parse(&changed), Ok(header), "bit {bit}");
        }
    }
}
