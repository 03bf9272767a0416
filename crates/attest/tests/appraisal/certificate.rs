//! Certificates as an attacker with a CA of his own could make them, and as bytes change on the way.

use attest::Verified;
use attest::certificate::PeerIdentity;
use attest::extension::{EVIDENCE_OID, attest_key, claims_for_spki, encode_extension};
use attest::leaf::{LeafKey, LeafPublicKey};
use attest::platform::Platform;
use attest::reference::Policy;
use attest::refusal::{Fault, IdentityRefusal, Refusal};
use attest::simulated::SimulatedRoot;
use rcgen::{CertificateParams, CustomExtension, Issuer, KeyPair, SanType};
use types::service::Role;
use types::time::UnixMillis;

use crate::house::{BUILD, HOUR, House, NOW, appraise_certificate, deployment, simulated};

fn appraised(house: &House, der: &[u8]) -> Result<Verified<PeerIdentity>, Refusal> {
    appraise_certificate(der, &[Role::Tms], &deployment("house"), &house.policy(), NOW)
}

fn check_refused(house: &House, der: &[u8], expected: &Refusal) {
    assert_eq!(appraised(house, der).as_ref().map(|_| ()), Err(expected));
}

/// Whatever an attacker wants a certificate to say. The chain is not under test, so any issuer does.
struct Forged {
    key: LeafPublicKey,
    uris: Vec<&'static str>,
    extensions: Vec<Vec<u8>>,
    dates: [i32; 2],
}

impl Forged {
    /// What is right in every respect: cases then spoil one.
    fn good(house: &House) -> Self {
        let key = LeafKey::generate().public();
        let evidence = attest_key(&house.attester(Role::Tms), key.spki(), NOW).unwrap();
        Forged { key, uris: vec!["teehouse://house/tms"], extensions: vec![evidence], dates: [2026, 2027] }
    }

    fn der(&self) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(self.dates[0], 1, 1);
        params.not_after = rcgen::date_time_ymd(self.dates[1], 1, 1);
        params.subject_alt_names.extend(self.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params.custom_extensions = self
            .extensions
            .iter()
            .map(|value| CustomExtension::from_oid_content(&EVIDENCE_OID, value.clone()))
            .collect();
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
        params.signed_by(&self.key, &issuer).unwrap().der().to_vec()
    }
}

#[test]
fn an_honest_certificate_says_who_and_what() {
    let house = House::new();
    for role in Role::ALL {
        let peer =
            appraise_certificate(&house.leaf(role), &Role::ALL, &deployment("house"), &house.policy(), NOW).unwrap();
        assert_eq!((peer.role, peer.deployment.as_str()), (role, "house"));
        assert_eq!(peer.claims.platform(), Platform::Simulated);
        assert_eq!(peer.claims.measurement, house.attester(role).measurement());
    }
    assert!(appraised(&house, &Forged::good(&house).der()).is_ok());
}

