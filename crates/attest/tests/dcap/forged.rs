//! Forged machines in every state: the same verifier as for real ones, under the forge's root.

use attest::claims::{Measurement, Mode, PlatformId, TcbStatus};
use attest::collateral::{Collateral, IntelCollateral};
use attest::dcap::IntelRoot;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::Refusal;
use forge::{Domain, DomainVersion, Enclave, Forge, Installed, Level, Machine};
use types::time::UnixMillis;

use crate::samples::{appraise, pem, policy};

/// 2026-11-23T12:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_435_200_000);
pub(crate) const REPORT_DATA: ReportData = ReportData([5; 64]);

pub(crate) fn believing(forge: &Forge, values: ReferenceValues) -> Policy {
    policy(values).danger_trust_intel_root(IntelRoot::danger_other(forge.root().to_vec()))
}

pub(crate) fn collateral_of(machine: &Installed<'_>, platform: Platform) -> Collateral {
    Collateral::default().with_intel(IntelCollateral::from_json(&machine.collateral(platform)).unwrap())
}

pub(crate) fn enclave_values(enclave: &Enclave) -> ReferenceValues {
    let Enclave { mrenclave, mrsigner, .. } = *enclave;
    ReferenceValues::exactly([Measurement::Sgx { mrenclave, mrsigner }])
}

pub(crate) fn domain_values(domain: &Domain) -> ReferenceValues {
    let Domain { mrtd, rtmr, .. } = *domain;
    ReferenceValues::exactly([Measurement::Tdx { mrtd, rtmr }])
}

type Appraised = Result<attest::claims::Claims, Refusal>;

fn sgx_with(machine: Machine, enclave: &Enclave, change: impl FnOnce(&mut ReferenceValues)) -> Appraised {
    let forge = Forge::new(NOW);
    let machine = forge.install(machine);
    let mut values = enclave_values(enclave);
    change(&mut values);
    let evidence = Evidence::new(Platform::Sgx, machine.sgx_quote(enclave)).unwrap();
    let collateral = collateral_of(&machine, Platform::Sgx);
    appraise(&evidence, &REPORT_DATA, &believing(&forge, values), &collateral, NOW).map(|claims| claims.into_inner())
}

fn tdx_with(machine: Machine, domain: &Domain, change: impl FnOnce(&mut ReferenceValues)) -> Appraised {
    let forge = Forge::new(NOW);
    let machine = forge.install(machine);
    let mut values = domain_values(domain);
    change(&mut values);
    let evidence = Evidence::new(Platform::Tdx, machine.tdx_quote(domain)).unwrap();
    let collateral = collateral_of(&machine, Platform::Tdx);
    appraise(&evidence, &REPORT_DATA, &believing(&forge, values), &collateral, NOW).map(|claims| claims.into_inner())
}

fn strictly(_: &mut ReferenceValues) {}

fn allowing_all(values: &mut ReferenceValues) {
    values.allowances = Allowance::ALL.into();
}

fn domain(version: DomainVersion) -> Domain {
    Domain { version, config_id: [0xcf; 48], ..Domain::new(REPORT_DATA) }
}

#[test]
fn forged_machines_without_fault_pass_the_strictest_policy() {
    let enclave = Enclave { product_id: 7, security_version: 300, config_id: [0xcf; 64], ..Enclave::new(REPORT_DATA) };
    let claims = sgx_with(Machine::default(), &enclave, strictly).unwrap();
    assert_eq!((claims.product_id, claims.security_version, claims.mode), (7, 300, Mode::Production));
    assert_eq!(claims.config_id.0, [0xcf; 64]);
    assert_eq!(claims.platform_ids, [PlatformId::Ppid([0x11; 16]), PlatformId::Piid([0x22; 16])].into());
    assert_eq!((claims.tcb_status, claims.weaknesses.len()), (TcbStatus::UpToDate, 0));
    assert_eq!(claims.validity.not_before, NOW);

    for version in [DomainVersion::V4, DomainVersion::V5] {
        let claims = tdx_with(Machine::default(), &domain(version), strictly).unwrap();
        assert_eq!((claims.product_id, claims.security_version, claims.mode), (0, 0, Mode::Production));
        assert_eq!(claims.config_id.0, [0xcf; 48]);
        assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
    }
}

#[test]
fn under_intels_root_a_forgery_is_refused() {
    let forge = Forge::new(NOW);
    let machine = forge.install(Machine::default());
    let enclave = Enclave::new(REPORT_DATA);
    let evidence = Evidence::new(Platform::Sgx, machine.sgx_quote(&enclave)).unwrap();
    let collateral = collateral_of(&machine, Platform::Sgx);
    let refused = appraise(&evidence, &REPORT_DATA, &policy(enclave_values(&enclave)), &collateral, NOW);
    assert_eq!(refused.map(|_| ()), Err(Refusal::OtherRoot(Platform::Sgx)));
}

