//! Opening a message that somebody sealed with AES-GCM under a key of their own (NIST SP 800-38D).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::error::{BadKey, Refused};

/// Length of a nonce, in bytes.
pub const NONCE_LEN: usize = 12;

/// The key size, which is all that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A key of 16 bytes.
    Aes128Gcm,
    /// A key of 32 bytes.
    Aes256Gcm,
}

impl Algorithm {
    /// Length of a key, in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Algorithm::Aes128Gcm => 16,
            Algorithm::Aes256Gcm => 32,
        }
    }
}

/// A key for opening messages.
pub struct MessageKey(LessSafeKey);

impl MessageKey {
    /// Takes a key of the algorithm's length.
    ///
    /// # Errors
    /// [`BadKey::Length`] for a key of another length.
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, BadKey> {
        let aead = match algorithm {
            Algorithm::Aes128Gcm => &AES_128_GCM,
            Algorithm::Aes256Gcm => &AES_256_GCM,
        };
        let wrong = BadKey::Length { part: "key", expected: algorithm.key_len(), found: key.len() };
        UnboundKey::new(aead, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| wrong)
    }

    /// Opens ciphertext with its 16-byte tag at the end, in place.
    ///
    /// # Errors
    /// [`Refused`] unless exactly this was sealed under this key, nonce and associated data.
    pub fn open<'a>(&self, nonce: [u8; NONCE_LEN], ad: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8], Refused> {
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(ad), sealed);
        opened.map(|text| &*text).map_err(|_| Refused)
    }
}

impl std::fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::parse_hex;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 4 and 16.
    #[test]
    fn test_vectors_of_both_sizes() {
        let text = concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        );
        let text = parse_hex::<60>(text).unwrap();
        let key = parse_hex::<32>("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").unwrap();
        let nonce = parse_hex::<12>("cafebabefacedbaddecaf888").unwrap();
        let ad = parse_hex::<20>("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap();
        for (algorithm, sealed) in [
            (
                Algorithm::Aes128Gcm,
                concat!(
                    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05",
                    "1ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"
                ),
            ),
            (
                Algorithm::Aes256Gcm,
                concat!(
                    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838",
                    "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
                ),
            ),
        ] {
            let sealed = parse_hex::<76>(sealed).unwrap();
            let key = MessageKey::new(algorithm, &key[..algorithm.key_len()]).unwrap();
            assert_eq!(key.open(nonce, &ad, &mut { sealed }), Ok(&text[..]));
            assert_eq!(key.open(nonce, b"", &mut { sealed }), Err(Refused));
            for at in 0..sealed.len() {
                let mut changed = sealed;
                changed[at] ^= 1;
                assert_eq!(key.open(nonce, &ad, &mut changed), Err(Refused), "byte {at}");
                assert_eq!(key.open(nonce, &ad, &mut { sealed }[..at]), Err(Refused), "{at} bytes");
            }
        }
    }

    #[test]
    fn keys_have_their_length() {
        for length in [0, 15, 17, 31, 33] {
            assert!(MessageKey::new(Algorithm::Aes128Gcm, &vec![0; length]).is_err());
            assert!(MessageKey::new(Algorithm::Aes256Gcm, &vec![0; length]).is_err());
        }
        assert!(MessageKey::new(Algorithm::Aes128Gcm, &[0; 32]).is_err());
    }
}
