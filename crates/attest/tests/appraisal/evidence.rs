//! Evidence alone: bytes, policy and a time.

use std::sync::Arc;
use std::time::Duration;

use attest::attester::{Attester, Sealer};
use attest::claims::{Measurement, Mode, TcbStatus};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::simulated::{SimulatedAttester, SimulatedRoot, SimulatedRootKey, SimulatedSealer};
use crypto::SealingKey;
use types::service::Role;
use types::time::UnixMillis;

use crate::house::{BUILD, HOUR, House, NOW, REPORT_DATA, appraise, simulated};

fn check_refused(evidence: &Evidence, role: Role, policy: &Policy, now: UnixMillis, expected: &Refusal) {
    let refused = appraise(evidence, &REPORT_DATA, role, policy, now).map(|claims| claims.into_inner());
    assert_eq!(refused.as_ref(), Err(expected));
}

fn honest(house: &House) -> Evidence {
    house.attester(Role::Kms).attest(&REPORT_DATA, NOW).unwrap()
}

#[test]
fn honest_evidence_gives_its_claims() {
    let house = House::new();
    let claims = appraise(&honest(&house), &REPORT_DATA, Role::Kms, &house.policy(), NOW).unwrap();
    assert_eq!(claims.platform(), Platform::Simulated);
    assert_eq!(claims.measurement, Measurement::simulated(Role::Kms, BUILD));
    assert_eq!(claims.report_data, REPORT_DATA);
    assert_eq!((claims.mode, claims.security_version), (Mode::Production, 0));
    assert_eq!(claims.tcb_status, TcbStatus::Unrated);
    assert_eq!(claims.validity.not_after, NOW.plus(HOUR));
}

#[test]
fn each_weakness_has_its_own_refusal() {
    let house = House::new();
    let policy = house.policy();
    let evidence = honest(&house);
    let not_accepted = |role| Refusal::PlatformNotAccepted { platform: Platform::Simulated, role };

    check_refused(&evidence, Role::Kms, &Policy::default(), NOW, &not_accepted(Role::Kms));
    let measurement = Measurement::simulated(Role::Kms, BUILD);
    let unnamed = Policy::default().with_role(Role::Kms, ReferenceValues::exactly([measurement.clone()]));
    check_refused(&evidence, Role::Kms, &unnamed, NOW, &not_accepted(Role::Kms));
    let no_values = Policy::default().danger_allow_simulated(house.root.public());
    check_refused(&evidence, Role::Kms, &no_values, NOW, &not_accepted(Role::Kms));

    let unknown = Refusal::MeasurementUnknown { role: Role::Fns, measurement: Box::new(measurement) };
    check_refused(&evidence, Role::Fns, &policy, NOW, &unknown);
    let other_root = house.policy().danger_allow_simulated(SimulatedRoot::generate().public());
    check_refused(&evidence, Role::Kms, &other_root, NOW, &Refusal::BadSignature);

    let other = house.attester(Role::Kms).attest(&ReportData([6; 64]), NOW).unwrap();
    check_refused(&other, Role::Kms, &policy, NOW, &Refusal::ReportDataDiffers);
    let debug = house.attester(Role::Kms).in_debug_mode().attest(&REPORT_DATA, NOW).unwrap();
    check_refused(&debug, Role::Kms, &policy, NOW, &Refusal::Debug);
}

#[test]
fn evidence_holds_from_its_first_to_its_last_instant() {
    let house = House::new();
    let evidence = honest(&house);
    let (first, last) = (UnixMillis(NOW.0 - 300_000), NOW.plus(HOUR));
    for now in [first, NOW, last] {
        assert!(appraise(&evidence, &REPORT_DATA, Role::Kms, &house.policy(), now).is_ok());
    }
    let early = Refusal::NotYetValid { what: "evidence", not_before: first };
    check_refused(&evidence, Role::Kms, &house.policy(), UnixMillis(first.0 - 1), &early);
    let late = Refusal::Expired { what: "evidence", not_after: last };
    check_refused(&evidence, Role::Kms, &house.policy(), last.plus(Duration::from_millis(1)), &late);
}

