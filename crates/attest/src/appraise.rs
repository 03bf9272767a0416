//! The appraisal of evidence: the one place that turns bytes into [`Verified`] claims.

use types::service::Role;
use types::time::UnixMillis;

use crate::claims::Claims;
use crate::collateral::Collateral;
use crate::dcap;
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::reference::{Policy, ReferenceValues};
use crate::refusal::Refusal;
use crate::simulated;
use crate::snp;
use crate::tpm;
use crate::verified::Verified;

/// What a verifier judges by: what its owner accepts, and what platforms' makers say of their platforms.
///
/// The two have different lives: auditors sign the first, a cache renews the second.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    /// What is accepted, and which roots are believed.
    pub policy: &'a Policy,
    /// The makers' statements, checked each time that evidence rests on them.
    pub collateral: &'a Collateral,
}

impl Verifier<'_> {
    /// Decides whether `evidence` shows that code accepted as `role` made `expected`.
    ///
    /// Checked in this order: the platform is accepted for the role, the signature verifies under the platform's root
    /// with collateral that holds at `now`, `now` is within the statement's dates, the report data is `expected`, the
    /// measurement is a reference value of the role, and everything else satisfies the reference values. Nothing the
    /// evidence says is used before its signature was checked, except which rules and which collateral to check it by.
    ///
    /// # Errors
    /// The first reason that applies.
    pub fn appraise(
        &self,
        evidence: &Evidence,
        expected: &ReportData,
        role: Role,
        now: UnixMillis,
    ) -> Result<Verified<Claims>, Refusal> {
        let reference = self.policy.reference_values(role, evidence.platform())?;
        let claims = self.signed_claims(evidence, expected, role, reference, now)?;
        self.judge(claims, expected, role, now)
    }

    /// Decides on claims whose signature was checked.
    pub(crate) fn judge(
        &self,
        claims: Claims,
        expected: &ReportData,
        role: Role,
        now: UnixMillis,
    ) -> Result<Verified<Claims>, Refusal> {
        let reference = self.policy.reference_values(role, claims.platform())?;
        claims.validity.check("evidence", now)?;
        if claims.report_data != *expected {
            return Err(Refusal::ReportDataDiffers);
        }
        reference.check(role, &claims)?;
        Ok(Verified::appraised(claims))
    }

    /// The claims, once the platform's own verifier has checked their signature.
    fn signed_claims(
        &self,
        evidence: &Evidence,
        expected: &ReportData,
        role: Role,
        reference: &ReferenceValues,
        now: UnixMillis,
    ) -> Result<Claims, Refusal> {
        let Verifier { policy, collateral } = self;
        match evidence.platform() {
            Platform::Simulated => simulated::verify(evidence.bytes(), policy.simulated_root(role)?),
            Platform::Sgx | Platform::Tdx => dcap::verify(evidence, policy.intel_root(), collateral, reference, now),
            Platform::SevSnp => snp::verify(evidence.bytes(), policy.amd_roots(), collateral, now),
            Platform::Tpm => tpm::verify(evidence.bytes(), expected, |key| policy.believes_tpm(reference, key)),
        }
    }
}
