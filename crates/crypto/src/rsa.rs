//! An RSA key that a party brings to sign with (RFC 8017).

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

use crate::error::BadKey;

/// An RSA key pair of 2048 to 8192 bits.
pub struct RsaKeyPair(aws_lc_rs::signature::RsaKeyPair);

impl RsaKeyPair {
    /// Reads an unencrypted private key (DER): PKCS#8 (RFC 5958) or `RSAPrivateKey` (RFC 8017, appendix A.1.2).
    ///
    /// # Errors
    /// [`BadKey::RsaPrivate`] for anything else, and for keys of other sizes.
    pub fn from_der(der: &[u8]) -> Result<Self, BadKey> {
        aws_lc_rs::signature::RsaKeyPair::from_pkcs8(der)
            .or_else(|_| aws_lc_rs::signature::RsaKeyPair::from_der(der))
            .map(Self)
            .map_err(|_| BadKey::RsaPrivate)
    }

    /// The public key as `RSAPublicKey` (DER; RFC 8017, appendix A.1.1).
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs `message` with RSASSA-PKCS1-v1_5 and SHA-256: as many bytes as the modulus has.
    ///
    /// # Errors
    /// [`BadKey::RsaPrivate`] for a key whose numbers do not belong together.
    pub fn sign_pkcs1_sha256(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| BadKey::RsaPrivate)?;
        Ok(signature)
    }
}

impl fmt::Debug for RsaKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKeyPair([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;

    use super::*;
    use crate::sign::Ed25519KeyPair;

    #[test]
    fn only_rsa_keys_are_taken_and_none_is_printed() {
        let pair = aws_lc_rs::signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let read = RsaKeyPair::from_der(der.as_ref()).unwrap();
        assert_eq!(read.public_key(), pair.public_key().as_ref());
        assert_eq!(read.sign_pkcs1_sha256(b"message").unwrap().len(), 256);
        assert_eq!(format!("{read:?}"), "RsaKeyPair([redacted])");
        assert!(matches!(RsaKeyPair::from_der(&Ed25519KeyPair::generate().to_pkcs8()), Err(BadKey::RsaPrivate)));
        for length in 0..der.as_ref().len() {
            assert!(RsaKeyPair::from_der(&der.as_ref()[..length]).is_err(), "{length} bytes");
        }
    }
}
