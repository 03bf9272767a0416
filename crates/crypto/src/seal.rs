//! Small records at rest: AES-256-GCM-SIV (RFC 8452) with a random nonce.
//!
//! ```text
//! sealed = version (1 byte, 0x01) ‖ nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)
//! ```
//!
//! The version byte is covered by the associated data. GCM-SIV because a store writes many records under one key:
//! with plain GCM, random 96-bit nonces want a limit of 2³² records and one repeat is fatal; here a repeat shows at
//! most that two equal plaintexts are equal (RFC 8452, section 9).

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{error::Refused, key::RecordKey, random};

/// How many bytes longer a sealed record is than its plaintext.
pub const OVERHEAD_LEN: usize = 1 + NONCE_LEN + TAG_LEN;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Seals `plaintext` so that only the same key with the same `aad` opens it.
pub fn seal(key: &RecordKey, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    seal_with_nonce(key, random::bytes(), aad, plaintext)
}

/// Opens what [`seal`] made. Never panics, whatever the bytes.
///
/// # Errors
/// [`Refused`] for another key, other associated data, or bytes that are not exactly what was sealed.
pub fn open(key: &RecordKey, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let rest = sealed.strip_prefix(&[VERSION]).ok_or(Refused)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Refused)?;
    let (ciphertext, tag) = ciphertext.split_last_chunk::<TAG_LEN>().ok_or(Refused)?;
    let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
    cipher(key)
        .open_separate_gather(Nonce::assume_unique_for_key(*nonce), versioned(aad), ciphertext, tag, &mut plaintext)
        .map_err(|_| Refused)?;
    Ok(plaintext)
}

fn seal_with_nonce(key: &RecordKey, nonce: [u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; OVERHEAD_LEN + plaintext.len()];
    let (header, body) = sealed.split_at_mut(1 + NONCE_LEN);
    header[0] = VERSION;
    header[1..].copy_from_slice(&nonce);
    let (ciphertext, tag) = body.split_at_mut(plaintext.len());
    cipher(key)
        .seal_out_of_place_scatter(Nonce::assume_unique_for_key(nonce), versioned(aad), plaintext, ciphertext, &[], tag)
        .expect("a record in memory is below the algorithm's 64 GiB");
    sealed
}

fn cipher(key: &RecordKey) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM_SIV, key.expose()).expect("a record key is 32 bytes");
    LessSafeKey::new(key)
}

fn versioned(aad: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION], aad].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{hex, parse_hex};

    fn key(fill: u8) -> RecordKey {
        RecordKey::from_secret(Zeroizing::new([fill; 32]))
    }

    /// RFC 8452, C.2, the case with plaintext 02, associated data 01, key 01 and nonce 03: the associated data is
    /// this format's version byte. Python's `cryptography` 48 (`AESGCMSIV`) agrees.
    #[test]
    fn rfc_8452_appendix_c_2() {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        let key = RecordKey::from_secret(Zeroizing::new(bytes));
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let sealed = seal_with_nonce(&key, nonce, b"", &parse_hex::<8>("0200000000000000").unwrap());
        assert_eq!(
            hex(&sealed),
            concat!("01", "030000000000000000000000", "1de22967237a813291213f267e3b452f02d01ae33e4ec854")
        );
    }

    #[test]
    fn round_trip_and_fresh_nonces() {
        for len in [0, 1, 15, 16, 17, 300, 70_000] {
            let plaintext = vec![0x5a; len];
            let sealed = seal(&key(1), b"aad", &plaintext);
            assert_eq!(sealed.len(), len + OVERHEAD_LEN);
            assert_eq!(*open(&key(1), b"aad", &sealed).unwrap(), plaintext);
            assert_ne!(seal(&key(1), b"aad", &plaintext), sealed);
        }
    }

    #[test]
    fn every_changed_bit_and_every_truncation_is_refused() {
        let sealed = seal(&key(1), b"aad", b"forty-two");
        for i in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[i] ^= 1 << bit;
                assert_eq!(open(&key(1), b"aad", &changed), Err(Refused));
            }
            assert_eq!(open(&key(1), b"aad", &sealed[..i]), Err(Refused));
            assert_eq!(open(&key(1), b"aad", &sealed[i + 1..]), Err(Refused));
        }
        let longer = [&sealed[..], &[0]].concat();
        assert_eq!(open(&key(1), b"aad", &longer), Err(Refused));
    }

    #[test]
    fn another_key_or_other_associated_data_is_refused() {
        let sealed = seal(&key(1), b"aad", b"forty-two");
        assert_eq!(open(&key(2), b"aad", &sealed), Err(Refused));
        for aad in [&b""[..], b"aa", b"aad\0", b"bad"] {
            assert_eq!(open(&key(1), aad, &sealed), Err(Refused));
        }
    }
}
