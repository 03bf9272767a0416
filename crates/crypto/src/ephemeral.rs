//! Blocks that a process puts on a disk and reads back itself: AES-256-GCM under a key that never leaves it.
//!
//! ```text
//! sealed block = ciphertext ‖ tag (16), nonce = 0 (4) ‖ position (8), associated data = none
//! ```
//!
//! The position is the nonce: a block opens nowhere but where it was sealed, and each is sealed there once. A block of
//! another length does not open. The key and its positions end with the process, so nothing can be replayed.

use std::fmt;

use crate::{
    error::Refused,
    gcm::{self, Gcm, MAX_LEN, NONCE_LEN},
    random,
};

/// Bytes that a sealed block is longer than its plaintext.
pub const TAG_LEN: usize = gcm::TAG_LEN;

/// Seals blocks under a key of its own, which dies with it; several threads may use it.
pub struct EphemeralKey(Gcm);

impl EphemeralKey {
    /// A fresh key from the system's random source.
    pub fn generate() -> Self {
        Self(Gcm::new(&random::bytes()))
    }

    /// Seals a block in place, once for each position, and gives its tag.
    ///
    /// # Errors
    /// [`Refused`] for blocks of more than 2³⁶ − 32 bytes.
    pub fn seal(&self, position: u64, block: &mut [u8]) -> Result<[u8; TAG_LEN], Refused> {
        if block.len() as u64 > MAX_LEN {
            return Err(Refused);
        }
        Ok(self.0.seal(nonce(position), &[], block))
    }

    /// Opens ciphertext ‖ tag in place; what is returned is all but the tag.
    ///
    /// # Errors
    /// [`Refused`] unless exactly this was sealed for this position.
    pub fn open<'b>(&self, position: u64, sealed: &'b mut [u8]) -> Result<&'b mut [u8], Refused> {
        self.0.open(nonce(position), &[], sealed)
    }
}

fn nonce(position: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&position.to_be_bytes());
    nonce
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_opens_at_its_place_alone_and_whole() {
        let key = EphemeralKey::generate();
        let mut sealed = b"block".to_vec();
        let tag = key.seal(7, &mut sealed).unwrap();
        assert_ne!(sealed, b"block");
        sealed.extend(tag);
        assert_eq!(key.open(7, &mut sealed.clone()), Ok(&mut b"block".to_owned()[..]));
        for position in [0, 6, 8, 7 << 32] {
            assert_eq!(key.open(position, &mut sealed.clone()), Err(Refused));
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(7, &mut sealed[..length].to_vec()), Err(Refused));
        }
        assert_eq!(EphemeralKey::generate().open(7, &mut sealed), Err(Refused));
    }
}
