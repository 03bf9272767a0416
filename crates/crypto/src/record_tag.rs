//! Keyed tags of 32-byte records, to sort and compare records without their bytes: CBC-MAC with AES-128 (FIPS 197;
//! Bellare, Kilian, Rogaway 2000).
//!
//! ```text
//! tag = AES-128(key, AES-128(key, first half) ⊕ second half)
//! ```
//!
//! Messages of one length make CBC-MAC a pseudo-random function. Two different records have the same tag with a
//! probability of at most 2⁻¹²⁷ for a key that was drawn after they were chosen: equal tags mean that the values under
//! the outer AES are equal, `AES(a) ⊕ AES(c) = b ⊕ d`; with `a = c` that says `b = d`, and else the left side takes each
//! of 2¹²⁸ − 1 values equally often. So n records hold a pair that can't be told apart with at most n² · 2⁻¹²⁸.
//!
//! aws-lc-rs and ring have no AES for many single blocks at once; RustCrypto's `aes` does, with vector AES where the
//! processor has it, and in constant time everywhere.

use std::fmt;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _, consts::U16};

use crate::random;

/// Bytes of a record.
pub const RECORD_LEN: usize = 32;
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// Records whose tags are made together: they stay in the first-level cache.
const BATCH: usize = 128;

/// Makes tags under a key of its own, which dies with it.
pub struct RecordTags(Aes128);

impl RecordTags {
    /// With a fresh key from the system's random source.
    pub fn new() -> Self {
        Self::with_key(random::bytes())
    }

    fn with_key(key: [u8; 16]) -> Self {
        Self(Aes128::new(&key.into()))
    }

    /// The tags of as many records as both slices have.
    pub fn of_all(&self, records: &[[u8; RECORD_LEN]], tags: &mut [[u8; TAG_LEN]]) {
        for (records, tags) in records.chunks(BATCH).zip(tags.chunks_mut(BATCH)) {
            for (tag, record) in tags.iter_mut().zip(records) {
                tag.copy_from_slice(&record[..TAG_LEN]);
            }
            self.encrypt(tags);
            for (tag, record) in tags.iter_mut().zip(records) {
                for (byte, more) in tag.iter_mut().zip(&record[TAG_LEN..]) {
                    *byte ^= more;
                }
            }
            self.encrypt(tags);
        }
    }

    fn encrypt(&self, blocks: &mut [[u8; TAG_LEN]]) {
        self.0.encrypt_blocks(Array::<u8, U16>::cast_slice_from_core_mut(blocks));
    }
}

impl Default for RecordTags {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecordTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordTags([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tagger: &RecordTags, records: &[[u8; RECORD_LEN]]) -> Vec<[u8; TAG_LEN]> {
        let mut tags = vec![[0; TAG_LEN]; records.len()];
        tagger.of_all(records, &mut tags);
        tags
    }

    /// FIPS 197, appendix C.1: a record whose second half undoes the first encryption shows the inner AES alone.
    #[test]
    fn it_is_aes_128_twice() {
        let key = std::array::from_fn(|at| at as u8);
        let plain: [u8; 16] = std::array::from_fn(|at| at as u8 * 0x11);
        let sealed = [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a];
        let mut record = [0; RECORD_LEN];
        record[..16].copy_from_slice(&plain);
        for (at, byte) in record[16..].iter_mut().enumerate() {
            *byte = sealed[at] ^ plain[at];
        }
        assert_eq!(tags(&RecordTags::with_key(key), &[record]), [sealed]);
    }

    #[test]
    fn each_record_has_its_tag_at_every_count() {
        let tagger = RecordTags::new();
        let records: Vec<_> = (0..300).map(|number| [number as u8; RECORD_LEN]).collect();
        let one_by_one: Vec<_> = records.iter().flat_map(|record| tags(&tagger, &[*record])).collect();
        for count in [0, 1, 2, 63, 64, 127, 128, 129, 300] {
            assert_eq!(tags(&tagger, &records[..count]), one_by_one[..count]);
        }
    }

    #[test]
    fn every_byte_and_the_key_count() {
        let tagger = RecordTags::new();
        let first = tags(&tagger, &[[7; RECORD_LEN]]);
        for at in 0..RECORD_LEN {
            let mut other = [7; RECORD_LEN];
            other[at] ^= 1;
            assert_ne!(tags(&tagger, &[other]), first);
        }
        assert_ne!(tags(&RecordTags::new(), &[[7; RECORD_LEN]]), first);
    }
}