/// Whoever has the right root's certificate, which is public, has not its key.
#[test]
fn two_forges_share_nothing() {
    let (ours, theirs) = (Forge::new(NOW), Forge::new(NOW));
    let (machine, stranger) = (ours.install(Machine::default()), theirs.install(Machine::default()));
    let domain = domain(DomainVersion::V4);
    let policy = believing(&ours, domain_values(&domain));
    let ours_collateral = collateral_of(&machine, Platform::Tdx);
    let check = |quote: Vec<u8>, collateral: &Collateral, expected: fn(&Refusal) -> bool| {
        let evidence = Evidence::new(Platform::Tdx, quote).unwrap();
        let refused = appraise(&evidence, &REPORT_DATA, &policy, collateral, NOW).map(|_| ()).unwrap_err();
        assert!(expected(&refused), "{refused:?}");
    };
    check(stranger.tdx_quote(&domain), &ours_collateral, |refusal| *refusal == Refusal::OtherRoot(Platform::Tdx));
    let spliced = splice_root(&stranger.tdx_quote(&domain), theirs.root(), ours.root());
    check(spliced, &ours_collateral, |refusal| *refusal == Refusal::BadSignature);
    let theirs_collateral = collateral_of(&stranger, Platform::Tdx);
    check(machine.tdx_quote(&domain), &theirs_collateral, |refusal| matches!(refusal, Refusal::Unverifiable { .. }));
}