#[test]
fn identities_are_exact() {
    let house = House::new();
    let cases: [(&[&'static str], Refusal); 7] = [
        (&[], Refusal::Identity(IdentityRefusal::Missing)),
        (&["teehouse://house/tms", "teehouse://house/kms"], Refusal::Identity(IdentityRefusal::Several)),
        (&["teehouse://house/tms", "https://example/"], Refusal::Identity(IdentityRefusal::Several)),
        (&["https://house/tms"], Refusal::Identity(IdentityRefusal::NotAnIdentity)),
        (&["teehouse://house/tms/"], Refusal::Identity(IdentityRefusal::NotAnIdentity)),
        (&["teehouse://mill/tms"], Refusal::OtherDeployment(deployment("mill"))),
        (&["teehouse://house/fns"], Refusal::OtherRole(Role::Fns)),
    ];
    for (uris, refusal) in cases {
        let forged = Forged { uris: uris.to_vec(), ..Forged::good(&house) };
        check_refused(&house, &forged.der(), &refusal);
    }
}

/// Diversion: evidence of one accepted service under the name of another.
#[test]
fn one_roles_evidence_is_not_anothers() {
    let house = House::new();
    let mut forged = Forged::good(&house);
    forged.extensions = vec![attest_key(&house.attester(Role::Fns), forged.key.spki(), NOW).unwrap()];
    let measurement = Box::new(house.attester(Role::Fns).measurement());
    check_refused(&house, &forged.der(), &Refusal::MeasurementUnknown { role: Role::Tms, measurement });
}

#[test]
fn evidence_is_there_once_and_for_this_key() {
    let house = House::new();
    let good = Forged::good(&house);
    let evidence = good.extensions[0].clone();

    check_refused(&house, &Forged { extensions: vec![], ..Forged::good(&house) }.der(), &Refusal::EvidenceMissing);
    let twice = Forged { extensions: vec![evidence.clone(), evidence], ..good };
    let once = Refusal::Malformed { part: "certificate", fault: Fault::Expected("each extension once") };
    check_refused(&house, &twice.der(), &once);
    let stolen = Forged { key: LeafKey::generate().public(), ..Forged::good(&house) };
    check_refused(&house, &stolen.der(), &Refusal::KeyNotBound);
}

/// Honest evidence with claims that were exchanged for the attacker's key's.
#[test]
fn claims_that_the_evidence_does_not_cover_are_refused() {
    let house = House::new();
    let mut forged = Forged::good(&house);
    let honest = attest::extension::decode_extension(&forged.extensions[0]).unwrap();
    forged.key = LeafKey::generate().public();
    forged.extensions = vec![encode_extension(&honest.evidence, &claims_for_spki(forged.key.spki()))];
    check_refused(&house, &forged.der(), &Refusal::ReportDataDiffers);
}

#[test]
fn dates_of_the_certificate_count_too() {
    let house = House::new();
    let refusal = |dates| appraised(&house, &Forged { dates, ..Forged::good(&house) }.der()).unwrap_err();
    let not_after = UnixMillis(1_767_225_600_000); // 2026-01-01T00:00:00Z
    assert_eq!(refusal([2025, 2026]), Refusal::Expired { what: "certificate", not_after });
    let not_before = UnixMillis(1_798_761_600_000); // 2027-01-01T00:00:00Z
    assert_eq!(refusal([2027, 2028]), Refusal::NotYetValid { what: "certificate", not_before });
    assert_eq!(refusal([1960, 1965]), Refusal::Expired { what: "certificate", not_after: UnixMillis(0) });

    let lasting = Forged::good(&house).der();
    let later = NOW.plus(HOUR * 2);
    let late = appraise_certificate(&lasting, &[Role::Tms], &deployment("house"), &house.policy(), later);
    assert!(matches!(late, Err(Refusal::Expired { what: "evidence", .. })));
}

#[test]
fn policies_decide_for_certificates_as_for_evidence() {
    let house = House::new();
    let leaf = house.leaf(Role::Tms);
    let with = |policy: &Policy| {
        appraise_certificate(&leaf, &[Role::Tms], &deployment("house"), policy, NOW).map(|_| ()).unwrap_err()
    };
    let not_accepted = Refusal::PlatformNotAccepted { platform: Platform::Simulated, role: Role::Tms };
    assert_eq!(with(&Policy::default()), not_accepted);
    let other_root = house.policy().danger_allow_simulated(SimulatedRoot::generate().public());
    assert_eq!(with(&other_root), Refusal::BadSignature);
    let nobody = appraise_certificate(&leaf, &[], &deployment("house"), &house.policy(), NOW);
    assert_eq!(nobody.map(|_| ()), Err(Refusal::OtherRole(Role::Tms)));
}

#[test]
fn truncated_extended_and_foreign_bytes_are_refused() {
    let house = House::new();
    let leaf = house.leaf(Role::Tms);
    for length in 0..leaf.len() {
        assert!(appraised(&house, &leaf[..length]).is_err(), "{length}");
    }
    let trailing = Refusal::Malformed { part: "certificate", fault: Fault::TrailingBytes };
    check_refused(&house, &[&leaf[..], &[0]].concat(), &trailing);
    let limit = attest::certificate::MAX_CERTIFICATE_BYTES;
    let long = Refusal::Malformed { part: "certificate", fault: Fault::TooLong { limit } };
    check_refused(&house, &vec![0x30; limit + 1], &long);
}

#[test]
fn every_changed_byte_of_the_evidence_extension_is_refused() {
    let house = House::new();
    let mut forged = Forged::good(&house);
    let good = forged.extensions[0].clone();
    for index in 0..good.len() {
        let mut changed = good.clone();
        changed[index] ^= 1;
        forged.extensions = vec![changed];
        assert!(appraised(&house, &forged.der()).is_err(), "byte {index}");
    }
    forged.extensions = vec![[&good[..], &[0]].concat()];
    let trailing = Refusal::Malformed { part: "evidence extension", fault: Fault::TrailingBytes };
    check_refused(&house, &forged.der(), &trailing);
}

/// What fuzz targets start from, and the least they must survive.
#[test]
fn arbitrary_bytes_are_survived() {
    let house = House::new();
    let (root, leaf) = (house.root.public(), house.leaf(Role::Tms));
    let evidence = simulated(BUILD.to_vec()).encode();
    for seed in [&leaf[..], &evidence, &Forged::good(&house).extensions[0]] {
        for index in 0..seed.len() {
            let mut changed = seed.to_vec();
            changed[index] = 0xff;
            attest::fuzz::certificate(&changed, root, NOW);
            attest::fuzz::evidence(&changed, root, NOW);
        }
    }
}
