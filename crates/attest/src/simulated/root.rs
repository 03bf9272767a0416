//! The root of the simulated platform: who signs in the place of a processor's maker.

use crypto::BadKey;
use crypto::sign::{Ed25519KeyPair, verify_ed25519};
use zeroize::Zeroizing;

use crate::pem::{self, BadPem};
use crate::refusal::Refusal;

/// What stands in the place of the processor maker's root key. Whoever has it can forge every simulated platform.
#[derive(Debug)]
pub struct SimulatedRoot(Ed25519KeyPair);

impl SimulatedRoot {
    /// A fresh root.
    pub fn generate() -> Self {
        SimulatedRoot(Ed25519KeyPair::generate())
    }

    /// Reads a root from PEM (`PRIVATE KEY`, PKCS#8).
    ///
    /// # Errors
    /// [`BadRoot`] when it is not one PEM block with an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, BadRoot> {
        Ok(SimulatedRoot(Ed25519KeyPair::from_pkcs8(&pem::decode(pem::PRIVATE_KEY, text)?)?))
    }

    /// The root as PEM (`PRIVATE KEY`, PKCS#8), to be kept in a file that nobody else reads.
    pub fn danger_to_pem(&self) -> Zeroizing<String> {
        pem::encode(pem::PRIVATE_KEY, &self.0.to_pkcs8())
    }

    /// The key by which verifiers check this root's evidence.
    pub fn public(&self) -> SimulatedRootKey {
        SimulatedRootKey(self.0.public_key())
    }

    pub(super) fn sign(&self, statement: &[u8]) -> [u8; Ed25519KeyPair::SIGNATURE_LEN] {
        self.0.sign(statement)
    }
}

/// The public half of a [`SimulatedRoot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatedRootKey([u8; Ed25519KeyPair::PUBLIC_KEY_LEN]);

impl SimulatedRootKey {
    /// Reads a key from PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// [`BadRoot`] when it is not one PEM block with an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, BadRoot> {
        pem::decode_ed25519(text)?.map(SimulatedRootKey).ok_or(BadRoot::PublicKey)
    }

    /// The key as PEM (`PUBLIC KEY`), as other tools read it.
    pub fn to_pem(&self) -> String {
        pem::encode_ed25519(&self.0)
    }

    /// Wraps the 32 bytes of the key (RFC 8032, section 5.1.5).
    pub const fn from_bytes(key: [u8; Ed25519KeyPair::PUBLIC_KEY_LEN]) -> Self {
        SimulatedRootKey(key)
    }

    /// The 32 bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; Ed25519KeyPair::PUBLIC_KEY_LEN] {
        &self.0
    }

    pub(super) fn verify(&self, statement: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        verify_ed25519(&self.0, statement, signature).map_err(|_| Refusal::BadSignature)
    }
}

/// The text is no simulated root.
#[derive(Debug, thiserror::Error)]
pub enum BadRoot {
    /// Not the PEM block that it should be.
    #[error("the simulated root is not PEM")]
    Pem(#[from] BadPem),
    /// Not an Ed25519 private key.
    #[error("the simulated root is no private key")]
    PrivateKey(#[from] BadKey),
    /// Not an Ed25519 public key.
    #[error("the simulated root's public half is no Ed25519 key")]
    PublicKey,
}
