//! Auditors' own keys, as files: Ed25519.

use std::fmt;

use crypto::BadKey;
use crypto::sign::Ed25519KeyPair;
use zeroize::Zeroizing;

use crate::manifest::envelope::{Envelope, Signature};
use crate::manifest::key::AuditorKey;
use crate::pem::{self, BadPem};

/// An auditor's private key. Whoever has it can say in the auditor's name what may run.
pub struct AuditorSecret(Ed25519KeyPair);

/// The text is no auditor's private key.
#[derive(Debug, thiserror::Error)]
pub enum BadAuditorSecret {
    /// Not the PEM block that it should be.
    #[error("the private key is not PEM")]
    Pem(#[from] BadPem),
    /// Not an Ed25519 private key.
    #[error("the private key is of another kind")]
    Kind(#[from] BadKey),
}

impl AuditorSecret {
    /// Signs bytes of another format, which must be told apart from manifests by itself.
    pub fn sign_bytes(&self, bytes: &[u8]) -> [u8; Ed25519KeyPair::SIGNATURE_LEN] {
        self.0.sign(bytes)
    }

    /// The public key: 32 bytes.
    pub fn public_bytes(&self) -> [u8; Ed25519KeyPair::PUBLIC_KEY_LEN] {
        self.0.public_key()
    }

    /// A fresh key from the system's random source.
    pub fn generate() -> Self {
        AuditorSecret(Ed25519KeyPair::generate())
    }

    /// Reads a key from PEM (`PRIVATE KEY`, unencrypted PKCS#8), as `openssl genpkey -algorithm ed25519` writes it, too.
    ///
    /// # Errors
    /// [`BadAuditorSecret`] when it is not one PEM block with an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, BadAuditorSecret> {
        Ok(AuditorSecret(Ed25519KeyPair::from_pkcs8(&pem::decode(pem::PRIVATE_KEY, text)?)?))
    }

    /// The key as PEM (`PRIVATE KEY`, unencrypted PKCS#8), to be kept in a file that nobody else reads.
    pub fn danger_to_pem(&self) -> Zeroizing<String> {
        pem::encode(pem::PRIVATE_KEY, &self.0.to_pkcs8())
    }

    /// By which others verify.
    pub fn public(&self) -> AuditorKey {
        AuditorKey::Ed25519(self.0.public_key())
    }

    /// The public key as PEM (`PUBLIC KEY`).
    pub fn public_pem(&self) -> String {
        pem::encode_ed25519(&self.0.public_key())
    }

    /// Signs what is in an envelope, whatever it is.
    pub fn sign(&self, envelope: &Envelope) -> Signature {
        Signature::bare(&self.public(), self.0.sign(&envelope.pae()))
    }
}

impl fmt::Debug for AuditorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditorSecret([redacted])")
    }
}
