//! Keyed fingerprints, to know again what was seen before: GMAC (NIST SP 800-38D) of a piece at its place.
//!
//! ```text
//! fingerprint = AES-256-GCM tag under a random key, nonce = list (4) ‖ index (8), associated data = the piece, no text
//! ```
//!
//! Key and fingerprints stay in the process that made them: they can't be written, printed or sent, only compared. GCM's
//! rule that a nonce is used once protects tags that others see; here nobody sees one, and who compares learns one bit,
//! so that a second piece passes for the first with a probability of at most (2¹⁶ + 1) · 2⁻¹²⁸ for each MiB of it.

use std::fmt;

use aws_lc_rs::constant_time;

use crate::{
    gcm::{Gcm, NONCE_LEN, TAG_LEN},
    random,
};

/// Makes fingerprints under a key of its own, which dies with it.
pub struct Fingerprints(Gcm);

/// What a piece was, in 16 bytes; worth nothing without the [`Fingerprints`] that made it.
pub struct Fingerprint([u8; TAG_LEN]);

impl Fingerprints {
    /// With a fresh key from the system's random source.
    pub fn new() -> Self {
        Self(Gcm::new(&random::bytes()))
    }

    /// The fingerprint of a piece that stands at this index of this list.
    pub fn of(&self, list: u32, index: u64, piece: &[u8]) -> Fingerprint {
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&list.to_be_bytes());
        nonce[4..].copy_from_slice(&index.to_be_bytes());
        Fingerprint(self.0.seal(nonce, piece, &mut []))
    }
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self::new()
    }
}

/// In time that does not depend on where they differ.
impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Fingerprint {}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints([redacted])")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_known_again_at_its_place_alone() {
        let prints = Fingerprints::new();
        let seen = prints.of(1, 2, b"piece");
        assert_eq!(seen, prints.of(1, 2, b"piece"));
        for other in [
            prints.of(1, 3, b"piece"),
            prints.of(2, 2, b"piece"),
            prints.of(1, 2, b"peace"),
            prints.of(1, 2, b"piece\0"),
            prints.of(1, 2, b""),
            Fingerprints::new().of(1, 2, b"piece"),
        ] {
            assert_ne!(seen, other);
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let prints = Fingerprints::new();
        let mut piece = vec![0x5a; 100];
        let seen = prints.of(0, 0, &piece);
        for bit in 0..800 {
            piece[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(seen, prints.of(0, 0, &piece), "bit {bit}");
            piece[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn they_take_sixteen_bytes_and_print_none() {
        let prints = Fingerprints::new();
        assert_eq!(size_of::<Fingerprint>(), 16);
        assert_eq!(
            format!("{prints:?} {:?}", prints.of(0, 0, b"")),
            "Fingerprints([redacted]) Fingerprint([redacted])"
        );
    }
}
