//! A house to test in: a deployment with its CA, a simulated root, and a policy that accepts both.

use std::sync::Arc;
use std::time::Duration;

use attest::Verified;
use attest::appraise::Verifier;
use attest::authority::{CertificateAuthority, LeafRequest};
use attest::certificate::PeerIdentity;
use attest::claims::Claims;
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::extension::attest_key;
use attest::identity::Deployment;
use attest::leaf::LeafKey;
use attest::reference::{Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::simulated::{SimulatedAttester, SimulatedRoot};
use attest::validity::Validity;
use types::service::Role;
use types::time::UnixMillis;

/// 2026-11-23T12:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_435_200_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const BUILD: &[u8] = b"test build";

pub(crate) struct House {
    pub(crate) authority: CertificateAuthority,
    pub(crate) root: Arc<SimulatedRoot>,
}

impl House {
    pub(crate) fn new() -> Self {
        let validity = Validity::starting(NOW, 24 * HOUR);
        House {
            authority: CertificateAuthority::generate(deployment("house"), validity).unwrap(),
            root: Arc::new(SimulatedRoot::generate()),
        }
    }

    pub(crate) fn attester(&self, role: Role) -> SimulatedAttester {
        SimulatedAttester::new(self.root.clone(), role, BUILD).with_lifetime(HOUR)
    }

    /// Accepts every role's honest build.
    pub(crate) fn policy(&self) -> Policy {
        Role::ALL.into_iter().fold(Policy::default().danger_allow_simulated(self.root.public()), |policy, role| {
            policy.with_role(role, ReferenceValues::exactly([self.attester(role).measurement()]))
        })
    }

    /// An honest service's certificate.
    pub(crate) fn leaf(&self, role: Role) -> Vec<u8> {
        let key = LeafKey::generate().public();
        let evidence = attest_key(&self.attester(role), key.spki(), NOW).unwrap();
        self.authority
            .issue(&LeafRequest {
                role,
                public_key: &key,
                dns_names: &["localhost".to_owned(), "tms.example".to_owned()],
                ip_addresses: &["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
                evidence: &evidence,
                validity: Validity::starting(NOW, HOUR),
            })
            .unwrap()
    }
}

pub(crate) fn deployment(name: &str) -> Deployment {
    name.parse().unwrap()
}

pub(crate) fn simulated(bytes: Vec<u8>) -> Evidence {
    Evidence::new(attest::platform::Platform::Simulated, bytes).unwrap()
}

pub(crate) const REPORT_DATA: ReportData = ReportData([5; 64]);

/// Appraises evidence of a platform that needs no collateral.
pub(crate) fn appraise(
    evidence: &Evidence,
    expected: &ReportData,
    role: Role,
    policy: &Policy,
    now: UnixMillis,
) -> Result<Verified<Claims>, Refusal> {
    Verifier { policy, collateral: &Collateral::default() }.appraise(evidence, expected, role, now)
}

/// Appraises the certificate of a platform that needs no collateral.
pub(crate) fn appraise_certificate(
    der: &[u8],
    expected: &[Role],
    deployment: &Deployment,
    policy: &Policy,
    now: UnixMillis,
) -> Result<Verified<PeerIdentity>, Refusal> {
    Verifier { policy, collateral: &Collateral::default() }.appraise_certificate(der, expected, deployment, now)
}
