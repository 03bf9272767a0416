//! What a participant of a deployment believes in.

use std::sync::Arc;
use std::time::Duration;

use attest::Verified;
use attest::appraise::Verifier;
use attest::certificate::{PeerIdentity, bound_evidence};
use attest::claims::Claims;
use attest::evidence::Evidence;
use attest::identity::Deployment;
use attest::reference::Policy;
use attest::refusal::Refusal;
use attest::session::Binding;
use crypto::hash::Sha256;
use rustls::pki_types::CertificateDer;
use types::digest::Digest;
use types::service::Role;
use types::time::UnixMillis;

use crate::collateral::Held;

/// What a participant of a deployment believes in.
#[derive(Clone)]
pub struct Trust {
    /// Whose services these are.
    pub deployment: Deployment,
    /// The certificate (DER) of the CA that names them; none before the first enrolment.
    pub(crate) ca: Option<CertificateDer<'static>>,
    /// The digest of that certificate, where the manifest names it.
    pub(crate) ca_sha256: Option<Digest>,
    /// SHA-256 of the auditors' manifest from which that follows.
    pub(crate) measurements: Option<Digest>,
    /// What may run there.
    pub(crate) policy: Policy,
    /// What makers say of the platforms it runs on; simulated ones need none.
    pub(crate) collateral: Arc<Held>,
    /// How old a session's evidence may become before it is asked for again.
    pub(crate) evidence_age: Duration,
}

/// How old a session's evidence may become, unless the configuration says otherwise: an hour.
pub(crate) const EVIDENCE_AGE: Duration = Duration::from_secs(3600);

impl Trust {
    /// Trust in a deployment whose CA (certificate in DER) names what this policy accepts, as far as makers' collateral
    /// bears it out. Without a CA it is good for a first enrolment alone.
    pub fn new(
        deployment: Deployment,
        ca: Option<Vec<u8>>,
        policy: Policy,
        collateral: Arc<attest::collateral::Collateral>,
    ) -> Self {
        Self::with(deployment, ca.map(CertificateDer::from), policy, Arc::new(Held::from(collateral)))
    }

    pub(crate) fn with(
        deployment: Deployment,
        ca: Option<CertificateDer<'static>>,
        policy: Policy,
        collateral: Arc<Held>,
    ) -> Self {
        Trust { deployment, ca, ca_sha256: None, measurements: None, policy, collateral, evidence_age: EVIDENCE_AGE }
    }

    /// Appraises a certificate with the collateral of this instant, and notes what it would have needed.
    pub(crate) fn appraise_certificate(
        &self,
        leaf: &CertificateDer<'_>,
        expected: &[Role],
        now: UnixMillis,
    ) -> Result<Verified<PeerIdentity>, Refusal> {
        let collateral = self.collateral.current();
        let verifier = Verifier { policy: &self.policy, collateral: &collateral };
        verifier.appraise_certificate(leaf, expected, &self.deployment, now).inspect_err(|refusal| {
            if let Ok(bound) = bound_evidence(leaf) {
                self.collateral.note(refusal, &bound.evidence);
            }
        })
    }

    /// The same of a session's evidence.
    pub(crate) fn appraise_session(
        &self,
        evidence: &Evidence,
        binding: &Binding<'_>,
        peer: &Verified<PeerIdentity>,
        now: UnixMillis,
    ) -> Result<Verified<Claims>, Refusal> {
        let collateral = self.collateral.current();
        let verifier = Verifier { policy: &self.policy, collateral: &collateral };
        let appraised = verifier.appraise_session(evidence, binding, peer, now);
        appraised.inspect_err(|refusal| self.collateral.note(refusal, evidence))
    }

    /// Has something decided by what this trust accepts, with the collateral of this instant: about evidence that does not
    /// come with a connection, such as that in statements.
    pub fn appraise_with<T>(&self, decide: impl FnOnce(&Verifier<'_>) -> T) -> T {
        let collateral = self.collateral.current();
        decide(&Verifier { policy: &self.policy, collateral: &collateral })
    }

    /// Whether a CA may be this deployment's: the one that is known, and the one that the manifest names.
    pub(crate) fn accepts_ca(&self, ca: &CertificateDer<'_>) -> bool {
        self.ca.as_ref().is_none_or(|known| known == ca)
            && self.ca_sha256.is_none_or(|named| named == Digest::new(Sha256::digest(ca)))
    }

    /// The same, with the CA that its manifest names.
    pub(crate) fn naming_ca(self, ca_sha256: Option<Digest>) -> Self {
        Trust { ca_sha256, ..self }
    }

    /// The same, by the auditors' manifest of this digest.
    pub(crate) fn measured_by(self, manifest: Digest) -> Self {
        Trust { measurements: Some(manifest), ..self }
    }

    /// The same, believing in this CA.
    pub(crate) fn with_ca(&self, ca: CertificateDer<'static>) -> Self {
        Trust { ca: Some(ca), ..self.clone() }
    }

    /// The same, with another age at which sessions are attested anew.
    pub fn with_evidence_age(self, evidence_age: Duration) -> Self {
        Trust { evidence_age, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table: the CA that is known, the one that the manifest names, and the one that turns up.
    #[test]
    fn a_ca_must_be_the_known_one_and_the_named_one() {
        let (ours, other) = (CertificateDer::from(vec![1]), CertificateDer::from(vec![2]));
        let named = |ca: &CertificateDer<'_>| Some(Digest::new(Sha256::digest(ca)));
        for (known, ca_sha256, accepts) in [
            (None, None, [true, true]),
            (Some(&ours), None, [true, false]),
            (None, named(&ours), [true, false]),
            (Some(&ours), named(&ours), [true, false]),
            (Some(&ours), named(&other), [false, false]),
            (Some(&other), named(&other), [false, true]),
        ] {
            let deployment = "house".parse().expect("a name");
            let trust = Trust::new(deployment, known.map(|ca| ca.to_vec()), Policy::default(), Arc::default());
            let trust = trust.naming_ca(ca_sha256);
            assert_eq!([&ours, &other].map(|ca| trust.accepts_ca(ca)), accepts, "{known:?} {ca_sha256:?}");
        }
    }
}
