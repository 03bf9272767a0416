//! Real quotes: accepted at the time of their collateral, and refused for one reason at a time.

use std::collections::BTreeSet;

use attest::claims::{Endorsements, Measurement, Mode, TcbStatus};
use attest::collateral::Collateral;
use attest::dcap::IntelRoot;
use attest::dcap::layout::{fields, without_padding};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Accepted, Allowance, CollateralFloor, ReferenceValues};
use attest::refusal::{Fault, Refusal};
use forge::Forge;
use types::service::Role;
use types::time::UnixMillis;

use crate::samples::{GOOD, SGX_V3, Sample, TDX_OUT_OF_DATE, TDX_V4, TDX_V5, appraise, policy};

fn check_refused(sample: &Sample, values: ReferenceValues, expected: &Refusal) {
    let refused = sample.appraise(values, sample.now()).map(|claims| claims.into_inner());
    assert_eq!(refused.as_ref(), Err(expected), "{}", sample.name);
}

#[test]
fn an_sgx_quote_says_what_intel_says_of_it() {
    let claims = SGX_V3.appraise(SGX_V3.lenient(), SGX_V3.now()).unwrap();
    let measurement = concat!(
        "sgx:33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb",
        ":815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6"
    );
    assert_eq!(claims.measurement.to_string(), measurement);
    assert!(claims.report_data.0.starts_with(b"Hello, world!"));
    assert_eq!((claims.mode, claims.security_version, claims.product_id), (Mode::Production, 0, 0));
    assert_eq!(claims.config_id.0, [0; 64]);
    assert_eq!(claims.tcb_status, TcbStatus::ConfigurationAndHardeningNeeded);
    assert_eq!(claims.tcb_date, UnixMillis(1_710_288_000_000)); // 2024-03-13
    assert_eq!(claims.advisories, ["INTEL-SA-00289", "INTEL-SA-00615"]);
    assert_eq!(claims.weaknesses, BTreeSet::new());
    let ids: Vec<_> = claims.platform_ids.iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["ppid:d04ec06d4e6d92dc90d0ad3cf5ee2ddf"]);
    let issued = UnixMillis(1_750_327_278_000);
    assert_eq!(claims.endorsements, Endorsements::Intel { issued, tcb_evaluation: 17 });
}

#[test]
fn tdx_quotes_say_what_intel_says_of_them() {
    let weaknesses =
        BTreeSet::from([Allowance::DynamicPlatform, Allowance::CachedKeys, Allowance::SimultaneousMultithreading]);
    let cases = [
        (&TDX_V4, "ppid:811dca2a26b952e85bb6448b097ba4fd", "piid:07828474603e7019dc930775ffe8cdd2", "0".repeat(96)),
        (
            &TDX_V5,
            "ppid:d6fbe62fefe590c45a33afa4adaad111",
            "piid:5d9bfc282bfc50faa999121aa7cc41d7",
            format!("0151ed70bddb5f12574176b37e3f53bbfc4ba15c33cbddc2d03d90b6de14596cc{}", "0".repeat(31)),
        ),
    ];
    for (sample, ppid, piid, config_id) in cases {
        let claims = sample.appraise(sample.lenient(), sample.now()).unwrap();
        assert_eq!(claims.measurement, sample.measurement());
        assert_eq!((claims.mode, claims.tcb_status), (Mode::Production, TcbStatus::UpToDate));
        assert_eq!((claims.security_version, claims.product_id), (0, 0));
        assert_eq!(claims.weaknesses, weaknesses);
        let ids: Vec<_> = claims.platform_ids.iter().map(ToString::to_string).collect();
        assert_eq!(ids, [ppid, piid]);
        assert_eq!(claims.config_id.to_string(), config_id);
    }
    let first = "tdx:91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7:";
    assert!(TDX_V4.measurement().to_string().starts_with(first));
}

#[test]
fn expired_and_not_yet_valid_are_told_apart_to_the_millisecond() {
    let parts = [
        (&SGX_V3, "TCB info", "QE identity"),
        (&TDX_V4, "QE identity", "PCK CA's revocation list"),
        (&TDX_V5, "PCK CA's revocation list", "QE identity"),
    ];
    for (sample, newest, first_to_go) in parts {
        let [first, last] = sample.holds.map(UnixMillis);
        for now in [first, last] {
            let claims = sample.appraise(sample.lenient(), now).unwrap();
            assert_eq!((claims.validity.not_before, claims.validity.not_after), (first, last));
        }
        let early = sample.appraise(sample.lenient(), UnixMillis(first.0 - 1)).map(|_| ());
        assert_eq!(early, Err(Refusal::NotYetValid { what: newest, not_before: first }));
        let late = sample.appraise(sample.lenient(), UnixMillis(last.0 + 1)).map(|_| ());
        assert_eq!(late, Err(Refusal::Expired { what: first_to_go, not_after: last }));
        for never in [0, u64::MAX] {
            assert!(sample.appraise(sample.lenient(), UnixMillis(never)).is_err());
        }
    }
}

