//! The key of a service's TLS certificate, born in its platform.

use crypto::sign::P256KeyPair;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};
use zeroize::Zeroizing;

/// A P-256 SubjectPublicKeyInfo up to the point (RFC 5480, section 2): ecPublicKey, secp256r1, uncompressed follows.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A fresh ECDSA P-256 key for one certificate.
#[derive(Debug)]
pub struct LeafKey {
    pair: P256KeyPair,
    public: LeafPublicKey,
}

impl LeafKey {
    /// A fresh key from the system's random source.
    pub fn generate() -> Self {
        let pair = P256KeyPair::generate();
        let public = LeafPublicKey::from_point(pair.public_key());
        LeafKey { pair, public }
    }

    /// The public key as it stands in the certificate.
    pub fn public(&self) -> LeafPublicKey {
        self.public.clone()
    }

    /// The private key for the TLS library: PKCS#8 (DER), unencrypted.
    pub fn danger_to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pair.to_pkcs8()
    }
}

impl PublicKeyData for LeafKey {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl SigningKey for LeafKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.pair.sign(message))
    }
}

/// A P-256 public key as SubjectPublicKeyInfo (DER).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafPublicKey(Vec<u8>);

/// The bytes are no P-256 SubjectPublicKeyInfo with an uncompressed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a P-256 public key (SubjectPublicKeyInfo)")]
pub struct BadPublicKey;

impl LeafPublicKey {
    /// Reads a SubjectPublicKeyInfo (DER). That the point is on the curve shows when a signature verifies.
    ///
    /// # Errors
    /// [`BadPublicKey`] for anything but a P-256 key in its one usual form.
    pub fn from_spki(der: &[u8]) -> Result<Self, BadPublicKey> {
        match der.strip_prefix(&SPKI_HEAD) {
            Some(point @ [4, ..]) if point.len() == P256KeyPair::PUBLIC_KEY_LEN => Ok(LeafPublicKey(der.to_vec())),
            _ => Err(BadPublicKey),
        }
    }

    pub(crate) fn from_point(point: &[u8]) -> Self {
        LeafPublicKey([&SPKI_HEAD, point].concat())
    }

    /// The SubjectPublicKeyInfo (DER).
    pub fn spki(&self) -> &[u8] {
        &self.0
    }
}

impl PublicKeyData for LeafPublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0[SPKI_HEAD.len()..]
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_p256_key_reads() {
        let key = LeafKey::generate().public();
        assert_eq!(key.spki().len(), 91);
        assert_eq!(LeafPublicKey::from_spki(key.spki()), Ok(key.clone()));
        for length in 0..key.spki().len() {
            assert_eq!(LeafPublicKey::from_spki(&key.spki()[..length]), Err(BadPublicKey));
        }
        for index in 0..=SPKI_HEAD.len() {
            let mut changed = key.spki().to_vec();
            changed[index] ^= 1;
            assert_eq!(LeafPublicKey::from_spki(&changed), Err(BadPublicKey));
        }
        assert_eq!(LeafPublicKey::from_spki(&[key.spki(), &[0]].concat()), Err(BadPublicKey));
    }
}
