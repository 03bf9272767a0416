//! The real report with its certificate, and forges that are made once.

use std::sync::OnceLock;

use attest::Verified;
use attest::appraise::Verifier;
use attest::claims::{Claims, Measurement};
use attest::collateral::{AmdCollateral, Collateral};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::snp::layout::{REPORT_BYTES, fields};
use attest::snp::table::{Certificates, Vek};
use attest::snp::{AmdRoots, SnpProduct};
use crypto::hash::parse_hex;
use forge::snp::{Encoding, Guest, SnpForge};
use types::service::Role;
use types::time::UnixMillis;

pub(crate) const VCEK: &[u8] = include_bytes!("../data/snp/vcek_milan.der");

/// When the VCEK's certificate holds, in ms since 1970 (`date -d '2023-04-03 19:23:43 UTC' +%s`, and seven years on).
pub(crate) const HOLDS: [u64; 2] = [1_680_549_823_000, 1_901_474_623_000];

/// A time at which everything holds: 2026-06-01.
pub(crate) const NOW: UnixMillis = UnixMillis(1_780_272_000_000);

pub(crate) fn report() -> [u8; REPORT_BYTES] {
    parse_hex(&include_str!("../data/snp/report_milan.hex").trim().to_ascii_lowercase()).unwrap()
}

pub(crate) fn field<const N: usize>(report: &[u8], name: &str) -> [u8; N] {
    let (_, range) = fields().find(|(other, _)| *other == name).unwrap();
    report[range].try_into().unwrap()
}

pub(crate) fn measurement() -> Measurement {
    Measurement::SevSnp { launch_digest: field(&report(), "MEASUREMENT") }
}

pub(crate) fn report_data() -> ReportData {
    ReportData(field(&report(), "REPORT_DATA"))
}

/// The real report with its VCEK.
pub(crate) fn evidence() -> Evidence {
    let certificates = Certificates { vek: Some(Vek::Vcek(VCEK)), authority: None };
    evidence_of(&[&report()[..], &certificates.to_table()].concat())
}

pub(crate) fn evidence_of(bytes: &[u8]) -> Evidence {
    Evidence::new(Platform::SevSnp, bytes.to_vec()).unwrap()
}

/// Accepts the real machine with every weakness it has.
pub(crate) fn lenient() -> ReferenceValues {
    ReferenceValues { allowances: Allowance::ALL.into(), ..ReferenceValues::exactly([measurement()]) }
}

pub(crate) fn policy(values: ReferenceValues) -> Policy {
    Policy::default().with_role(Role::Kms, values)
}

pub(crate) fn appraise(
    evidence: &Evidence,
    report_data: &ReportData,
    policy: &Policy,
    collateral: &Collateral,
    now: UnixMillis,
) -> Result<Verified<Claims>, Refusal> {
    Verifier { policy, collateral }.appraise(evidence, report_data, Role::Kms, now)
}

/// A forge of each product; Genoa's writes the newer encoding.
pub(crate) fn forge(product: SnpProduct) -> &'static SnpForge {
    static FORGES: OnceLock<[SnpForge; 3]> = OnceLock::new();
    let forges = FORGES.get_or_init(|| {
        SnpProduct::ALL.map(|product| {
            let newer = product == SnpProduct::Genoa;
            SnpForge::new(product, if newer { Encoding::Newer } else { Encoding::Older }, issued())
        })
    });
    let at = SnpProduct::ALL.iter().position(|other| *other == product).unwrap();
    &forges[at]
}

/// When forges issue their revocation lists: a month before [`NOW`].
pub(crate) fn issued() -> UnixMillis {
    UnixMillis(NOW.0 - 30 * 24 * 3_600_000)
}

/// Accepts the default guest, with no allowance.
pub(crate) fn strict() -> ReferenceValues {
    ReferenceValues::exactly([Measurement::SevSnp { launch_digest: Guest::default().launch_digest }])
}

pub(crate) fn forged_policy(product: SnpProduct, values: ReferenceValues) -> Policy {
    policy(values).danger_trust_amd_root(AmdRoots::danger_other(forge(product).root().to_vec()))
}

pub(crate) fn collateral(json: &[u8]) -> Collateral {
    Collateral::default().with_amd(AmdCollateral::from_json(json).unwrap())
}
