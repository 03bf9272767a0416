//! The second quote of a machine whose first one was verified a moment ago. The verifier is given no collateral, so that
//! only the short way can accept, and the long way says that it was gone.

use std::time::Duration;

use attest::appraise::Verifier;
use attest::certificate::PeerIdentity;
use attest::claims::Claims;
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::session::{Binding, Side};
use attest::validity::Validity;
use forge::{Domain, DomainVersion, Enclave, Forge, Machine};
use types::service::Role;
use types::time::UnixMillis;

use crate::forged::{NOW, REPORT_DATA, believing, collateral_of, domain_values, enclave_values};
use crate::samples::appraise;

/// A quote that was verified, and the means to make others.
struct First {
    evidence: Evidence,
    claims: Claims,
    policy: Policy,
}

impl First {
    fn new(
        forge: &Forge,
        quote: Vec<u8>,
        platform: Platform,
        collateral: &Collateral,
        values: ReferenceValues,
    ) -> Self {
        let evidence = Evidence::new(platform, quote).unwrap();
        let policy = believing(forge, values);
        let claims = appraise(&evidence, &REPORT_DATA, &policy, collateral, NOW).unwrap().into_inner();
        First { evidence, claims, policy }
    }

    fn second(&self, evidence: &Evidence, now: UnixMillis) -> Result<(), Refusal> {
        self.second_with(&Collateral::default(), evidence, now)
    }

    fn second_with(&self, collateral: &Collateral, evidence: &Evidence, now: UnixMillis) -> Result<(), Refusal> {
        let deployment: attest::identity::Deployment = "house".parse().unwrap();
        let certificate = PeerIdentity {
            deployment: deployment.clone(),
            role: Role::Kms,
            spki: b"spki".to_vec(),
            claims: self.claims.clone(),
            evidence: self.evidence.clone(),
            appraised: NOW,
            validity: Validity::starting(NOW, Duration::from_secs(3600)),
        };
        let verifier = Verifier { policy: &self.policy, collateral };
        verifier.appraise_session(evidence, &binding(&deployment), &certificate, now).map(|_| ())
    }
}

fn binding(deployment: &attest::identity::Deployment) -> Binding<'_> {
    Binding { side: Side::Server, role: Role::Kms, deployment, spki: b"spki", exported: &[7; 32] }
}

fn session_data() -> ReportData {
    binding(&"house".parse().unwrap()).report_data()
}

/// Accepted by one signature; refused with one bit changed anywhere, by its report data, and when time has passed.
fn check(first: &First, second: Vec<u8>, of_another: Vec<u8>) {
    let platform = first.evidence.platform();
    let evidence = |bytes: &[u8]| Evidence::new(platform, bytes.to_vec());
    let gone = |refused: Result<(), Refusal>| matches!(refused, Err(Refusal::CollateralMissing { .. }));
    assert_eq!(first.second(&evidence(&second).unwrap(), NOW), Ok(()));
    assert_eq!(first.second(&evidence(&second).unwrap(), UnixMillis(NOW.0 + 10_000)), Ok(()));
    assert!(
        gone(first.second(&evidence(&second).unwrap(), UnixMillis(NOW.0 + 10_001))),
        "the short way is for a moment"
    );
    assert!(gone(first.second(&evidence(&of_another).unwrap(), NOW)), "other code goes the long way");
    assert_eq!(first.second(&first.evidence, NOW), Err(Refusal::ReportDataDiffers), "a replay of the certificate's");
    for index in 0..second.len() {
        let mut changed = second.clone();
        changed[index] ^= 1;
        let Ok(changed) = evidence(&changed) else { continue };
        assert!(first.second(&changed, NOW).is_err(), "byte {index}");
    }
}

#[test]
fn an_enclaves_second_quote_takes_one_signature() {
    let forge = Forge::new(NOW);
    let machine = forge.install(Machine::default());
    let (enclave, other) = (Enclave::new(REPORT_DATA), Enclave { mrenclave: [9; 32], ..Enclave::new(session_data()) });
    let collateral = collateral_of(&machine, Platform::Sgx);
    let first = First::new(&forge, machine.sgx_quote(&enclave), Platform::Sgx, &collateral, enclave_values(&enclave));
    check(&first, machine.sgx_quote(&Enclave::new(session_data())), machine.sgx_quote(&other));
}

#[test]
fn a_trust_domains_second_quote_takes_one_signature() {
    for version in [DomainVersion::V4, DomainVersion::V5] {
        let forge = Forge::new(NOW);
        let machine = forge.install(Machine::default());
        let domain = |report_data| Domain { version, ..Domain::new(report_data) };
        let collateral = collateral_of(&machine, Platform::Tdx);
        let values = domain_values(&domain(REPORT_DATA));
        let quote = machine.tdx_quote(&domain(REPORT_DATA));
        let first = First::new(&forge, quote, Platform::Tdx, &collateral, values);
        let other = Domain { mrtd: [9; 48], ..domain(session_data()) };
        check(&first, machine.tdx_quote(&domain(session_data())), machine.tdx_quote(&other));
    }
}

/// Somebody carried a certificate's key to another machine of the same kind that runs the same code: its evidence is
/// genuine, and not that machine's whose evidence the certificate carries.
#[test]
fn a_session_attested_by_another_machine_than_the_certificates_is_refused() {
    let forge = Forge::new(NOW);
    let machine = forge.install(Machine::default());
    let sibling = forge.install(Machine { piid: [9; 16], ppid: [9; 16], ..Machine::default() });
    let collateral = collateral_of(&machine, Platform::Tdx);
    let values = domain_values(&Domain::new(REPORT_DATA));
    let first = First::new(&forge, machine.tdx_quote(&Domain::new(REPORT_DATA)), Platform::Tdx, &collateral, values);
    let session = |machine: &forge::Installed<'_>| {
        let quote = machine.tdx_quote(&Domain::new(session_data()));
        first.second_with(&collateral, &Evidence::new(Platform::Tdx, quote).unwrap(), NOW)
    };
    assert_eq!(session(&machine), Ok(()));
    assert_eq!(session(&sibling), Err(Refusal::OtherMachine));
}
