//! The appraisal of evidence: the one place that turns bytes into [`Verified`] claims.

use types::service::Role;
use types::time::UnixMillis;

use crate::claims::Claims;
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::reference::Policy;
use crate::refusal::Refusal;
use crate::simulated;
use crate::verified::Verified;

/// Decides whether `evidence` shows that code accepted as `role` made `expected`.
///
/// Checked in this order: the platform is accepted for the role, the signature verifies under the platform's root,
/// `now` is within the statement's dates, the report data is `expected`, the measurement is a reference value of the
/// role, and mode, security version and TCB status satisfy it. Nothing the evidence says is used before its
/// signature was checked, except which platform's rules to check it by.
///
/// # Errors
/// The first reason that applies.
pub fn appraise(
    evidence: &Evidence,
    expected: &ReportData,
    role: Role,
    policy: &Policy,
    now: UnixMillis,
) -> Result<Verified<Claims>, Refusal> {
    let reference = policy.reference_values(role, evidence.platform())?;
    let claims = signed_claims(evidence, role, policy)?;
    claims.validity.check("evidence", now)?;
    if claims.report_data != *expected {
        return Err(Refusal::ReportDataDiffers);
    }
    reference.check(role, &claims)?;
    Ok(Verified::appraised(claims))
}

/// The claims, once the platform's own verifier has checked their signature.
fn signed_claims(evidence: &Evidence, role: Role, policy: &Policy) -> Result<Claims, Refusal> {
    match evidence.platform() {
        Platform::Simulated => simulated::verify(evidence.bytes(), policy.simulated_root(role)?),
        other => Err(Refusal::PlatformUnsupported(other)),
    }
}
