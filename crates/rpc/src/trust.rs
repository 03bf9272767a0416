//! What a participant of a deployment believes in.

use std::sync::Arc;
use std::time::Duration;

use attest::collateral::Collateral;
use attest::identity::Deployment;
use attest::reference::Policy;
use rustls::pki_types::CertificateDer;

/// What a participant of a deployment believes in.
#[derive(Clone)]
pub struct Trust {
    /// Whose services these are.
    pub deployment: Deployment,
    /// The certificate (DER) of the CA that names them; none before the first enrolment.
    pub(crate) ca: Option<CertificateDer<'static>>,
    /// What may run there.
    pub(crate) policy: Policy,
    /// What makers say of the platforms it runs on; simulated ones need none.
    pub(crate) collateral: Arc<Collateral>,
    /// How old a session's evidence may become before it is asked for again.
    pub(crate) evidence_age: Duration,
}

/// How old a session's evidence may become, unless the configuration says otherwise: an hour.
const EVIDENCE_AGE: Duration = Duration::from_secs(3600);

impl Trust {
    /// Trust in a deployment whose CA (certificate in DER) names what this policy accepts, as far as makers' collateral
    /// bears it out. Without a CA it is good for a first enrolment alone.
    pub fn new(deployment: Deployment, ca: Option<Vec<u8>>, policy: Policy, collateral: Arc<Collateral>) -> Self {
        Trust { deployment, ca: ca.map(CertificateDer::from), policy, collateral, evidence_age: EVIDENCE_AGE }
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
