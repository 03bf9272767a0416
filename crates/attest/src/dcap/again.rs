//! A second quote of an enclave or machine whose first one was verified a moment ago.
//!
//! Verifying a quote takes nine signatures, of which seven are the same each time: Intel's chain, its collateral and its
//! revocation lists. A second quote that is the first one, byte for byte, but for report data and signature, needs one:
//! the attestation key, which the first verification believed, must have signed it.

use std::ops::Range;

use crypto::verify::p256_fixed;

use crate::claims::Claims;
use crate::dcap::layout::{Field, fields};
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;

/// The claims of `second`, where `first` was verified to have `claims`. None wherever anything else is needed: then it is
/// for the whole verification to accept or to refuse it.
pub(crate) fn claims_again(first: &Evidence, claims: &Claims, second: &Evidence) -> Option<Claims> {
    let platform = second.platform();
    if first.platform() != platform || !matches!(platform, Platform::Sgx | Platform::Tdx) {
        return None;
    }
    let (before, now) = (first.bytes(), second.bytes());
    let places = Places::of(&fields(now).ok()?)?;
    let parts =
        [0..places.report_data.start, places.report_data.end..places.signature.start, places.signature.end..now.len()];
    if before.len() != now.len() || parts.into_iter().any(|part| before[part.clone()] != now[part]) {
        return None;
    }
    let key = [&[4], &now[places.key.clone()]].concat();
    let signature = now[places.signature.clone()].try_into().ok()?;
    p256_fixed(&key, &now[..places.signed], signature).ok()?;
    let report_data = ReportData(now[places.report_data].try_into().ok()?);
    Some(Claims { report_data, ..claims.clone() })
}

/// What may differ, and what it is checked by.
struct Places {
    report_data: Range<usize>,
    /// Header and report end here.
    signed: usize,
    signature: Range<usize>,
    key: Range<usize>,
}

impl Places {
    fn of(fields: &[Field]) -> Option<Self> {
        let place = |name| fields.iter().find(|field| field.name == name).map(|field| field.range.clone());
        Some(Places {
            report_data: place("REPORTDATA")?,
            signed: place("signature data length")?.start,
            signature: place("signature")?,
            key: place("attestation key")?,
        })
    }
}
