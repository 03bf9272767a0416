//! Statements of services: canonical JSON in a DSSE v1 envelope, with the evidence that says what code signed it.
//!
//! ```text
//! PAE = "DSSEv1 " LEN(TYPE) " " TYPE " " LEN(PAYLOAD) " " PAYLOAD         lengths in bytes, in decimal
//! ```
//!
//! A service signs with an Ed25519 key that follows from its sealing key, so that it outlives restarts; evidence binds
//! the key to the service's measurement in the same way in which a certificate's evidence binds its key.

use std::sync::Arc;

pub use attest::manifest::envelope::pae;

use attest::Verified;
use attest::appraise::Verifier;
use attest::attester::{AttestError, Attester};
use attest::claims::Claims;
use attest::extension;
use attest::platform::Platform;
use attest::refusal::Refusal;
use crypto::hash::Sha256;
use crypto::sign::Ed25519KeyPair;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::bytes::Base64;
use types::consent::{SignedStatement, Signer, StatementSignature};
use types::service::Role;
use types::time::UnixMillis;

use crate::canonical::{self, NotCanonical};

/// The head of a SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4); the 32 bytes of the key follow.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key as a SubjectPublicKeyInfo (DER).
fn spki(key: &[u8]) -> Vec<u8> {
    [&ED25519_SPKI, key].concat()
}

/// A service's key for statements, with evidence for it.
pub struct StatementKey {
    pair: Arc<Ed25519KeyPair>,
    signer: Signer,
    simulated: bool,
}

/// A statement that is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum NotBelieved {
    /// It is a statement about something else.
    #[error("a statement of type `{found}`, not `{expected}`")]
    Type {
        /// What was expected.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// There is not exactly one signature, or it is not the signer's.
    #[error("the signature is not the signer's over this statement")]
    Signature,
    /// It has words on it that are not part of it.
    #[error("its notice is not one that a service makes")]
    Notice,
    /// The payload is not canonical.
    #[error("the payload: {0}")]
    Payload(#[from] NotCanonical),
    /// The evidence does not show that accepted code has the key.
    #[error("the signer's evidence: {0}")]
    Evidence(#[from] Refusal),
}

impl StatementKey {
    /// A key that is bound to this platform by fresh evidence.
    ///
    /// # Errors
    /// What the platform says.
    pub fn attested(pair: Ed25519KeyPair, attester: &dyn Attester, now: UnixMillis) -> Result<Self, AttestError> {
        Self::bound(Arc::new(pair), attester, now)
    }

    /// The same key with fresh evidence. May take a second and block on hardware.
    ///
    /// # Errors
    /// What the platform says.
    pub fn attested_again(&self, attester: &dyn Attester, now: UnixMillis) -> Result<Self, AttestError> {
        Self::bound(self.pair.clone(), attester, now)
    }

    fn bound(pair: Arc<Ed25519KeyPair>, attester: &dyn Attester, now: UnixMillis) -> Result<Self, AttestError> {
        let key = pair.public_key();
        let evidence = extension::attest_key(attester, &spki(&key), now)?;
        let signer = Signer { key: Base64(key.to_vec()), evidence: Base64(evidence), at_ms: now };
        let simulated = platform(&signer).is_ok_and(|platform| platform == Platform::Simulated);
        Ok(StatementKey { pair, signer, simulated })
    }

    /// The key and its evidence.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Signs bytes of another format, which must be told apart from statements by itself: a log's checkpoints.
    pub fn sign_bytes(&self, bytes: &[u8]) -> [u8; Ed25519KeyPair::SIGNATURE_LEN] {
        self.pair.sign(bytes)
    }

    /// Signs a statement.
    ///
    /// # Errors
    /// [`NotCanonical::Number`] when a number in it is above 2⁵³ − 1.
    pub fn sign(&self, payload_type: &str, statement: &impl Serialize) -> Result<SignedStatement, NotCanonical> {
        let payload = canonical::to_vec(statement)?;
        let signature = self.pair.sign(&pae(payload_type, &payload));
        let keyid = crypto::hash::hex(&Sha256::digest(&self.signer.key.0));
        Ok(SignedStatement {
            notice: self.simulated.then(|| SIMULATED.to_owned()),
            payload_type: payload_type.to_owned(),
            payload: Base64(payload),
            signatures: vec![StatementSignature { keyid, sig: Base64(signature.to_vec()) }],
            signer: self.signer.clone(),
        })
    }
}

/// What a statement from a simulated platform says before everything else.
pub const SIMULATED: &str =
    "SIMULATED: signed on a simulated platform, which proves nothing about who could see or change what";

/// The platform that a signer's evidence is of; nothing of it is verified by this.
///
/// # Errors
/// When the evidence can't be read.
pub fn platform(signer: &Signer) -> Result<Platform, NotBelieved> {
    Ok(extension::decode_extension(&signer.evidence.0)?.evidence.platform())
}

/// Reads a statement whose signature is its signer's. Who the signer is, is [`appraise`]'s business.
///
/// # Errors
/// [`NotBelieved`] with the first reason.
pub fn open<T: Serialize + DeserializeOwned>(
    statement: &SignedStatement,
    payload_type: &'static str,
) -> Result<T, NotBelieved> {
    if statement.payload_type != payload_type {
        return Err(NotBelieved::Type { expected: payload_type, found: statement.payload_type.clone() });
    }
    if statement.notice.as_deref().is_some_and(|notice| notice != SIMULATED) {
        return Err(NotBelieved::Notice);
    }
    let [signature] = &statement.signatures[..] else { return Err(NotBelieved::Signature) };
    if signature.keyid != crypto::hash::hex(&Sha256::digest(&statement.signer.key.0)) {
        return Err(NotBelieved::Signature);
    }
    let signed = pae(payload_type, &statement.payload.0);
    crypto::sign::verify_ed25519(&statement.signer.key.0, &signed, &signature.sig.0)
        .map_err(|_| NotBelieved::Signature)?;
    Ok(canonical::from_slice(&statement.payload.0)?)
}

/// Decides whether a signer's key is that of accepted code in a role, as of when its evidence was made.
///
/// # Errors
/// The appraisal's reason.
pub fn appraise(signer: &Signer, verifier: &Verifier<'_>, role: Role) -> Result<Verified<Claims>, NotBelieved> {
    let extension = extension::decode_extension(&signer.evidence.0)?;
    extension::check_key(&extension.claims, &spki(&signer.key.0))?;
    let expected = extension::report_data(&extension.claims);
    Ok(verifier.appraise(&extension.evidence, &expected, role, signer.at_ms)?)
}