#[test]
fn debug_mode_and_old_code_are_a_policys_choice() {
    let house = House::new();
    let attester = house.attester(Role::Kms).with_security_version(4);
    let values = ReferenceValues::exactly([attester.measurement()]);
    let policy = |values| Policy::default().danger_allow_simulated(house.root.public()).with_role(Role::Kms, values);

    let fresh = attester.attest(&REPORT_DATA, NOW).unwrap();
    let at = policy(ReferenceValues { minimum_security_version: 4, ..values.clone() });
    assert_eq!(appraise(&fresh, &REPORT_DATA, Role::Kms, &at, NOW).unwrap().security_version, 4);
    let above = policy(ReferenceValues { minimum_security_version: 5, ..values.clone() });
    check_refused(&fresh, Role::Kms, &above, NOW, &Refusal::SecurityVersion { found: 4, minimum: 5 });

    let debug = attester.in_debug_mode().attest(&REPORT_DATA, NOW).unwrap();
    let lenient = policy(ReferenceValues { allowances: [Allowance::DebugMode].into(), ..values });
    assert_eq!(appraise(&debug, &REPORT_DATA, Role::Kms, &lenient, NOW).unwrap().mode, Mode::Debug);
}

#[test]
fn every_changed_byte_is_refused() {
    let house = House::new();
    let (policy, encoded) = (house.policy(), honest(&house).encode());
    for index in 0..encoded.len() {
        for change in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = encoded.clone();
            changed[index] ^= change;
            let accepted = Evidence::decode(&changed)
                .and_then(|evidence| appraise(&evidence, &REPORT_DATA, Role::Kms, &policy, NOW));
            assert!(accepted.is_err(), "byte {index} xor {change:#x}");
        }
    }
}

#[test]
fn every_other_length_is_refused() {
    let house = House::new();
    let (policy, bytes) = (house.policy(), honest(&house).bytes().to_vec());
    for length in 0..bytes.len() {
        let short = simulated(bytes[..length].to_vec());
        assert!(matches!(appraise(&short, &REPORT_DATA, Role::Kms, &policy, NOW), Err(Refusal::Malformed { .. })));
    }
    let long = simulated([&bytes[..], &[0]].concat());
    assert!(matches!(appraise(&long, &REPORT_DATA, Role::Kms, &policy, NOW), Err(Refusal::Malformed { .. })));
}

/// Simulated bytes under another platform's name find no verifier that reads them, whatever the policy accepts.
#[test]
fn simulated_evidence_cannot_pass_for_another_platform() {
    let house = House::new();
    let values = ReferenceValues::exactly([
        Measurement::Tpm { pcr_digest: [0; 32] },
        Measurement::SevSnp { launch_digest: [0; 48] },
    ]);
    let policy = house.policy().with_role(Role::Kms, values);
    for platform in [Platform::Tpm, Platform::SevSnp] {
        let renamed = Evidence::new(platform, honest(&house).bytes().to_vec()).unwrap();
        let refused = appraise(&renamed, &REPORT_DATA, Role::Kms, &policy, NOW);
        assert!(matches!(refused, Err(Refusal::Malformed { .. })), "{refused:?}");
    }
    for platform in [Platform::Tdx, Platform::Sgx] {
        assert!(Evidence::new(platform, honest(&house).bytes().to_vec()).is_err());
    }
}

#[test]
fn a_root_survives_its_files() {
    let root = SimulatedRoot::generate();
    let loaded = SimulatedRoot::from_pem(&root.danger_to_pem()).unwrap();
    assert_eq!(loaded.public(), root.public());
    assert_eq!(SimulatedRootKey::from_pem(&root.public().to_pem()).unwrap(), root.public());
    assert!(SimulatedRoot::from_pem(&root.public().to_pem()).is_err());
    assert!(SimulatedRootKey::from_pem(&root.danger_to_pem()).is_err());
    assert!(!format!("{root:?}").contains(&root.danger_to_pem()[30..60]));

    let attester = SimulatedAttester::new(Arc::new(loaded), Role::Tms, BUILD);
    let evidence = attester.attest(&REPORT_DATA, NOW).unwrap();
    let policy = Policy::default()
        .danger_allow_simulated(root.public())
        .with_role(Role::Tms, ReferenceValues::exactly([attester.measurement()]));
    assert!(appraise(&evidence, &REPORT_DATA, Role::Tms, &policy, NOW).is_ok());
}

#[test]
fn a_sealer_has_one_key_per_service() {
    let sealer = SimulatedSealer::default()
        .with_key(Role::Kms, SealingKey::from_bytes([1; 32]))
        .with_key(Role::Tms, SealingKey::from_bytes([2; 32]));
    assert_eq!(sealer.sealing_key(Role::Kms).unwrap().danger_expose(), &[1; 32]);
    assert_eq!(sealer.sealing_key(Role::Tms).unwrap().danger_expose(), &[2; 32]);
    let error = sealer.sealing_key(Role::Fns).unwrap_err();
    assert_eq!(error.to_string(), "the simulated platform could not give its sealing key");
    assert_eq!(error.source.to_string(), "no sealing key for fns was loaded");
}