#[test]
fn under_another_root_they_are_nothing() {
    let other = IntelRoot::danger_other(Forge::new(UnixMillis(0)).root().to_vec());
    for sample in GOOD {
        let policy = policy(sample.lenient()).danger_trust_intel_root(other.clone());
        let refused = appraise(&sample.evidence(), &sample.report_data(), &policy, &sample.collateral(), sample.now());
        assert_eq!(refused.map(|_| ()), Err(Refusal::OtherRoot(sample.evidence().platform())));
    }
}

#[test]
fn weaknesses_are_allowed_one_by_one() {
    let without = |sample: &Sample, missing| {
        let mut values = sample.lenient();
        values.allowances.remove(&missing);
        values
    };
    let status = Refusal::Tcb(TcbStatus::ConfigurationAndHardeningNeeded);
    for missing in [Allowance::ConfigurationNeeded, Allowance::HardeningNeeded] {
        check_refused(&SGX_V3, without(&SGX_V3, missing), &status);
    }
    for sample in [&TDX_V4, &TDX_V5] {
        for missing in [Allowance::DynamicPlatform, Allowance::CachedKeys, Allowance::SimultaneousMultithreading] {
            check_refused(sample, without(sample, missing), &Refusal::NotAllowed(missing));
        }
    }
}

#[test]
fn below_the_minimum_tcb_there_are_three_refusals() {
    let anything = ReferenceValues::exactly([TDX_OUT_OF_DATE.measurement()]);
    let anything = ReferenceValues { allowances: Allowance::ALL.into(), ..anything };
    check_refused(&TDX_OUT_OF_DATE, anything, &Refusal::TcbBelowEveryLevel);

    for sample in GOOD {
        let found = sample.appraise(sample.lenient(), sample.now()).unwrap().tcb_date;
        let minimum = UnixMillis(found.0 + 1);
        let newer = ReferenceValues { minimum_tcb_date: minimum, ..sample.lenient() };
        check_refused(&sample, newer, &Refusal::TcbTooOld { found, minimum });
        let exactly = ReferenceValues { minimum_tcb_date: found, ..sample.lenient() };
        assert!(sample.appraise(exactly, sample.now()).is_ok());

        let version = ReferenceValues { minimum_security_version: 1, ..sample.lenient() };
        check_refused(&sample, version, &Refusal::SecurityVersion { found: 0, minimum: 1 });
    }
}

/// A host can turn the clock back to when old collateral was in date; the floor does not move with it.
#[test]
fn collateral_below_the_floor_is_refused_at_any_time() {
    for sample in GOOD {
        let claims = sample.appraise(sample.lenient(), sample.now()).unwrap();
        let Endorsements::Intel { issued, tcb_evaluation } = claims.endorsements else { panic!("{claims:?}") };
        let with = |collateral_floor| ReferenceValues { collateral_floor, ..sample.lenient() };
        assert!(sample.appraise(with(CollateralFloor { issued, tcb_evaluation }), sample.now()).is_ok());
        let later = UnixMillis(issued.0 + 1);
        check_refused(&sample, with(CollateralFloor { issued: later, tcb_evaluation }), &Refusal::CollateralBelowFloor);
        let tcb_evaluation = tcb_evaluation + 1;
        check_refused(&sample, with(CollateralFloor { issued, tcb_evaluation }), &Refusal::CollateralBelowFloor);
    }
}

/// No real quote here is of debug mode, and the bit can't be set: forged machines show what is refused when it is.
#[test]
fn the_debug_bit_is_under_the_signature() {
    for sample in GOOD {
        let name = if sample.evidence().platform() == Platform::Sgx { "ATTRIBUTES" } else { "TDATTRIBUTES" };
        let attributes = fields(sample.quote()).unwrap().into_iter().find(|field| field.name == name).unwrap();
        let mut quote = sample.quote().to_vec();
        quote[attributes.range.start] ^= if sample.evidence().platform() == Platform::Sgx { 2 } else { 1 };
        let changed = Evidence::decode(&quote).unwrap();
        let policy = policy(sample.lenient());
        let refused = appraise(&changed, &sample.report_data(), &policy, &sample.collateral(), sample.now());
        assert_eq!(refused.map(|_| ()), Err(Refusal::BadSignature), "{}", sample.name);
    }
}

