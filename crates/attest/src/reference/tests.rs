//! Each weakness is accepted by its name, and by no other.

use super::*;
use crate::claims::Specifics;
use crate::evidence::ReportData;
use crate::validity::Validity;

const SGX: Measurement = Measurement::Sgx { mrenclave: [1; 32], mrsigner: [2; 32] };
const ISSUED: UnixMillis = UnixMillis(1000);

fn claims() -> Claims {
    Claims {
        measurement: SGX,
        report_data: ReportData([0; 64]),
        mode: Mode::Production,
        security_version: 3,
        product_id: 0,
        config_id: ConfigId(vec![7; 48]),
        tcb_status: TcbStatus::UpToDate,
        tcb_date: UnixMillis(500),
        advisories: Vec::new(),
        weaknesses: BTreeSet::new(),
        platform_ids: [PlatformId::Ppid([1; 16]), PlatformId::Piid([2; 16])].into(),
        specifics: Specifics::None,
        endorsements: Endorsements::Intel { issued: ISSUED, tcb_evaluation: 17 },
        validity: Validity { not_before: UnixMillis(0), not_after: UnixMillis(1) },
    }
}

/// These claims are accepted with exactly these allowances, and refused for the same reason without any one of them.
fn check_needs(claims: &Claims, needed: &[Allowance], refusal: &Refusal) {
    let mut values = ReferenceValues::exactly([SGX]);
    values.allowances = needed.iter().copied().collect();
    assert_eq!(values.check(Role::Kms, claims), Ok(()), "{needed:?}");
    for missing in needed {
        values.allowances = Allowance::ALL.into_iter().filter(|allowance| allowance != missing).collect();
        assert_eq!(values.check(Role::Kms, claims).as_ref(), Err(refusal), "without {missing}");
    }
}

#[test]
fn weaknesses_are_accepted_by_name_only() {
    check_needs(&Claims { mode: Mode::Debug, ..claims() }, &[Allowance::DebugMode], &Refusal::Debug);
    for weakness in [Allowance::DynamicPlatform, Allowance::CachedKeys, Allowance::SimultaneousMultithreading] {
        let claims = Claims { weaknesses: [weakness].into(), ..claims() };
        check_needs(&claims, &[weakness], &Refusal::NotAllowed(weakness));
    }
}

#[test]
fn every_tcb_status_has_its_allowances() {
    use Allowance::{ConfigurationNeeded, HardeningNeeded, OutOfDate, RelaunchAdvised};
    let cases: [(TcbStatus, &[Allowance]); 9] = [
        (TcbStatus::Unrated, &[]),
        (TcbStatus::UpToDate, &[]),
        (TcbStatus::HardeningNeeded, &[HardeningNeeded]),
        (TcbStatus::ConfigurationNeeded, &[ConfigurationNeeded]),
        (TcbStatus::ConfigurationAndHardeningNeeded, &[ConfigurationNeeded, HardeningNeeded]),
        (TcbStatus::RelaunchAdvised, &[RelaunchAdvised]),
        (TcbStatus::RelaunchAdvisedConfigurationNeeded, &[RelaunchAdvised, ConfigurationNeeded]),
        (TcbStatus::OutOfDate, &[OutOfDate]),
        (TcbStatus::OutOfDateConfigurationNeeded, &[OutOfDate, ConfigurationNeeded]),
    ];
    for (tcb_status, needed) in cases {
        check_needs(&Claims { tcb_status, ..claims() }, needed, &Refusal::Tcb(tcb_status));
    }
    let mut values = ReferenceValues::exactly([SGX]);
    values.allowances = Allowance::ALL.into();
    let revoked = Claims { tcb_status: TcbStatus::Revoked, ..claims() };
    assert_eq!(values.check(Role::Kms, &revoked), Err(Refusal::Tcb(TcbStatus::Revoked)));
}

#[test]
fn minima_hold_at_their_edges() {
    let check = |values: ReferenceValues| values.check(Role::Kms, &claims());
    let exactly = || ReferenceValues::exactly([SGX]);
    let floor = |issued, tcb_evaluation| CollateralFloor { issued: UnixMillis(issued), tcb_evaluation };

    assert_eq!(check(ReferenceValues { minimum_security_version: 3, ..exactly() }), Ok(()));
    let above = check(ReferenceValues { minimum_security_version: 4, ..exactly() });
    assert_eq!(above, Err(Refusal::SecurityVersion { found: 3, minimum: 4 }));

    assert_eq!(check(ReferenceValues { minimum_tcb_date: UnixMillis(500), ..exactly() }), Ok(()));
    let later = check(ReferenceValues { minimum_tcb_date: UnixMillis(501), ..exactly() });
    assert_eq!(later, Err(Refusal::TcbTooOld { found: UnixMillis(500), minimum: UnixMillis(501) }));

    assert_eq!(check(ReferenceValues { collateral_floor: floor(1000, 17), ..exactly() }), Ok(()));
    for past in [floor(1001, 17), floor(1000, 18)] {
        let refused = check(ReferenceValues { collateral_floor: past, ..exactly() });
        assert_eq!(refused, Err(Refusal::CollateralBelowFloor));
    }
}

#[test]
fn platforms_without_a_maker_have_no_tcb_date_and_no_collateral() {
    let unrated = Claims {
        tcb_status: TcbStatus::Unrated,
        tcb_date: UnixMillis(0),
        endorsements: Endorsements::Unneeded,
        ..claims()
    };
    let values = ReferenceValues {
        minimum_tcb_date: UnixMillis(1),
        collateral_floor: CollateralFloor { issued: UnixMillis(1), tcb_evaluation: 1 },
        ..ReferenceValues::exactly([SGX])
    };
    assert_eq!(values.check(Role::Kms, &unrated), Ok(()));
}

#[test]
fn lists_are_exact() {
    let check = |values: ReferenceValues| values.check(Role::Kms, &claims());
    let platforms = |ids: &[PlatformId]| ReferenceValues {
        platform_ids: Accepted::Only(ids.iter().cloned().collect()),
        ..ReferenceValues::exactly([SGX])
    };
    assert_eq!(check(platforms(&[PlatformId::Piid([2; 16]), PlatformId::Piid([9; 16])])), Ok(()));
    let ids = vec![PlatformId::Ppid([1; 16]), PlatformId::Piid([2; 16])];
    for others in [&[][..], &[PlatformId::Piid([1; 16]), PlatformId::Ppid([2; 16])]] {
        assert_eq!(check(platforms(others)), Err(Refusal::PlatformNotListed { ids: ids.clone() }));
    }

    let configs = |ids: &[ConfigId]| ReferenceValues {
        config_ids: Accepted::Only(ids.iter().cloned().collect()),
        ..ReferenceValues::exactly([SGX])
    };
    assert_eq!(check(configs(&[claims().config_id])), Ok(()));
    let refusal = Refusal::ConfigIdUnknown(claims().config_id);
    assert_eq!(check(configs(&[])), Err(refusal.clone()));
    assert_eq!(check(configs(&[ConfigId(vec![7; 47])])), Err(refusal));
}

#[test]
fn a_role_accepts_only_the_platforms_of_its_measurements() {
    let policy = Policy::default().with_role(Role::Kms, ReferenceValues::exactly([SGX]));
    for role in Role::ALL {
        for platform in Platform::ALL {
            let accepted = role == Role::Kms && platform == Platform::Sgx;
            assert_eq!(policy.reference_values(role, platform).is_ok(), accepted, "{role} {platform}");
        }
    }
}
