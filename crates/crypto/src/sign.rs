//! Signatures: ECDSA P-256 with SHA-256 (FIPS 186-5, ASN.1 encoded) and Ed25519 (RFC 8032).
//!
//! P-256 is what TLS certificates and attestation evidence carry; Ed25519 is what auditors and receipts use.

use std::fmt;

use aws_lc_rs::{
    pkcs8::Document,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use zeroize::Zeroizing;

use crate::error::{BadKey, Refused};

/// An ECDSA key pair on P-256; signs SHA-256 of the message.
pub struct P256KeyPair(EcdsaKeyPair);

impl P256KeyPair {
    /// Length of a public key, in bytes: an uncompressed point (SEC 1, section 2.3.3).
    pub const PUBLIC_KEY_LEN: usize = 65;

    /// A fresh key pair from the system's random source.
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        Self(pair.expect("the system has a random source"))
    }

    /// Reads an unencrypted PKCS#8 v1 document (DER).
    ///
    /// # Errors
    /// [`BadKey::Pkcs8`] for anything else, another curve included.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map(Self)
            .map_err(|_| BadKey::Pkcs8("ECDSA P-256"))
    }

    /// The private key as PKCS#8 v1 (DER), unencrypted.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        wiped(&self.0.to_pkcs8v1().expect("a key in memory encodes"))
    }

    /// The public key: 65 bytes, `0x04 ‖ x ‖ y`.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs `message`; the ASN.1 signature is 70 to 72 bytes, rarely fewer.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        signature.expect("a valid key signs").as_ref().to_vec()
    }
}

/// Checks an ASN.1 ECDSA P-256 signature over SHA-256 of `message`. `public_key` is an encoded point.
///
/// # Errors
/// [`Refused`] unless the signature is this key's over this message.
pub fn verify_p256(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Refused> {
    verify(&ECDSA_P256_SHA256_ASN1, public_key, message, signature)
}

/// An Ed25519 key pair.
pub struct Ed25519KeyPair(aws_lc_rs::signature::Ed25519KeyPair);

impl Ed25519KeyPair {
    /// Length of a public key, in bytes.
    pub const PUBLIC_KEY_LEN: usize = 32;
    /// Length of a signature, in bytes.
    pub const SIGNATURE_LEN: usize = 64;

    /// A fresh key pair from the system's random source.
    pub fn generate() -> Self {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::generate();
        Self(pair.expect("the system has a random source"))
    }

    /// The key pair of a seed (RFC 8032, section 5.1.5): the same seed, the same pair. The caller wipes its own copy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.expect("every 32 bytes are a seed"))
    }

    /// Reads an unencrypted PKCS#8 document (DER), version 1 (as OpenSSL writes it) or 2.
    ///
    /// # Errors
    /// [`BadKey::Pkcs8`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map(Self)
            .map_err(|_| BadKey::Pkcs8("Ed25519"))
    }

    /// The private key as PKCS#8 v1 (DER), unencrypted.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        wiped(&self.0.to_pkcs8v1().expect("a key in memory encodes"))
    }

    /// The public key: 32 bytes.
    pub fn public_key(&self) -> [u8; Self::PUBLIC_KEY_LEN] {
        let public_key = self.0.public_key().as_ref().try_into();
        public_key.expect("an Ed25519 public key is 32 bytes")
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; Self::SIGNATURE_LEN] {
        let signature = self.0.sign(message).as_ref().try_into();
        signature.expect("an Ed25519 signature is 64 bytes")
    }
}

/// Checks an Ed25519 signature over `message`.
///
/// # Errors
/// [`Refused`] unless the signature is this key's over this message.
pub fn verify_ed25519(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Refused> {
    verify(&ED25519, public_key, message, signature)
}

pub(crate) fn verify(
    algorithm: &'static dyn VerificationAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), Refused> {
    UnparsedPublicKey::new(algorithm, public_key).verify(message, signature).map_err(|_| Refused)
}

fn wiped(document: &Document) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(document.as_ref().to_vec())
}

impl fmt::Debug for P256KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256KeyPair([redacted])")
    }
}

impl fmt::Debug for Ed25519KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519KeyPair([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{hex, parse_hex};

    type Verify = fn(&[u8], &[u8], &[u8]) -> Result<(), Refused>;

    fn check_only_the_right_signature_verifies(verify: Verify, public_key: &[u8], signature: &[u8]) {
        assert_eq!(verify(public_key, b"message", signature), Ok(()));
        assert_eq!(verify(public_key, b"massage", signature), Err(Refused));
        for i in 0..signature.len() {
            let mut changed = signature.to_vec();
            changed[i] ^= 1;
            assert_eq!(verify(public_key, b"message", &changed), Err(Refused));
            assert_eq!(verify(public_key, b"message", &signature[..i]), Err(Refused));
        }
        for i in 0..public_key.len() {
            let mut changed = public_key.to_vec();
            changed[i] ^= 1;
            assert_eq!(verify(&changed, b"message", signature), Err(Refused));
        }
    }

    #[test]
    fn p256_round_trip() {
        let pair = P256KeyPair::from_pkcs8(&P256KeyPair::generate().to_pkcs8()).unwrap();
        assert_eq!(pair.public_key().len(), P256KeyPair::PUBLIC_KEY_LEN);
        let signature = pair.sign(b"message");
        check_only_the_right_signature_verifies(verify_p256, pair.public_key(), &signature);
    }

    #[test]
    fn ed25519_round_trip() {
        let pair = Ed25519KeyPair::from_pkcs8(&Ed25519KeyPair::generate().to_pkcs8()).unwrap();
        let signature = pair.sign(b"message");
        check_only_the_right_signature_verifies(verify_ed25519, &pair.public_key(), &signature);
    }

    /// RFC 8032, 7.1, test 2, its seed in the PKCS#8 v1 frame of RFC 8410, section 7.
    #[test]
    fn rfc_8032_test_2() {
        let der = parse_hex::<48>(concat!(
            "302e020100300506032b657004220420",
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
        ));
        let pair = Ed25519KeyPair::from_pkcs8(&der.unwrap()).unwrap();
        assert_eq!(hex(&pair.public_key()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(
            hex(&pair.sign(&[0x72])),
            concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            )
        );
    }

    #[test]
    fn a_key_of_the_other_kind_is_refused_and_named() {
        let ed25519 = Ed25519KeyPair::generate().to_pkcs8();
        let p256 = P256KeyPair::generate().to_pkcs8();
        let error = P256KeyPair::from_pkcs8(&ed25519).unwrap_err();
        assert_eq!(error.to_string(), "not a PKCS#8 private key for ECDSA P-256");
        let error = Ed25519KeyPair::from_pkcs8(&p256).unwrap_err();
        assert_eq!(error.to_string(), "not a PKCS#8 private key for Ed25519");
        for i in 0..p256.len() {
            assert!(P256KeyPair::from_pkcs8(&p256[..i]).is_err());
        }
    }

    #[test]
    fn debug_is_redacted() {
        assert_eq!(format!("{:?}", P256KeyPair::generate()), "P256KeyPair([redacted])");
        assert_eq!(format!("{:?}", Ed25519KeyPair::generate()), "Ed25519KeyPair([redacted])");
    }
}
