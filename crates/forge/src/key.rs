//! P-256 keys that sign as certificates want it, in ASN.1, and as quotes want it, in two fixed halves.

use crypto::sign::P256KeyPair;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};

/// A signing key of the forge.
pub(crate) struct Key(P256KeyPair);

impl Key {
    pub(crate) fn generate() -> Self {
        Key(P256KeyPair::generate())
    }

    /// The public key as quotes carry it: `x ‖ y`.
    pub(crate) fn point(&self) -> &[u8] {
        &self.0.public_key()[1..]
    }

    /// A signature as quotes and collateral carry it: `r ‖ s`.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> [u8; 64] {
        fixed(&self.0.sign(message))
    }
}

/// `SEQUENCE { INTEGER r, INTEGER s }` as two halves; the sequence is shorter than 128 bytes.
fn fixed(asn1: &[u8]) -> [u8; 64] {
    let (r, rest) = asn1[4..].split_at(usize::from(asn1[3]));
    let mut halves = [0; 64];
    for (half, integer) in halves.as_chunks_mut::<32>().0.iter_mut().zip([r, &rest[2..]]) {
        let digits = integer.strip_prefix(&[0]).unwrap_or(integer);
        half[32 - digits.len()..].copy_from_slice(digits);
    }
    halves
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One signature in 256 has a short half; a hundred make that likely to be met.
    #[test]
    fn fixed_signatures_verify() {
        let key = Key::generate();
        for message in 0..=255_u8 {
            let signature = key.sign_fixed(&[message]);
            assert_eq!(crypto::verify::p256_fixed(key.0.public_key(), &[message], &signature), Ok(()));
        }
    }
}
