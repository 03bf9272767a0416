//! From what `dcap-qvl` verified to claims.

use std::collections::BTreeSet;

use dcap_qvl::quote::{EnclaveReport, Report, TDReport10};
use dcap_qvl::{PckIdentity, QuoteClaims};
use types::time::UnixMillis;

use crate::claims::{Claims, ConfigId, Endorsements, Measurement, Mode, PlatformId, Specifics};
use crate::collateral::IntelCollateral;
use crate::date;
use crate::dcap::strict;
use crate::evidence::ReportData;
use crate::validity::Validity;

/// `ATTRIBUTES.DEBUG` of an enclave (Intel SDM, volume 3D, table 36-3).
const SGX_DEBUG: u8 = 1 << 1;
/// Bits 7 to 0 of `ATTRIBUTES`, "TD under debug": with any of them set, a trust domain keeps nothing from its host (TDX
/// module ABI, table 3.23).
const TD_UNDER_DEBUG: u8 = 0xff;
/// Where `CONFIGID` begins in what `dcap-qvl` calls `reserved3`: after 32 bytes that are reserved indeed.
const CONFIG_ID_AT: usize = 32;

/// What a verified quote says, with what it was verified, and when all of that holds.
pub(super) fn claims(quote: &QuoteClaims, collateral: &IntelCollateral, validity: Validity) -> Claims {
    let report = report(&quote.report);
    Claims {
        measurement: report.measurement,
        report_data: ReportData(report.report_data),
        mode: report.mode,
        security_version: report.security_version,
        product_id: report.product_id,
        config_id: report.config_id,
        tcb_status: strict::status(quote.tcb.status),
        tcb_date: tcb_date(quote),
        advisories: quote.tcb.advisory_ids.clone(),
        weaknesses: strict::weaknesses(&quote.platform.pck),
        platform_ids: platform_ids(&quote.platform.pck),
        specifics: Specifics::None,
        endorsements: Endorsements::Intel { issued: collateral.issued(), tcb_evaluation: quote.tcb.eval_data_number },
        validity,
    }
}

/// The oldest of the dates of the levels that the machine, its TDX module and its quoting enclave reach.
fn tcb_date(quote: &QuoteClaims) -> UnixMillis {
    let launched = &quote.platform.tcb_level.tcb_date;
    let current = quote.platform.current_tcb_level.as_ref().map(|level| &level.tcb_date);
    let dates = [launched, &quote.qe.tcb_level.tcb_date].into_iter().chain(current);
    dates.map(|text| date::parse(text).unwrap_or(UnixMillis(0))).min().expect("there are two at least")
}

/// What the two kinds of report have in common.
struct Common {
    measurement: Measurement,
    report_data: [u8; 64],
    mode: Mode,
    security_version: u32,
    product_id: u16,
    config_id: ConfigId,
}

fn report(report: &Report) -> Common {
    match report {
        Report::SgxEnclave(enclave) => sgx(enclave),
        Report::TD10(domain) => tdx(domain),
        Report::TD15(domain) => tdx(&domain.base),
        Report::TD15Ex(domain) => tdx(&domain.base.base),
    }
}

fn sgx(enclave: &EnclaveReport) -> Common {
    Common {
        measurement: Measurement::Sgx { mrenclave: enclave.mr_enclave, mrsigner: enclave.mr_signer },
        report_data: enclave.report_data,
        mode: mode(enclave.attributes[0] & SGX_DEBUG),
        security_version: u32::from(enclave.isv_svn),
        product_id: enclave.isv_prod_id,
        config_id: ConfigId(enclave.reserved3[CONFIG_ID_AT..].to_vec()),
    }
}

fn tdx(domain: &TDReport10) -> Common {
    Common {
        measurement: Measurement::Tdx {
            mrtd: domain.mr_td,
            rtmr: [domain.rt_mr0, domain.rt_mr1, domain.rt_mr2, domain.rt_mr3],
        },
        report_data: domain.report_data,
        mode: mode(domain.td_attributes[0] & TD_UNDER_DEBUG),
        security_version: 0,
        product_id: 0,
        config_id: ConfigId(domain.mr_config_id.to_vec()),
    }
}

fn mode(debug_bits: u8) -> Mode {
    if debug_bits == 0 { Mode::Production } else { Mode::Debug }
}

fn platform_ids(pck: &PckIdentity) -> BTreeSet<PlatformId> {
    let ppid = pck.ppid.as_slice().try_into().ok().map(PlatformId::Ppid);
    ppid.into_iter().chain(pck.platform_instance_id.map(PlatformId::Piid)).collect()
}
