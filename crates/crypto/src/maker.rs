//! The keys with which makers of platforms sign: ECDSA P-384 and RSA. Only tests hold any, in the makers' place.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RsaEncoding, RsaKeyPair,
};

/// An ECDSA key pair on P-384; signs SHA-384 of the message.
pub struct P384KeyPair(EcdsaKeyPair);

impl P384KeyPair {
    /// Length of a public key, in bytes: an uncompressed point (SEC 1, section 2.3.3).
    pub const PUBLIC_KEY_LEN: usize = 97;

    /// A fresh key pair from the system's random source.
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING);
        Self(pair.expect("the system has a random source"))
    }

    /// The public key: 97 bytes, `0x04 ‖ x ‖ y`.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs `message`: `r ‖ s`, big-endian.
    pub fn sign(&self, message: &[u8]) -> [u8; 96] {
        let signature = self.0.sign(&SystemRandom::new(), message).expect("a valid key signs");
        signature.as_ref().try_into().expect("two halves of 48 bytes")
    }
}

/// How an RSA key signs (RFC 8017).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaScheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Pkcs1Sha256,
    /// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    PssSha256,
    /// RSASSA-PSS with SHA-384, MGF1-SHA-384 and a salt of 48 bytes.
    PssSha384,
}

/// Where the numbers are in the `RSAPublicKey` of a 2048-bit key with the exponent 65537.
const MODULUS: std::ops::Range<usize> = 9..265;
const EXPONENT: std::ops::Range<usize> = 267..270;

/// An RSA key pair of 2048 bits.
pub struct RsaKey(RsaKeyPair);

impl RsaKey {
    /// A fresh key pair from the system's random source.
    pub fn generate() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).expect("the system has a random source"))
    }

    /// The public key as `RSAPublicKey` (DER; RFC 8017, appendix A.1.1).
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The public modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> Vec<u8> {
        self.public_key()[MODULUS].to_vec()
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> Vec<u8> {
        self.public_key()[EXPONENT].to_vec()
    }

    /// Signs `message`: 256 bytes.
    pub fn sign(&self, scheme: RsaScheme, message: &[u8]) -> Vec<u8> {
        let encoding: &'static dyn RsaEncoding = match scheme {
            RsaScheme::Pkcs1Sha256 => &RSA_PKCS1_SHA256,
            RsaScheme::PssSha256 => &RSA_PSS_SHA256,
            RsaScheme::PssSha384 => &RSA_PSS_SHA384,
        };
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(encoding, &SystemRandom::new(), message, &mut signature);
        signed.expect("a valid key signs");
        signature
    }
}

impl fmt::Debug for P384KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P384KeyPair([redacted])")
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refused;
    use crate::verify::{RsaPublicKey, p384_fixed};

    #[test]
    fn p384_round_trip() {
        let pair = P384KeyPair::generate();
        let mut signature = pair.sign(b"message");
        assert_eq!(p384_fixed(pair.public_key(), b"message", &signature), Ok(()));
        signature[0] ^= 1;
        assert_eq!(p384_fixed(pair.public_key(), b"message", &signature), Err(Refused));
    }

    #[test]
    fn each_rsa_scheme_verifies_as_itself_only() {
        let key = RsaKey::generate();
        let (modulus, exponent) = (key.modulus(), key.exponent());
        let public = RsaPublicKey { modulus: &modulus, exponent: &exponent };
        let schemes = [RsaScheme::Pkcs1Sha256, RsaScheme::PssSha256, RsaScheme::PssSha384];
        for scheme in schemes {
            let signature = key.sign(scheme, b"message");
            let verified = [
                public.verify_pkcs1_sha256(b"message", &signature),
                public.verify_pss_sha256(b"message", &signature),
                public.verify_pss_sha384(b"message", &signature),
            ];
            for (other, verified) in schemes.iter().zip(verified) {
                assert_eq!(verified.is_ok(), *other == scheme, "{scheme:?} as {other:?}");
            }
        }
    }

    #[test]
    fn debug_is_redacted() {
        assert_eq!(format!("{:?}", P384KeyPair::generate()), "P384KeyPair([redacted])");
        assert_eq!(format!("{:?}", RsaKey::generate()), "RsaKey([redacted])");
    }
}
