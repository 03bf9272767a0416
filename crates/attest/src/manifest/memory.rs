//! What a verifier remembers of the manifests that it accepted, as the bytes of a small file.
//!
//! ```text
//! {"auditors": …, "configured": DIGEST, "deployment": NAME, "digest": DIGEST, "version": NUMBER}
//! ```
//!
//! The auditors are those of the accepted manifest, so that a line of manifests can change them. `configured` is the
//! digest of those whom a person named: when the person names others, the person is right.

use crypto::hash::Sha256;
use serde::{Deserialize, Serialize};
use types::digest::Digest;

use crate::identity::Deployment;
use crate::manifest::auditors::Auditors;
use crate::manifest::payload::AuditorsDocument;
use crate::manifest::text::Text;
use crate::manifest::{LastSeen, Malformed, Manifest};
use crate::verified::Verified;

/// What is remembered of the newest accepted manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    configured: Digest,
    auditors: Auditors,
    last_seen: LastSeen,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    auditors: AuditorsDocument,
    configured: Digest,
    deployment: Text<Deployment>,
    digest: Digest,
    version: u64,
}

impl Memory {
    /// What is to be remembered once `manifest` was accepted by whoever was told to trust `configured`.
    pub fn of(manifest: &Verified<Manifest>, configured: &Auditors) -> Self {
        let last_seen =
            LastSeen { deployment: manifest.deployment.clone(), version: manifest.version, digest: manifest.digest() };
        Memory { configured: digest(configured), auditors: manifest.auditors.clone(), last_seen }
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`Malformed`] for anything that [`Memory::to_bytes`] does not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let document: Document = serde_json::from_slice(bytes).map_err(|error| Malformed::json("memory", &error))?;
        let last_seen =
            LastSeen { deployment: document.deployment.0, version: document.version, digest: document.digest };
        Ok(Memory { configured: document.configured, auditors: document.auditors.read()?, last_seen })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = Document {
            auditors: AuditorsDocument::write(&self.auditors),
            configured: self.configured,
            deployment: Text(self.last_seen.deployment.clone()),
            digest: self.last_seen.digest,
            version: self.last_seen.version,
        };
        let mut bytes = serde_json::to_vec(&document).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Whom to trust with the next manifest: the auditors of the last, unless a person has named others since.
    pub fn trusted<'a>(&'a self, configured: &'a Auditors) -> &'a Auditors {
        if self.configured == digest(configured) { &self.auditors } else { configured }
    }

    /// The newest manifest that was accepted.
    pub fn last_seen(&self) -> &LastSeen {
        &self.last_seen
    }
}

/// Names do not count: only keys and threshold decide.
fn digest(auditors: &Auditors) -> Digest {
    let keys: Vec<String> = auditors.list().iter().map(|auditor| auditor.key.to_string()).collect();
    Digest::new(Sha256::digest(format!("{} of {}", auditors.threshold(), keys.join(",")).as_bytes()))
}
