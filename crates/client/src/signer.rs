//! What signs approvals on the user's machine: a key in a file, or an `ssh-agent` that keeps one.

use std::io;
use std::path::{Path, PathBuf};

use attest::manifest::signing::{AuditorSecret, BadAuditorSecret};
use crypto::sign::Ed25519KeyPair;
use types::bytes::Base64;

use crate::agent::{Agent, AgentError};

/// What signs in a user's name.
pub enum Signer {
    /// A key of this process's.
    Key(Box<AuditorSecret>),
    /// A key that an agent keeps.
    Agent {
        /// The agent.
        agent: Agent,
        /// The Ed25519 public key: 32 bytes.
        key: [u8; Ed25519KeyPair::PUBLIC_KEY_LEN],
    },
}

/// Nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The key file can't be read or written.
    #[error("the key {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no key.
    #[error("the key {} is none", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BadAuditorSecret,
    },
    /// The agent does not sign.
    #[error("ssh-agent")]
    Agent(#[from] AgentError),
}

impl Signer {
    /// Makes a key and keeps it in a file that only its owner reads. A file that is there already is not replaced.
    ///
    /// # Errors
    /// When the file is there, or can't be written.
    pub fn make(path: &Path) -> Result<Self, SignerError> {
        let failed = |source| SignerError::File { path: path.to_owned(), source };
        if path.try_exists().map_err(failed)? {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let secret = AuditorSecret::generate();
        crate::write_private(path, secret.danger_to_pem().as_bytes()).map_err(failed)?;
        Ok(Signer::Key(Box::new(secret)))
    }

    /// Reads a key file; `None` when there is none.
    ///
    /// # Errors
    /// When it can't be read, or is no Ed25519 private key in PEM.
    pub fn load(path: &Path) -> Result<Option<Self>, SignerError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SignerError::File { path: path.to_owned(), source }),
        };
        match AuditorSecret::from_pem(&text) {
            Ok(secret) => Ok(Some(Signer::Key(Box::new(secret)))),
            Err(source) => Err(SignerError::Key { path: path.to_owned(), source }),
        }
    }

    /// The public key: 32 bytes.
    pub fn public_key(&self) -> Base64 {
        match self {
            Signer::Key(secret) => Base64(secret.public_bytes().to_vec()),
            Signer::Agent { key, .. } => Base64(key.to_vec()),
        }
    }

    /// Signs.
    ///
    /// # Errors
    /// When the agent does not.
    pub fn sign(&self, bytes: &[u8]) -> Result<Base64, SignerError> {
        match self {
            Signer::Key(secret) => Ok(Base64(secret.sign_bytes(bytes).to_vec())),
            Signer::Agent { agent, key } => Ok(Base64(agent.sign(key, bytes)?.to_vec())),
        }
    }
}
