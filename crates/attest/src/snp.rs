//! AMD's evidence: SEV-SNP attestation reports of versions 2 to 5, of Milan, Genoa and Turin.
//!
//! ```text
//! pinned ARK ─┬─ ASK ── VCEK  (a chip's key at one state of its firmware) ─┐
//!             ├─ ASVK ─ VLEK  (a cloud's key at one state of the firmware) ┴─ report: the first 672 of 1184 bytes
//!             └─ revocation list
//! ```
//!
//! Evidence is a report and, after it, the certificates of its signing key in the form of [`table::Certificates`]; where
//! they are missing, collateral has them. The **raw** bytes' signature is checked, every byte that it does not cover must
//! have its one value, and the key's certificate must be for the chip and the firmware that the report names.
//!
//! What a policy decides beside the launch digest: debugging ([`crate::claims::Mode`]), the privilege level, the lowest
//! versions of firmware per product, who signed the launch, and as allowances by name a migration agent, firmware that
//! could be taken back, two threads on a core, memory whose aliases were not looked for (CVE-2024-21944), and the want of
//! a revocation list.
//!
//! Sources: AMD, SEV Secure Nested Paging Firmware ABI Specification (56860); VCEK Certificate and KDS Interface
//! Specification (57230); Guest-Hypervisor Communication Block Standardization (56421).

pub(crate) mod chain;
pub mod layout;
mod report;
mod root;
pub mod table;
mod tcb;
pub(crate) mod vek;

use types::time::UnixMillis;

use crate::claims::{Claims, Endorsements, Specifics, TcbStatus};
use crate::collateral::{AmdCollateral, Collateral, Need};
use crate::platform::Platform;
use crate::reference::Allowance;
use crate::refusal::{Fault, Refusal};
use crate::snp::layout::REPORT_BYTES;
use crate::snp::report::Report;
use crate::snp::table::Certificates;
use crate::snp::vek::Vek;
use crate::validity::Validity;

pub use root::AmdRoots;
pub use tcb::{SnpProduct, SnpTcb};
pub use vek::KeyKind;

const PART: &str = "SEV-SNP report";

/// Checks a report under AMD's roots at `now`, then reads its claims.
pub(crate) fn verify(
    bytes: &[u8],
    roots: &AmdRoots,
    collateral: &Collateral,
    now: UnixMillis,
) -> Result<Claims, Refusal> {
    let (report, table) = bytes.split_first_chunk::<REPORT_BYTES>().ok_or(Fault::Truncated.of(PART))?;
    let report = Report::read(report).map_err(|fault| fault.of(PART))?;
    let carried = Certificates::read(table)?;
    let vek = endorsement_key(report, &carried, collateral)?;
    report.check_key(&vek)?;
    let held = collateral.amd_for(vek.product(), vek.kind());
    let root = roots.certificate(vek.product());
    let authority = authority(&vek, &carried, held)?;
    let validity = chain::check(root, authority, &vek, now)?;
    if let Some(held) = held {
        chain::check_revocation(root, authority, held, now)?;
    }
    report.check_signature(&vek)?;
    claims(report, &vek, held, validity)
}

/// What a report needs by its own word: the collateral of its product, and its key's certificate where it comes alone.
pub(crate) fn needs(bytes: &[u8]) -> Vec<Need> {
    let Some((report, table)) = bytes.split_first_chunk::<REPORT_BYTES>() else { return Vec::new() };
    let (Ok(report), Ok(carried)) = (Report::read(report), Certificates::read(table)) else { return Vec::new() };
    if let Some(table::Vek::Vcek(der) | table::Vek::Vlek(der)) = carried.vek {
        let vek = Vek::read(der).ok();
        return vek.map(|vek| Need::Amd { product: vek.product(), kind: vek.kind(), key: None }).into_iter().collect();
    }
    let need = |product| match report.key_kind().ok()? {
        KeyKind::Vcek => Some(Need::Amd { product, kind: KeyKind::Vcek, key: Some(report.chip_key(product)?) }),
        // AMD gives these certificates to the cloud alone.
        KeyKind::Vlek => None,
    };
    report.products().into_iter().filter_map(need).collect()
}

/// The signing key's certificate: the report's own, or the one of the collateral that fits it.
fn endorsement_key<'a>(
    report: Report<'_>,
    carried: &Certificates<'a>,
    collateral: &'a Collateral,
) -> Result<Vek<'a>, Refusal> {
    if let Some(table::Vek::Vcek(der) | table::Vek::Vlek(der)) = carried.vek {
        return Vek::read(der).map_err(|fault| fault.of("endorsement key's certificate"));
    }
    let held = collateral.amd().iter().flat_map(AmdCollateral::keys);
    let mut fitting = held.filter_map(|der| Vek::read(der).ok()).filter(|vek| report.check_key(vek).is_ok());
    fitting.next().ok_or_else(|| missing(report.machine()))
}

/// The CA of the signing key: carried along, of the collateral, or built in.
fn authority<'a>(
    vek: &Vek<'_>,
    carried: &Certificates<'a>,
    held: Option<&'a AmdCollateral>,
) -> Result<&'a [u8], Refusal> {
    let built_in = match vek.kind() {
        KeyKind::Vcek => Some(root::ask(vek.product())),
        KeyKind::Vlek => None,
    };
    let found = carried.authority.or(held.map(AmdCollateral::authority)).or(built_in);
    found.ok_or_else(|| missing(vek.kind().authority_name(vek.product())))
}

fn claims(
    report: Report<'_>,
    vek: &Vek<'_>,
    held: Option<&AmdCollateral>,
    validity: Validity,
) -> Result<Claims, Refusal> {
    let mut weaknesses = report.weaknesses();
    let (endorsements, validity) = match held {
        Some(held) => {
            let dates = held.revocation_validity();
            (Endorsements::Amd { issued: dates.not_before }, validity.and(dates))
        }
        None => {
            weaknesses.insert(Allowance::UncheckedRevocation);
            (Endorsements::Unneeded, validity)
        }
    };
    Ok(Claims {
        measurement: report.measurement(),
        report_data: report.report_data(),
        mode: report.mode(),
        security_version: report.guest_svn(),
        product_id: 0,
        config_id: report.config_id(),
        tcb_status: TcbStatus::Unrated,
        tcb_date: UnixMillis(0),
        advisories: Vec::new(),
        weaknesses,
        platform_ids: report.platform_ids(),
        specifics: Specifics::SevSnp(report.specifics(vek.product())?),
        endorsements,
        validity,
    })
}

fn missing(kind: String) -> Refusal {
    Refusal::CollateralMissing { platform: Platform::SevSnp, kind }
}

fn unverifiable(reason: &str) -> Refusal {
    Refusal::Unverifiable { platform: Platform::SevSnp, reason: reason.to_owned() }
}
