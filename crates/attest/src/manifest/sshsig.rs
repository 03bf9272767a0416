//! Signatures as `ssh-keygen -Y sign` makes them (OpenSSH `PROTOCOL.sshsig`).
//!
//! ```text
//! blob     "SSHSIG"  u32 1  string key  string namespace  string ""  string hash  string signature
//! signed   "SSHSIG"  string namespace  string ""  string hash  string H(message)
//! ```
//!
//! The namespace is part of what is signed, so that nobody can be brought to sign a manifest by signing a git commit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Refused;
use crypto::hash::{Sha256, sha512};

use crate::manifest::key::{AuditorKey, BadAuditorKey};
use crate::manifest::wire::{BadWire, Reader, put_string, strings};

/// The namespace of signatures over manifests: `ssh-keygen -Y sign -n teehouse-manifest`.
pub const NAMESPACE: &str = "teehouse-manifest";

pub(super) const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// An OpenSSH signature of a supported kind and for our purpose. Whether it verifies is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSignature {
    blob: Vec<u8>,
    key: AuditorKey,
    hash: Hash,
    signature: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha512,
}

/// The text or bytes are no OpenSSH signature over a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSshSignature {
    /// Not between the two lines that OpenSSH puts around it, or not base64.
    #[error("expected `{BEGIN}`, base64 and `{END}`")]
    Armour,
    /// Not the bytes that `PROTOCOL.sshsig` describes.
    #[error("the OpenSSH signature is malformed")]
    Wire(#[from] BadWire),
    /// Made for something else.
    #[error("the OpenSSH signature is for another namespace than `{NAMESPACE}`")]
    Namespace,
    /// The key that it names.
    #[error("the OpenSSH signature's key is refused")]
    Key(#[from] BadAuditorKey),
}

impl SshSignature {
    /// Reads what `ssh-keygen -Y sign` writes.
    ///
    /// # Errors
    /// [`BadSshSignature`] for anything else.
    pub fn from_armour(text: &str) -> Result<Self, BadSshSignature> {
        let body = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let packed: String = body.ok_or(BadSshSignature::Armour)?.split_ascii_whitespace().collect();
        SshSignature::from_blob(STANDARD.decode(packed).map_err(|_| BadSshSignature::Armour)?)
    }

    /// Reads the bytes inside the armour.
    pub(super) fn from_blob(blob: Vec<u8>) -> Result<Self, BadSshSignature> {
        let mut reader = Reader::new(&blob);
        if reader.array()? != *MAGIC || reader.u32()? != VERSION {
            return Err(BadWire.into());
        }
        let key = AuditorKey::from_wire(reader.string()?)?;
        if reader.string()? != NAMESPACE.as_bytes() {
            return Err(BadSshSignature::Namespace);
        }
        let (reserved, hash, signature) = (reader.string()?, reader.string()?, reader.string()?.to_vec());
        reader.end()?;
        let hash = Hash::of(hash).filter(|_| reserved.is_empty()).ok_or(BadWire)?;
        Ok(SshSignature { key, hash, signature, blob })
    }

    /// The key that it claims to be by.
    pub fn key(&self) -> &AuditorKey {
        &self.key
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Checks that the key that it names made it over `message`.
    pub(super) fn verify(&self, message: &[u8]) -> Result<(), Refused> {
        self.key.verify_ssh(&self.hash.signed(message), &self.signature)
    }
}

impl Hash {
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"sha256" => Some(Hash::Sha256),
            b"sha512" => Some(Hash::Sha512),
            _ => None,
        }
    }

    /// What is signed in place of a message.
    fn signed(self, message: &[u8]) -> Vec<u8> {
        let (name, digest) = match self {
            Hash::Sha256 => (&b"sha256"[..], Sha256::digest(message).to_vec()),
            Hash::Sha512 => (&b"sha512"[..], sha512(message).to_vec()),
        };
        let mut signed = MAGIC.to_vec();
        signed.extend(strings(&[NAMESPACE.as_bytes(), b"", name]));
        put_string(&mut signed, &digest);
        signed
    }
}