#[test]
fn platforms_can_be_listed_by_either_number() {
    for sample in GOOD {
        let ids = sample.appraise(sample.lenient(), sample.now()).unwrap().platform_ids.clone();
        for id in &ids {
            let listed = ReferenceValues { platform_ids: Accepted::Only([id.clone()].into()), ..sample.lenient() };
            assert!(sample.appraise(listed, sample.now()).is_ok());
        }
        let unlisted = ReferenceValues { platform_ids: Accepted::Only([].into()), ..sample.lenient() };
        check_refused(&sample, unlisted, &Refusal::PlatformNotListed { ids: ids.into_iter().collect() });
    }
}

#[test]
fn other_code_and_other_configurations_are_refused() {
    for sample in GOOD {
        let other = match sample.measurement() {
            Measurement::Sgx { mrenclave, .. } => Measurement::Sgx { mrenclave, mrsigner: [0; 32] },
            Measurement::Tdx { mrtd, .. } => Measurement::Tdx { mrtd, rtmr: [[0; 48]; 4] },
            _ => unreachable!("a sample is one of the two"),
        };
        let values = ReferenceValues { measurements: [other].into(), ..sample.lenient() };
        let measurement = Box::new(sample.measurement());
        check_refused(&sample, values, &Refusal::MeasurementUnknown { role: Role::Kms, measurement });

        let config_id = sample.appraise(sample.lenient(), sample.now()).unwrap().config_id.clone();
        let values = ReferenceValues { config_ids: Accepted::Only([].into()), ..sample.lenient() };
        check_refused(&sample, values, &Refusal::ConfigIdUnknown(config_id));

        let policy = policy(sample.lenient());
        let other = ReportData([9; 64]);
        let refused = appraise(&sample.evidence(), &other, &policy, &sample.collateral(), sample.now());
        assert_eq!(refused.map(|_| ()), Err(Refusal::ReportDataDiffers));
    }
}

#[test]
fn collateral_for_other_machines_is_no_collateral() {
    const PROCESSOR: &str = "C=US, ST=CA, L=Santa Clara, O=Intel Corporation, CN=Intel SGX PCK Processor CA";
    const PLATFORM: &str = "C=US, ST=CA, L=Santa Clara, O=Intel Corporation, CN=Intel SGX PCK Platform CA";
    let cases = [
        (&SGX_V3, format!("00a067110000 ({PROCESSOR})"), &TDX_V4),
        (&TDX_V4, format!("b0c06f000000 ({PLATFORM})"), &SGX_V3),
        (&TDX_V5, format!("b0c06f000000 ({PLATFORM})"), &SGX_V3),
    ];
    for (sample, kind, other) in cases {
        for collateral in [Collateral::default(), other.collateral()] {
            let policy = policy(sample.lenient());
            let refused = appraise(&sample.evidence(), &sample.report_data(), &policy, &collateral, sample.now());
            match refused.map(|_| ()) {
                Err(Refusal::CollateralMissing { platform, kind: found }) => {
                    assert_eq!(platform, sample.evidence().platform());
                    assert_eq!(sorted(&found), sorted(&kind));
                }
                refused => panic!("{refused:?}"),
            }
        }
    }
}

/// The two TDX machines are of one kind, and the older one's collateral has run out when the newer one's holds.
#[test]
fn collateral_of_the_same_kind_must_still_hold() {
    let policy = policy(TDX_V5.lenient());
    let refused =
        appraise(&TDX_V5.evidence(), &TDX_V5.report_data(), &policy, &TDX_V4.collateral(), TDX_V5.now()).map(|_| ());
    let not_after = UnixMillis(1_752_920_163_000);
    assert_eq!(refused, Err(Refusal::Expired { what: "TCB info", not_after }));
}

/// The parts of a name, in whichever order it is shown.
fn sorted(kind: &str) -> BTreeSet<&str> {
    kind.split(['(', ')', ',']).map(str::trim).collect()
}

#[test]
fn padding_is_cut_by_whoever_makes_evidence_and_refused_by_whoever_reads_it() {
    assert_eq!(TDX_V4.file.len() - TDX_V4.quote().len(), 70);
    let padded = Evidence::decode(TDX_V4.file).unwrap();
    let refused =
        appraise(&padded, &TDX_V4.report_data(), &policy(TDX_V4.lenient()), &TDX_V4.collateral(), TDX_V4.now());
    let trailing = Refusal::Malformed { part: "quote", fault: Fault::TrailingBytes };
    assert_eq!(refused.map(|_| ()), Err(trailing.clone()));

    let mut hidden = TDX_V4.file.to_vec();
    *hidden.last_mut().unwrap() = 1;
    assert_eq!(without_padding(&hidden), Err(trailing));
    for length in 0..TDX_V4.quote().len() {
        assert!(without_padding(&TDX_V4.file[..length]).is_err(), "{length}");
    }
}
