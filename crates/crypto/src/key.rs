//! A newtype per key purpose, so that no key can be used for another one's job.
//!
//! Every key is wiped when dropped, has no `Clone` and no serialisation, and prints as `[redacted]`.

use std::fmt;

use zeroize::Zeroizing;

use crate::{error::BadKey, random};

/// Length of every symmetric key here, in bytes.
pub const KEY_LEN: usize = 32;

/// The AES-256-GCM key of one file, with the nonce and associated data that belong to it.
///
/// A file key seals one plaintext, once: GCM with a repeated nonce gives away both plaintexts and the
/// authentication key (NIST SP 800-38D, section 8). [`crate::file::seal`] therefore consumes it.
#[derive(Debug)]
pub struct FileKey {
    key: Secret<KEY_LEN>,
    nonce: Secret<{ FileKey::NONCE_LEN }>,
    ad: Secret<{ FileKey::AD_LEN }>,
}

impl FileKey {
    /// Length of the nonce, in bytes.
    pub const NONCE_LEN: usize = 12;
    /// Length of the associated data, in bytes: what the API reference's examples carry.
    pub const AD_LEN: usize = 5;

    /// Takes the three parts as they travel.
    ///
    /// # Errors
    /// [`BadKey::Length`] names the part whose length is wrong.
    pub fn new(key: &[u8], nonce: &[u8], ad: &[u8]) -> Result<Self, BadKey> {
        Ok(Self {
            key: Secret::from_slice("key", key)?,
            nonce: Secret::from_slice("nonce", nonce)?,
            ad: Secret::from_slice("ad", ad)?,
        })
    }

    /// A fresh key, nonce and associated data from the system's random source.
    pub fn generate() -> Self {
        Self { key: Secret::generate(), nonce: Secret::generate(), ad: Secret::generate() }
    }

    /// The AES-256 key, to put it on the wire.
    pub fn key(&self) -> &[u8; KEY_LEN] {
        self.key.expose()
    }

    /// The GCM nonce, to put it on the wire.
    pub fn nonce(&self) -> &[u8; Self::NONCE_LEN] {
        self.nonce.expose()
    }

    /// The associated data, to put it on the wire.
    pub fn ad(&self) -> &[u8; Self::AD_LEN] {
        self.ad.expose()
    }
}

/// The root of one service's stored secrets: every other key at rest is derived from it (see [`crate::kdf`]).
#[derive(Debug)]
pub struct SealingKey(Secret<KEY_LEN>);

impl SealingKey {
    /// A fresh key from the system's random source.
    pub fn generate() -> Self {
        Self(Secret::generate())
    }

    /// Takes the key from wherever the platform keeps it. The caller wipes its own copy.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Secret(Zeroizing::new(bytes)))
    }

    pub(crate) fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Secret(bytes))
    }

    /// The key itself, for the platform that keeps it. Whoever has it can read everything the service stored.
    pub fn danger_expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose()
    }
}

/// Seals records: see [`crate::seal`]. Only [`SealingKey::derive`] makes one.
#[derive(Debug)]
pub struct RecordKey(Secret<KEY_LEN>);

impl RecordKey {
    pub(crate) fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Secret(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose()
    }
}

/// Makes and checks tags: see [`crate::mac`].
#[derive(Debug)]
pub struct MacKey(Secret<KEY_LEN>);

impl MacKey {
    /// A fresh key from the system's random source.
    pub fn generate() -> Self {
        Self(Secret::generate())
    }

    /// Takes a key made elsewhere. The caller wipes its own copy.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Secret(Zeroizing::new(bytes)))
    }

    pub(crate) fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Secret(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose()
    }
}

/// Bytes that are wiped on drop and never printed.
struct Secret<const N: usize>(Zeroizing<[u8; N]>);

impl<const N: usize> Secret<N> {
    fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; N]);
        random::fill(&mut *bytes);
        Self(bytes)
    }

    fn from_slice(part: &'static str, bytes: &[u8]) -> Result<Self, BadKey> {
        if bytes.len() != N {
            return Err(BadKey::Length { part, expected: N, found: bytes.len() });
        }
        let mut secret = Zeroizing::new([0; N]);
        secret.copy_from_slice(bytes);
        Ok(Self(secret))
    }

    fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte_of_a_key() {
        let file = FileKey::new(&[0xab; 32], &[0xcd; 12], &[0xef; 5]).unwrap();
        assert_eq!(format!("{file:?}"), "FileKey { key: [redacted], nonce: [redacted], ad: [redacted] }");
        let sealing = SealingKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{sealing:?}"), "SealingKey([redacted])");
        let mac = MacKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{mac:?}"), "MacKey([redacted])");
    }

    #[test]
    fn a_part_of_the_wrong_length_is_named() {
        let check = |key: usize, nonce: usize, ad: usize, part: &str| {
            let error = FileKey::new(&vec![0; key], &vec![0; nonce], &vec![0; ad]).unwrap_err();
            assert!(error.to_string().starts_with(part), "{error}");
        };
        check(31, 12, 5, "key must be 32 bytes, not 31");
        check(33, 12, 5, "key must be 32 bytes, not 33");
        check(32, 0, 5, "nonce must be 12 bytes, not 0");
        check(32, 12, 6, "ad must be 5 bytes, not 6");
    }

    #[test]
    fn parts_come_back_as_they_went_in_and_generated_ones_differ() {
        let key = FileKey::new(&[1; 32], &[2; 12], &[3; 5]).unwrap();
        assert_eq!((key.key(), key.nonce(), key.ad()), (&[1; 32], &[2; 12], &[3; 5]));
        let (a, b) = (FileKey::generate(), FileKey::generate());
        assert_ne!(a.key(), b.key());
        assert_ne!(a.nonce(), b.nonce());
        let (a, b) = (SealingKey::generate(), SealingKey::generate());
        assert_ne!(a.danger_expose(), b.danger_expose());
    }
}
