//! What a real report says, and each reason to refuse it.

use std::collections::BTreeSet;

use attest::claims::{
    ConfigId, Endorsements, Measurement, Mode, PlatformId, SnpAuthor, SnpClaims, Specifics, TcbStatus,
};
use attest::collateral::Collateral;
use attest::evidence::ReportData;
use attest::platform::Platform;
use attest::reference::{Accepted, Allowance, ReferenceValues};
use attest::refusal::Refusal;
use attest::snp::table::{Certificates, Vek};
use attest::snp::{AmdRoots, SnpProduct, SnpTcb};
use types::service::Role;
use types::time::UnixMillis;

use crate::samples::{
    HOLDS, NOW, appraise, evidence, evidence_of, field, forge, lenient, measurement, policy, report, report_data,
};

const TCB: SnpTcb = SnpTcb { fmc: 0, boot_loader: 3, tee: 0, snp: 8, microcode: 0x73 };

fn check(values: ReferenceValues, now: UnixMillis, expected: Result<(), Refusal>) {
    let found = appraise(&evidence(), &report_data(), &policy(values), &Collateral::default(), now);
    assert_eq!(found.map(|_| ()), expected);
}

#[test]
fn the_report_verifies_and_says_what_it_says() {
    let verified =
        appraise(&evidence(), &report_data(), &policy(lenient()), &Collateral::default(), NOW).unwrap().into_inner();
    assert_eq!(verified.platform(), Platform::SevSnp);
    assert_eq!(verified.measurement, measurement());
    assert_eq!(verified.mode, Mode::Production);
    assert_eq!(verified.security_version, 0);
    assert_eq!(verified.config_id, ConfigId(vec![0; 32]));
    assert_eq!(verified.tcb_status, TcbStatus::Unrated);
    assert_eq!(verified.platform_ids, [PlatformId::ChipId(field(&report(), "CHIP_ID"))].into());
    let snp = SnpClaims { product: SnpProduct::Milan, tcb: TCB, vmpl: 0, author: SnpAuthor::Anonymous };
    assert_eq!(verified.specifics, Specifics::SevSnp(snp));
    assert_eq!(verified.endorsements, Endorsements::Unneeded);
    assert_eq!([verified.validity.not_before, verified.validity.not_after], HOLDS.map(UnixMillis));
    let weaknesses =
        [Allowance::SimultaneousMultithreading, Allowance::UncheckedMemoryAliases, Allowance::UncheckedRevocation];
    assert_eq!(verified.weaknesses, weaknesses.into());
}

#[test]
fn it_holds_while_its_key_does() {
    check(lenient(), UnixMillis(HOLDS[0]), Ok(()));
    check(lenient(), UnixMillis(HOLDS[1]), Ok(()));
    let early = Refusal::NotYetValid { what: "VCEK", not_before: UnixMillis(HOLDS[0]) };
    check(lenient(), UnixMillis(HOLDS[0] - 1), Err(early));
    let late = Refusal::Expired { what: "VCEK", not_after: UnixMillis(HOLDS[1]) };
    check(lenient(), UnixMillis(HOLDS[1] + 1), Err(late));
}

#[test]
fn each_weakness_is_refused_by_name() {
    for weakness in
        [Allowance::SimultaneousMultithreading, Allowance::UncheckedMemoryAliases, Allowance::UncheckedRevocation]
    {
        let allowances: BTreeSet<_> = Allowance::ALL.into_iter().filter(|other| *other != weakness).collect();
        check(ReferenceValues { allowances, ..lenient() }, NOW, Err(Refusal::NotAllowed(weakness)));
    }
}

#[test]
fn minima_of_firmware_hold_for_their_product() {
    let minimum = |product, tcb| ReferenceValues { minimum_snp_tcb: [(product, tcb)].into(), ..lenient() };
    check(minimum(SnpProduct::Milan, TCB), NOW, Ok(()));
    for higher in [SnpTcb { snp: 9, ..TCB }, SnpTcb { microcode: 0x74, ..TCB }, SnpTcb { tee: 1, ..TCB }] {
        let refusal = Refusal::SnpTcb { product: SnpProduct::Milan, found: Box::new(TCB), minimum: Box::new(higher) };
        check(minimum(SnpProduct::Milan, higher), NOW, Err(refusal));
    }
    check(minimum(SnpProduct::Genoa, SnpTcb::default()), NOW, Err(Refusal::SnpProduct(SnpProduct::Milan)));
}

#[test]
fn other_values_are_refused() {
    let chip = PlatformId::ChipId(field(&report(), "CHIP_ID"));
    let listed = |id: PlatformId| ReferenceValues { platform_ids: Accepted::Only([id].into()), ..lenient() };
    check(listed(chip.clone()), NOW, Ok(()));
    check(listed(PlatformId::ChipId([1; 64])), NOW, Err(Refusal::PlatformNotListed { ids: vec![chip] }));

    check(ReferenceValues { snp_vmpl: 1, ..lenient() }, NOW, Err(Refusal::Vmpl { found: 0, accepted: 1 }));
    let authors = Accepted::Only([SnpAuthor::Key([1; 48])].into());
    check(ReferenceValues { snp_authors: authors, ..lenient() }, NOW, Err(Refusal::SnpAuthor(SnpAuthor::Anonymous)));
    let minimum = Refusal::SecurityVersion { found: 0, minimum: 1 };
    check(ReferenceValues { minimum_security_version: 1, ..lenient() }, NOW, Err(minimum));
    let other = Measurement::SevSnp { launch_digest: [0; 48] };
    let unknown = Refusal::MeasurementUnknown { role: Role::Kms, measurement: Box::new(measurement()) };
    check(ReferenceValues { measurements: [other].into(), ..lenient() }, NOW, Err(unknown));

    let found = appraise(&evidence(), &ReportData([0; 64]), &policy(lenient()), &Collateral::default(), NOW);
    assert_eq!(found, Err(Refusal::ReportDataDiffers));
}

#[test]
fn another_root_is_refused() {
    let roots = AmdRoots::danger_other(forge(SnpProduct::Milan).root().to_vec());
    let policy = policy(lenient()).danger_trust_amd_root(roots);
    let found = appraise(&evidence(), &report_data(), &policy, &Collateral::default(), NOW);
    assert_eq!(found, Err(Refusal::OtherRoot(Platform::SevSnp)));
}

#[test]
fn another_machines_key_is_refused() {
    let turin = include_bytes!("../data/snp/vcek_turin.der");
    let table = Certificates { vek: Some(Vek::Vcek(turin)), authority: None }.to_table();
    let evidence = evidence_of(&[&report()[..], &table].concat());
    let found = appraise(&evidence, &report_data(), &policy(lenient()), &Collateral::default(), NOW);
    assert!(matches!(found, Err(Refusal::Malformed { .. } | Refusal::Unverifiable { .. })), "{found:?}");
}

#[test]
fn without_its_key_collateral_is_missing() {
    let found = appraise(&evidence_of(&report()), &report_data(), &policy(lenient()), &Collateral::default(), NOW);
    let Err(Refusal::CollateralMissing { platform: Platform::SevSnp, kind }) = found else { panic!("{found:?}") };
    assert!(kind.starts_with("chip d49554ec") && kind.ends_with("with TCB 0300000000000873"), "{kind}");
}
