//! Evidence for one session: fresh, and bound to the very TLS connection over which it is asked for.
//!
//! A certificate's evidence proves that a platform made the certificate's key, not that the platform is at the other
//! end: whoever holds the key can show evidence that it relays. So the verifier sends 32 fresh bytes, and the attester
//! answers with evidence over what only the two ends of this connection can compute (shape of
//! draft-fossati-seat-expat-03; keying material exported as RFC 8446, section 7.5, has it):
//!
//! ```text
//! exported    = TLS-Exporter(label, role ‖ nonce, 32)
//! report data = SHA-512(domain, role, deployment, leaf SPKI, exported)     each part after its length, u64 big-endian
//! ```
//!
//! Label and domain differ by direction, so that nobody can have their own question answered by the one who asked.
//! Role, deployment and leaf are those of the attester.

use std::time::Duration;

use types::service::Role;
use types::time::UnixMillis;

use crate::appraise::Verifier;
use crate::attester::{AttestError, Attester};
use crate::certificate::PeerIdentity;
use crate::claims::Claims;
use crate::dcap::claims_again;
use crate::evidence::{Evidence, ReportData};
use crate::identity::Deployment;
use crate::refusal::Refusal;
use crate::verified::Verified;

/// So soon after the certificate's evidence was verified, what its platform's maker says has not changed.
const RECENT: Duration = Duration::from_secs(10);

/// Bytes of a nonce, and of what is exported.
pub const NONCE_BYTES: usize = 32;

/// 32 bytes that nobody could know before.
pub type Nonce = [u8; NONCE_BYTES];

/// Which end of a connection attests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that accepted the connection.
    Server,
    /// The end that opened it.
    Client,
}

impl Side {
    /// The exporter's label.
    pub const fn exporter_label(self) -> &'static [u8] {
        match self {
            Side::Server => b"EXPORTER-teehouse-attestation-server-v1",
            Side::Client => b"EXPORTER-teehouse-attestation-client-v1",
        }
    }

    const fn domain(self) -> &'static [u8] {
        match self {
            Side::Server => b"teehouse session attestation v1, server",
            Side::Client => b"teehouse session attestation v1, client",
        }
    }
}

/// The exporter's context: the attester's role and the verifier's nonce.
pub fn exporter_context(role: Role, nonce: &Nonce) -> Vec<u8> {
    [role.as_str().as_bytes(), nonce].concat()
}

/// What a session's evidence is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// Which end attests.
    pub side: Side,
    /// Who attests.
    pub role: Role,
    /// Where.
    pub deployment: &'a Deployment,
    /// The public key (SubjectPublicKeyInfo in DER) of the attester's certificate in this connection.
    pub spki: &'a [u8],
    /// What this connection exports for [`Side::exporter_label`] and [`exporter_context`].
    pub exported: &'a [u8; NONCE_BYTES],
}

impl Binding<'_> {
    /// The report data that only this session's evidence has.
    pub fn report_data(&self) -> ReportData {
        let parts: [&[u8]; 5] = [
            self.side.domain(),
            self.role.as_str().as_bytes(),
            self.deployment.as_str().as_bytes(),
            self.spki,
            self.exported,
        ];
        let framed = parts.map(|part| [&(part.len() as u64).to_be_bytes(), part].concat()).concat();
        ReportData(crypto::hash::sha512(&framed))
    }

    /// Fresh evidence for this session. May take a second and block on hardware.
    ///
    /// # Errors
    /// What the platform says.
    pub fn attest(&self, attester: &dyn Attester, now: UnixMillis) -> Result<Evidence, AttestError> {
        attester.attest(&self.report_data(), now)
    }
}

impl Verifier<'_> {
    /// Decides whether `evidence` shows that the peer whose certificate was appraised is at the other end of the
    /// session that `binding` names: the same platform, running the same code, now.
    ///
    /// # Errors
    /// The first reason that applies; [`Refusal::ReportDataDiffers`] for evidence of any other session, and
    /// [`Refusal::Expired`] also when the certificate's time is over, however fresh the evidence is.
    pub fn appraise_session(
        &self,
        evidence: &Evidence,
        binding: &Binding<'_>,
        certificate: &PeerIdentity,
        now: UnixMillis,
    ) -> Result<Verified<Claims>, Refusal> {
        certificate.validity.check("certificate", now)?;
        let report_data = binding.report_data();
        // A clock that was turned back makes nothing recent.
        let age = now.0.checked_sub(certificate.appraised.0);
        let recent = age.is_some_and(|age| age <= RECENT.as_millis() as u64);
        let known = recent.then(|| claims_again(&certificate.evidence, &certificate.claims, evidence)).flatten();
        let claims = match known {
            Some(claims) => self.judge(claims, &report_data, binding.role, now)?,
            None => self.appraise(evidence, &report_data, binding.role, now)?,
        };
        if claims.measurement != certificate.claims.measurement {
            return Err(Refusal::OtherMeasurement(Box::new(claims.measurement.clone())));
        }
        let machine = |claims: &Claims| (claims.platform_ids.clone(), claims.config_id.clone());
        if machine(&claims) != machine(&certificate.claims) {
            return Err(Refusal::OtherMachine);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn report_data(side: Side, role: Role, deployment: &str, spki: &[u8], exported: u8) -> ReportData {
        let deployment = deployment.parse().expect("a name");
        Binding { side, role, deployment: &deployment, spki, exported: &[exported; 32] }.report_data()
    }

    /// Computed with Python's `hashlib` from the description above; both ends of every deployment depend on it.
    #[test]
    fn report_data_has_these_bytes() {
        let found = report_data(Side::Server, Role::Kms, "house", b"spki", 7);
        assert_eq!(format!("{found:?}"), EXPECTED);
    }

    const EXPECTED: &str = concat!(
        "8ff00ce02e6396595f1fe0c8d436c0b0aee01be3051f78998bb0633a3d022dc6",
        "dd2294591fdf449e52671a73810132159d796dc2b415657e305600b4ad5f2a6f"
    );

    #[test]
    fn every_part_counts() {
        let all = [
            report_data(Side::Server, Role::Kms, "house", b"spki", 7),
            report_data(Side::Client, Role::Kms, "house", b"spki", 7),
            report_data(Side::Server, Role::Tms, "house", b"spki", 7),
            report_data(Side::Server, Role::Kms, "houses", b"pki", 7),
            report_data(Side::Server, Role::Kms, "house", b"spkj", 7),
            report_data(Side::Server, Role::Kms, "house", b"spki", 8),
        ];
        assert_eq!(all.iter().map(|data| data.0).collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_two_directions_never_share_a_label() {
        assert_ne!(Side::Server.exporter_label(), Side::Client.exporter_label());
        assert_eq!(exporter_context(Role::Fns, &[1; 32]), [b"fns".as_slice(), &[1; 32]].concat());
    }
}
