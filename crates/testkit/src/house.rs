//! A deployment that exists in memory alone: a CA, what may run, and services on any platform.

use std::sync::Arc;
use std::time::Duration;

use attest::attester::Attester;
use attest::authority::{CertificateAuthority, LeafRequest};
use attest::collateral::Collateral;
use attest::extension::attest_key;
use attest::identity::Deployment;
use attest::leaf::LeafKey;
use attest::reference::Policy;
use attest::validity::Validity;
use rpc::deployment::Trust;
use rpc::tls::Identity;
use types::service::Role;
use types::time::UnixMillis;

const HOUR: Duration = Duration::from_secs(3600);

/// A deployment.
pub struct House {
    authority: CertificateAuthority,
    policy: Policy,
    collateral: Arc<Collateral>,
}

/// A service's certificate and its key: what a thief copies.
#[derive(Clone)]
pub struct Papers {
    role: Role,
    deployment: Deployment,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl House {
    /// A deployment with a CA of its own.
    pub fn new(name: &str, policy: Policy, collateral: Arc<Collateral>) -> Self {
        let validity = Validity::starting(minutes_ago(), HOUR * 24);
        let authority = CertificateAuthority::generate(name.parse().expect("a name"), validity).expect("dates fit");
        House { authority, policy, collateral }
    }

    /// What its participants believe in.
    pub fn trust(&self) -> Trust {
        self.trust_by(self.policy.clone())
    }

    /// What a participant believes in who goes by another policy.
    pub fn trust_by(&self, policy: Policy) -> Trust {
        let ca = Some(self.authority.certificate_der().to_vec());
        Trust::new(self.authority.deployment().clone(), ca, policy, self.collateral.clone())
    }

    /// What a newcomer believes in, who never saw the CA.
    pub fn newcomers_trust(&self) -> Trust {
        Trust::new(self.authority.deployment().clone(), None, self.policy.clone(), self.collateral.clone())
    }

    /// A service on a platform.
    pub fn identity(&self, role: Role, attester: &Arc<dyn Attester>) -> Identity {
        self.papers(role, &**attester).with(attester)
    }

    /// A fresh key and its certificate, with the evidence of a platform.
    pub fn papers(&self, role: Role, attester: &dyn Attester) -> Papers {
        self.papers_until(role, attester, minutes_ago().plus(HOUR))
    }

    /// The same, good until that moment.
    pub fn papers_until(&self, role: Role, attester: &dyn Attester, not_after: UnixMillis) -> Papers {
        let (key, now) = (LeafKey::generate(), minutes_ago());
        let request = LeafRequest {
            role,
            public_key: &key.public(),
            dns_names: &["localhost".to_owned()],
            ip_addresses: &[],
            evidence: &attest_key(attester, key.public().spki(), now).expect("these platforms answer"),
            validity: Validity { not_after, ..Validity::starting(now, HOUR) },
        };
        let certificate = self.authority.issue(&request).expect("names and dates fit");
        let deployment = self.authority.deployment().clone();
        Papers { role, deployment, certificate, key: key.danger_to_pkcs8().to_vec() }
    }
}

impl Papers {
    /// The papers in somebody's hands, whose sessions this platform attests.
    pub fn with(&self, attester: &Arc<dyn Attester>) -> Identity {
        let whom = (self.role, self.deployment.clone());
        Identity::new(whom, self.certificate.clone(), &self.key, attester.clone()).expect("just made")
    }
}

fn minutes_ago() -> UnixMillis {
    UnixMillis(UnixMillis::now().0 - 300_000)
}