/// The quote with another root at the end of its chain, which has the same length.
fn splice_root(quote: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let kept = quote.strip_suffix(pem(old).as_bytes()).unwrap();
    let mut spliced = [kept, pem(new).as_bytes()].concat();
    let change = i64::try_from(spliced.len()).unwrap() - i64::try_from(quote.len()).unwrap();
    for at in [48 + 584, 48 + 584 + 4 + 128 + 2, 48 + 584 + 4 + 128 + 6 + 384 + 64 + 34 + 2] {
        let length = u32::from_le_bytes(spliced[at..at + 4].try_into().unwrap());
        let length = u32::try_from(i64::from(length) + change).unwrap();
        spliced[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
    spliced
}

#[test]
fn debug_mode_is_refused_unless_allowed() {
    let enclave = Enclave { debug: true, ..Enclave::new(REPORT_DATA) };
    assert_eq!(sgx_with(Machine::default(), &enclave, strictly).map(|_| ()), Err(Refusal::Debug));
    assert_eq!(sgx_with(Machine::default(), &enclave, allowing_all).unwrap().mode, Mode::Debug);
    for version in [DomainVersion::V4, DomainVersion::V5] {
        let domain = Domain { debug: true, ..domain(version) };
        assert_eq!(tdx_with(Machine::default(), &domain, strictly).map(|_| ()), Err(Refusal::Debug));
        assert_eq!(tdx_with(Machine::default(), &domain, allowing_all).unwrap().mode, Mode::Debug);
    }
}

#[test]
fn every_tcb_status_is_refused_by_name_and_allowed_by_name() {
    let cases = [
        ("SWHardeningNeeded", TcbStatus::HardeningNeeded),
        ("ConfigurationNeeded", TcbStatus::ConfigurationNeeded),
        ("ConfigurationAndSWHardeningNeeded", TcbStatus::ConfigurationAndHardeningNeeded),
        ("OutOfDate", TcbStatus::OutOfDate),
        ("OutOfDateConfigurationNeeded", TcbStatus::OutOfDateConfigurationNeeded),
    ];
    for (status, expected) in cases {
        let enclave = Enclave::new(REPORT_DATA);
        let refused = sgx_with(Machine::rated(status), &enclave, strictly).map(|_| ());
        assert_eq!(refused, Err(Refusal::Tcb(expected)));
        assert_eq!(sgx_with(Machine::rated(status), &enclave, allowing_all).unwrap().tcb_status, expected);
        for version in [DomainVersion::V4, DomainVersion::V5] {
            let refused = tdx_with(Machine::rated(status), &domain(version), strictly).map(|_| ());
            assert_eq!(refused, Err(Refusal::Tcb(expected)));
            let claims = tdx_with(Machine::rated(status), &domain(version), allowing_all).unwrap();
            assert_eq!(claims.tcb_status, expected);
        }
    }
}

/// A domain that was started before its module was updated.
#[test]
fn a_relaunch_is_advised_by_its_own_name() {
    let levels = |now| vec![Level { svn: 6, ..Level::rated(now) }, Level::rated("OutOfDate")];
    let machine = |now| Machine { launch_svn: 5, current_svn: 6, levels: levels(now), ..Machine::default() };
    let cases = [
        ("UpToDate", TcbStatus::RelaunchAdvised),
        ("ConfigurationNeeded", TcbStatus::RelaunchAdvisedConfigurationNeeded),
    ];
    for (now, expected) in cases {
        let refused = tdx_with(machine(now), &domain(DomainVersion::V5), strictly).map(|_| ());
        assert_eq!(refused, Err(Refusal::Tcb(expected)));
        let claims = tdx_with(machine(now), &domain(DomainVersion::V5), allowing_all).unwrap();
        assert_eq!(claims.tcb_status, expected);
        let refused = tdx_with(machine(now), &domain(DomainVersion::V4), strictly).map(|_| ());
        assert_eq!(refused, Err(Refusal::Tcb(TcbStatus::OutOfDate)));
    }
}

#[test]
fn what_is_revoked_no_allowance_saves() {
    let enclave = Enclave::new(REPORT_DATA);
    let revoked = sgx_with(Machine::rated("Revoked"), &enclave, allowing_all).map(|_| ());
    assert_eq!(revoked, Err(Refusal::Tcb(TcbStatus::Revoked)));
    let machine = Machine { revoked: true, ..Machine::default() };
    let revoked = sgx_with(machine, &enclave, allowing_all).map(|_| ());
    assert_eq!(revoked, Err(Refusal::Revoked(CERTIFICATE)));
    let below = Machine { levels: vec![Level { svn: 6, ..Level::rated("UpToDate") }], ..Machine::default() };
    let below = tdx_with(below, &domain(DomainVersion::V4), allowing_all).map(|_| ());
    assert_eq!(below, Err(Refusal::TcbBelowEveryLevel));
}

/// What a refusal calls it.
const CERTIFICATE: &str = "platform's certificate, or one that vouches for it,";

/// TCB info rates machines of one kind under one provisioning certification enclave.
#[test]
fn collateral_for_another_pce_or_kind_is_no_collateral() {
    let forge = Forge::new(NOW);
    let machine = forge.install(Machine::default());
    let enclave = Enclave::new(REPORT_DATA);
    let evidence = Evidence::new(Platform::Sgx, machine.sgx_quote(&enclave)).unwrap();
    let policy = believing(&forge, enclave_values(&enclave));
    for other in [Machine { pce_id: [0, 1], ..Machine::default() }, Machine { fmspc: [1; 6], ..Machine::default() }] {
        let collateral = collateral_of(&forge.install(other), Platform::Sgx);
        let refused = appraise(&evidence, &REPORT_DATA, &policy, &collateral, NOW).map(|_| ());
        assert!(matches!(refused, Err(Refusal::CollateralMissing { .. })), "{refused:?}");
    }
}

#[test]
fn with_its_ca_every_machine_is_revoked() {
    let mut forge = Forge::new(NOW);
    forge.revoke_pck_ca();
    let machine = forge.install(Machine::default());
    let domain = domain(DomainVersion::V5);
    let evidence = Evidence::new(Platform::Tdx, machine.tdx_quote(&domain)).unwrap();
    let collateral = collateral_of(&machine, Platform::Tdx);
    let revoked = appraise(&evidence, &REPORT_DATA, &believing(&forge, domain_values(&domain)), &collateral, NOW);
    assert_eq!(revoked.map(|_| ()), Err(Refusal::Revoked(CERTIFICATE)));
}

#[test]
fn weaknesses_of_a_machine_are_allowed_one_by_one() {
    let machines = [
        (Machine { dynamic_platform: true, ..Machine::default() }, Allowance::DynamicPlatform),
        (Machine { cached_keys: true, ..Machine::default() }, Allowance::CachedKeys),
        (Machine { simultaneous_multithreading: true, ..Machine::default() }, Allowance::SimultaneousMultithreading),
    ];
    for (machine, weakness) in machines {
        let enclave = Enclave::new(REPORT_DATA);
        let without = |values: &mut ReferenceValues| {
            values.allowances = Allowance::ALL.into();
            values.allowances.remove(&weakness);
        };
        let refused = sgx_with(machine.clone(), &enclave, without).map(|_| ());
        assert_eq!(refused, Err(Refusal::NotAllowed(weakness)));
        let with = |values: &mut ReferenceValues| values.allowances = [weakness].into();
        assert_eq!(sgx_with(machine, &enclave, with).unwrap().weaknesses, [weakness].into());
    }
}

#[test]
fn advisories_and_dates_are_those_of_the_level() {
    let level = Level {
        date: "2025-06-01T00:00:00Z",
        advisories: vec!["INTEL-SA-00001", "INTEL-SA-00002"],
        ..Level::rated("OutOfDate")
    };
    let machine = Machine { levels: vec![level], tcb_evaluation: 20, ..Machine::default() };
    let claims = sgx_with(machine, &Enclave::new(REPORT_DATA), allowing_all).unwrap();
    assert_eq!(claims.advisories, ["INTEL-SA-00001", "INTEL-SA-00002"]);
    assert_eq!(claims.tcb_date, UnixMillis(1_748_736_000_000));

    // The quoting enclave's level is of 2026-01-01, and the older one counts.
    let newer = Level { date: "2026-06-01T00:00:00Z", ..Level::rated("UpToDate") };
    let machine = Machine { levels: vec![newer], ..Machine::default() };
    let claims = sgx_with(machine, &Enclave::new(REPORT_DATA), strictly).unwrap();
    assert_eq!(claims.tcb_date, UnixMillis(1_767_225_600_000));
}
