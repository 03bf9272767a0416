//! What a connection's two layers showed, kept for whoever wants to check it later, offline.
//!
//! One JSON document. The session's evidence was bound to keying material that only the two ends could compute, so the
//! report data in the document is the saver's word; that the evidence is the peer's, and when, is not.

use attest::Verified;
use attest::appraise::Verifier;
use attest::certificate::PeerIdentity;
use attest::claims::Claims;
use attest::evidence::{Evidence, ReportData};
use attest::refusal::Refusal;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use types::bytes::Base64;
use types::service::Role;
use types::time::UnixMillis;

use crate::attestation::Proof;
use crate::tls::check_issuer_at;
use crate::trust::Trust;

/// The longest document that is read, in bytes.
pub const MAX_SAVED_BYTES: usize = 512 << 10;

/// The format's version.
const FORMAT: u32 = 1;

/// Saved evidence.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    format: u32,
    /// Where it was found: `host:port`.
    pub target: String,
    /// When.
    pub saved_at_ms: u64,
    /// The certificate (DER).
    certificate: Base64,
    /// The session's evidence, as it travelled.
    evidence: Base64,
    /// What that was bound to.
    report_data: Base64,
}

/// Why saved evidence shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is longer than [`MAX_SAVED_BYTES`].
    #[error("it is longer than {MAX_SAVED_BYTES} bytes")]
    TooLong,
    /// It is no document of this kind.
    #[error("it is no saved evidence")]
    Json(#[from] serde_json::Error),
    /// It is of another format.
    #[error("its format is {0}, and this program reads {FORMAT}")]
    Format(u32),
    /// The certificate is not named by the deployment's CA.
    #[error("its certificate is not one of the deployment's CA: {0}")]
    Chain(String),
    /// It is refused.
    #[error("it is refused")]
    Refused(#[from] Refusal),
}

impl Saved {
    /// What is kept of a proof.
    pub fn new(proof: &Proof, target: &str, now: UnixMillis) -> Self {
        Saved {
            format: FORMAT,
            target: target.to_owned(),
            saved_at_ms: now.0,
            certificate: Base64(proof.leaf.clone()),
            evidence: Base64(proof.evidence.encode()),
            report_data: Base64(proof.report_data.0.to_vec()),
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, SavedError> {
        if bytes.len() > MAX_SAVED_BYTES {
            return Err(SavedError::TooLong);
        }
        let saved: Saved = serde_json::from_slice(bytes)?;
        if saved.format == FORMAT { Ok(saved) } else { Err(SavedError::Format(saved.format)) }
    }

    /// Appraises it anew, as of an instant.
    ///
    /// # Errors
    /// [`SavedError`] with the first reason that applies.
    pub fn appraise(
        &self,
        trust: &Trust,
        now: UnixMillis,
    ) -> Result<(Verified<PeerIdentity>, Verified<Claims>), SavedError> {
        let leaf = CertificateDer::from(&self.certificate.0[..]);
        let ca = trust.ca.as_ref().ok_or_else(|| SavedError::Chain("the trust folder has no ca.pem".to_owned()))?;
        check_issuer_at(&leaf, ca, now).map_err(|error| SavedError::Chain(error.to_string()))?;
        let certificate = trust.appraise_certificate(&leaf, &Role::ALL, now)?;
        let evidence = Evidence::decode(&self.evidence.0)?;
        let report_data = <[u8; 64]>::try_from(&self.report_data.0[..]).map_err(|_| Refusal::ReportDataDiffers)?;
        let collateral = trust.collateral.current();
        let verifier = Verifier { policy: &trust.policy, collateral: &collateral };
        let session = verifier.appraise(&evidence, &ReportData(report_data), certificate.role, now)?;
        if session.measurement != certificate.claims.measurement {
            return Err(Refusal::OtherMeasurement(Box::new(session.measurement.clone())).into());
        }
        Ok((certificate, session))
    }
}
