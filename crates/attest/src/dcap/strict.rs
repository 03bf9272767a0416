//! `dcap-qvl`'s strictest policy, loosened only by what the reference values allow by name.

use std::collections::BTreeSet;
use std::time::Duration;

use dcap_qvl::{PckCertFlag, PckIdentity, Policy, QuoteClaims, QuotePolicy, TcbStatus as IntelStatus};

use crate::claims::TcbStatus;
use crate::reference::{Allowance, ReferenceValues};
use crate::refusal::Refusal;

/// Grace that has no end: how far out of date is accepted is `ReferenceValues::minimum_tcb_date`'s business.
const FOREVER: Duration = Duration::from_secs(u64::MAX);

/// Every status of Intel's that can be allowed.
const ALLOWABLE: [IntelStatus; 7] = [
    IntelStatus::SWHardeningNeeded,
    IntelStatus::ConfigurationNeeded,
    IntelStatus::ConfigurationAndSWHardeningNeeded,
    IntelStatus::TDRelaunchAdvised,
    IntelStatus::TDRelaunchAdvisedConfigurationNeeded,
    IntelStatus::OutOfDate,
    IntelStatus::OutOfDateConfigurationNeeded,
];

/// What the verifier asks when all signatures are good.
pub(super) struct Strict<'a> {
    pub(super) reference: &'a ReferenceValues,
    pub(super) now_seconds: u64,
}

/// Refuses in our words first, then has the verifier's own policy refuse again, lest ours forget something.
impl Policy for Strict<'_> {
    fn validate(&self, claims: &QuoteClaims) -> anyhow::Result<()> {
        let status = status(claims.tcb.status);
        if !self.reference.allows(status) {
            return Err(Refusal::Tcb(status).into());
        }
        if let Some(weakness) = weaknesses(&claims.platform.pck).difference(&self.reference.allowances).next() {
            return Err(Refusal::NotAllowed(*weakness).into());
        }
        self.strictest().validate(claims)
    }
}

impl Strict<'_> {
    fn strictest(&self) -> QuotePolicy {
        let allowed = |allowance| self.reference.allowances.contains(&allowance);
        let grace = if allowed(Allowance::OutOfDate) { FOREVER } else { Duration::ZERO };
        let policy = QuotePolicy::strict(self.now_seconds)
            .allow_dynamic_platform(allowed(Allowance::DynamicPlatform))
            .allow_cached_keys(allowed(Allowance::CachedKeys))
            .allow_smt(allowed(Allowance::SimultaneousMultithreading))
            .platform_grace_period(grace)
            .qe_grace_period(grace);
        ALLOWABLE
            .into_iter()
            .filter(|allowable| self.reference.allows(status(*allowable)))
            .fold(policy, QuotePolicy::allow_status)
    }
}

/// What Intel's registration service wrote of the machine into its certificate. Certificates of the processor CA say
/// nothing of the kind: such machines have one package, and no keys that anyone caches.
pub(super) fn weaknesses(pck: &PckIdentity) -> BTreeSet<Allowance> {
    let flags = [
        (pck.dynamic_platform, Allowance::DynamicPlatform),
        (pck.cached_keys, Allowance::CachedKeys),
        (pck.smt_enabled, Allowance::SimultaneousMultithreading),
    ];
    flags.into_iter().filter(|(flag, _)| *flag == PckCertFlag::True).map(|(_, allowance)| allowance).collect()
}

/// Intel's rating in our words.
pub(super) const fn status(status: IntelStatus) -> TcbStatus {
    match status {
        IntelStatus::UpToDate => TcbStatus::UpToDate,
        IntelStatus::SWHardeningNeeded => TcbStatus::HardeningNeeded,
        IntelStatus::ConfigurationNeeded => TcbStatus::ConfigurationNeeded,
        IntelStatus::ConfigurationAndSWHardeningNeeded => TcbStatus::ConfigurationAndHardeningNeeded,
        IntelStatus::TDRelaunchAdvised => TcbStatus::RelaunchAdvised,
        IntelStatus::TDRelaunchAdvisedConfigurationNeeded => TcbStatus::RelaunchAdvisedConfigurationNeeded,
        IntelStatus::OutOfDate => TcbStatus::OutOfDate,
        IntelStatus::OutOfDateConfigurationNeeded => TcbStatus::OutOfDateConfigurationNeeded,
        IntelStatus::Revoked => TcbStatus::Revoked,
    }
}
