//! Reference values and the policy that holds them: what a verifier accepts, per role.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use types::service::Role;
use types::time::UnixMillis;

use crate::claims::{
    Claims, ConfigId, Endorsements, Measurement, Mode, PlatformId, SnpAuthor, SnpClaims, Specifics, TcbStatus,
};
use crate::dcap::IntelRoot;
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::simulated::SimulatedRootKey;
use crate::snp::{AmdRoots, SnpProduct, SnpTcb};
use crate::tpm::{PcrSelection, TpmKeyName};

/// What a verifier accepts. The default accepts nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    roles: BTreeMap<Role, ReferenceValues>,
    simulation: Simulation,
    intel: IntelRoot,
    amd: AmdRoots,
    tpm_keys: BTreeSet<TpmKeyName>,
}

/// Whether the simulated platform is accepted at all, whatever the reference values say.
#[derive(Clone, Debug, Default)]
enum Simulation {
    #[default]
    Refused,
    Allowed(SimulatedRootKey),
}

/// What one role may run, and on what. The default accepts no measurement, on any machine, with no allowance.
#[derive(Clone, Debug)]
pub struct ReferenceValues {
    /// The accepted measurements. Their platforms are the accepted platforms.
    pub measurements: BTreeSet<Measurement>,
    /// The lowest accepted security version; 0 accepts every one.
    pub minimum_security_version: u32,
    /// What whoever starts the code may bind to it.
    pub config_ids: Accepted<ConfigId>,
    /// The machines on which it may run.
    pub platform_ids: Accepted<PlatformId>,
    /// The oldest accepted date of a rated TCB level, also where its status is allowed; 0 accepts every one.
    pub minimum_tcb_date: UnixMillis,
    /// The lowest accepted versions of SEV-SNP firmware. Empty accepts every product at every version; otherwise a
    /// product that is not named here is refused, since products count differently.
    pub minimum_snp_tcb: BTreeMap<SnpProduct, SnpTcb>,
    /// The privilege level (VMPL) at which SEV-SNP reports are accepted, exactly: 0 unless a paravisor holds that.
    pub snp_vmpl: u32,
    /// Who may have signed the launch of an SEV-SNP machine.
    pub snp_authors: Accepted<SnpAuthor>,
    /// The PCRs that a TPM quotes, exactly: a measurement over others means something else.
    pub tpm_pcrs: PcrSelection,
    /// How old the statements of platforms' makers may be.
    pub collateral_floor: CollateralFloor,
    /// What is accepted although it is not as it should be.
    pub allowances: BTreeSet<Allowance>,
}

/// Which values of a kind are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accepted<T> {
    /// Every one, or none at all.
    #[default]
    Any,
    /// These alone.
    Only(BTreeSet<T>),
}

/// The oldest collateral that is accepted, since a host can turn the clock back to when older collateral was in date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollateralFloor {
    /// When the oldest part may have been issued.
    pub issued: UnixMillis,
    /// The lowest accepted `tcbEvaluationDataNumber` of Intel's TCB info and QE identity.
    pub tcb_evaluation: u32,
}

/// A weakness that a policy accepts by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// Platforms in debug mode: their operator sees everything.
    DebugMode,
    /// [`TcbStatus::HardeningNeeded`].
    HardeningNeeded,
    /// [`TcbStatus::ConfigurationNeeded`].
    ConfigurationNeeded,
    /// [`TcbStatus::RelaunchAdvised`].
    RelaunchAdvised,
    /// [`TcbStatus::OutOfDate`].
    OutOfDate,
    /// Intel machines to which processor packages can be added (PCK certificate, `dynamicPlatform`).
    DynamicPlatform,
    /// Intel machines whose root keys Intel's registration service keeps (PCK certificate, `cachedKeys`).
    CachedKeys,
    /// Processors whose cores run two threads at once, which share caches (PCK certificate, `smtEnabled`).
    SimultaneousMultithreading,
    /// SEV-SNP guests that a migration agent may move to another machine (guest policy, `MIGRATE_MA`).
    MigrationAgent,
    /// SEV-SNP firmware that the machine's operator can still take back (`CURRENT` differs from `COMMITTED`).
    ProvisionalFirmware,
    /// AMD machines that did not look for aliases of their memory at boot (`ALIAS_CHECK_COMPLETE`; CVE-2024-21944).
    UncheckedMemoryAliases,
    /// AMD machines of a product for which the verifier has no revocation list.
    UncheckedRevocation,
}

impl Allowance {
    /// Every allowance.
    pub const ALL: [Allowance; 12] = [
        Allowance::DebugMode,
        Allowance::HardeningNeeded,
        Allowance::ConfigurationNeeded,
        Allowance::RelaunchAdvised,
        Allowance::OutOfDate,
        Allowance::DynamicPlatform,
        Allowance::CachedKeys,
        Allowance::SimultaneousMultithreading,
        Allowance::MigrationAgent,
        Allowance::ProvisionalFirmware,
        Allowance::UncheckedMemoryAliases,
        Allowance::UncheckedRevocation,
    ];

    /// The name that manifests use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Allowance::DebugMode => "debug-mode",
            Allowance::HardeningNeeded => "hardening-needed",
            Allowance::ConfigurationNeeded => "configuration-needed",
            Allowance::RelaunchAdvised => "relaunch-advised",
            Allowance::OutOfDate => "out-of-date",
            Allowance::DynamicPlatform => "dynamic-platform",
            Allowance::CachedKeys => "cached-keys",
            Allowance::SimultaneousMultithreading => "simultaneous-multithreading",
            Allowance::MigrationAgent => "migration-agent",
            Allowance::ProvisionalFirmware => "provisional-firmware",
            Allowance::UncheckedMemoryAliases => "unchecked-memory-aliases",
            Allowance::UncheckedRevocation => "unchecked-revocation",
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Policy {
    /// Accepts these reference values for a role, in addition to other roles' and in place of its earlier ones.
    pub fn with_role(mut self, role: Role, values: ReferenceValues) -> Self {
        self.roles.insert(role, values);
        self
    }

    /// Accepts no simulated platform, whatever the reference values name.
    pub fn refuse_simulated(mut self) -> Self {
        self.simulation = Simulation::Refused;
        self
    }

    /// Accepts evidence of the simulated platform signed by `root`, where the reference values name it. Simulation
    /// protects nothing from whoever runs the machine.
    pub fn danger_allow_simulated(mut self, root: SimulatedRootKey) -> Self {
        self.simulation = Simulation::Allowed(root);
        self
    }

    /// Believes another root than Intel's in SGX and TDX evidence: the forge's, in tests. Whoever holds its key can be
    /// any platform.
    pub fn danger_trust_intel_root(mut self, root: IntelRoot) -> Self {
        self.intel = root;
        self
    }

    /// Believes other roots than AMD's in SEV-SNP evidence: the forge's, in tests. Whoever holds their keys can be any
    /// platform.
    pub fn danger_trust_amd_root(mut self, roots: AmdRoots) -> Self {
        self.amd = roots;
        self
    }

    /// Believes the quotes of one more TPM's attestation key in every role: see [`crate::tpm`]. Otherwise only those are
    /// believed that a role's [`ReferenceValues::platform_ids`] list.
    pub fn with_tpm_key(mut self, name: TpmKeyName) -> Self {
        self.tpm_keys.insert(name);
        self
    }

    /// Whether this attestation key's quotes are believed: in every role, or because the role lists its machine.
    pub(crate) fn believes_tpm(&self, reference: &ReferenceValues, key: TpmKeyName) -> bool {
        let id = PlatformId::TpmKey(key.0);
        let listed = matches!(&reference.platform_ids, Accepted::Only(ids) if ids.contains(&id));
        listed || self.tpm_keys.contains(&key)
    }

    /// The roots that vouch for SEV-SNP platforms.
    pub(crate) fn amd_roots(&self) -> &AmdRoots {
        &self.amd
    }

    /// The root that vouches for SGX and TDX platforms.
    pub(crate) fn intel_root(&self) -> &IntelRoot {
        &self.intel
    }

    /// The root that vouches for simulated platforms.
    pub(crate) fn simulated_root(&self, role: Role) -> Result<&SimulatedRootKey, Refusal> {
        match &self.simulation {
            Simulation::Allowed(root) => Ok(root),
            Simulation::Refused => Err(Refusal::PlatformNotAccepted { platform: Platform::Simulated, role }),
        }
    }

    /// The reference values that evidence of `platform` may match in this role.
    pub(crate) fn reference_values(&self, role: Role, platform: Platform) -> Result<&ReferenceValues, Refusal> {
        self.roles
            .get(&role)
            .filter(|values| values.measurements.iter().any(|measurement| measurement.platform() == platform))
            .ok_or(Refusal::PlatformNotAccepted { platform, role })
    }
}

impl Default for CollateralFloor {
    fn default() -> Self {
        CollateralFloor { issued: UnixMillis(0), tcb_evaluation: 0 }
    }
}

impl Default for ReferenceValues {
    fn default() -> Self {
        ReferenceValues {
            measurements: BTreeSet::new(),
            minimum_security_version: 0,
            config_ids: Accepted::Any,
            platform_ids: Accepted::Any,
            minimum_tcb_date: UnixMillis(0),
            minimum_snp_tcb: BTreeMap::new(),
            snp_vmpl: 0,
            snp_authors: Accepted::Any,
            tpm_pcrs: PcrSelection::default(),
            collateral_floor: CollateralFloor::default(),
            allowances: BTreeSet::new(),
        }
    }
}

impl ReferenceValues {
    /// Exactly these measurements, with no allowance.
    pub fn exactly(measurements: impl IntoIterator<Item = Measurement>) -> Self {
        ReferenceValues { measurements: measurements.into_iter().collect(), ..ReferenceValues::default() }
    }

    /// Compares claims, whose signature was checked, with these values.
    pub(crate) fn check(&self, role: Role, claims: &Claims) -> Result<(), Refusal> {
        if !self.measurements.contains(&claims.measurement) {
            return Err(Refusal::MeasurementUnknown { role, measurement: Box::new(claims.measurement.clone()) });
        }
        self.check_mode(claims.mode)?;
        self.check_security_version(claims.security_version)?;
        self.check_config_id(&claims.config_id)?;
        self.check_platform(claims)?;
        self.check_tcb(claims)?;
        match &claims.specifics {
            Specifics::None => {}
            Specifics::SevSnp(snp) => self.check_snp(snp)?,
            Specifics::Tpm(pcrs) => self.check_pcrs(*pcrs)?,
        }
        self.check_floor(claims.endorsements)
    }

    fn check_mode(&self, mode: Mode) -> Result<(), Refusal> {
        match mode {
            Mode::Production => Ok(()),
            Mode::Debug if self.allowances.contains(&Allowance::DebugMode) => Ok(()),
            Mode::Debug => Err(Refusal::Debug),
        }
    }

    fn check_security_version(&self, found: u32) -> Result<(), Refusal> {
        let minimum = self.minimum_security_version;
        if found < minimum { Err(Refusal::SecurityVersion { found, minimum }) } else { Ok(()) }
    }

    fn check_config_id(&self, found: &ConfigId) -> Result<(), Refusal> {
        match &self.config_ids {
            Accepted::Only(listed) if !listed.contains(found) => Err(Refusal::ConfigIdUnknown(found.clone())),
            _ => Ok(()),
        }
    }

    fn check_platform(&self, claims: &Claims) -> Result<(), Refusal> {
        match &self.platform_ids {
            Accepted::Only(listed) if listed.is_disjoint(&claims.platform_ids) => {
                return Err(Refusal::PlatformNotListed { ids: claims.platform_ids.iter().cloned().collect() });
            }
            _ => {}
        }
        match claims.weaknesses.difference(&self.allowances).next() {
            Some(weakness) => Err(Refusal::NotAllowed(*weakness)),
            None => Ok(()),
        }
    }

    fn check_tcb(&self, claims: &Claims) -> Result<(), Refusal> {
        if !self.allows(claims.tcb_status) {
            return Err(Refusal::Tcb(claims.tcb_status));
        }
        let (found, minimum) = (claims.tcb_date, self.minimum_tcb_date);
        let rated = claims.tcb_status != TcbStatus::Unrated;
        if rated && found < minimum { Err(Refusal::TcbTooOld { found, minimum }) } else { Ok(()) }
    }

    fn check_pcrs(&self, found: PcrSelection) -> Result<(), Refusal> {
        let accepted = self.tpm_pcrs;
        if found == accepted { Ok(()) } else { Err(Refusal::PcrSelection { found, accepted }) }
    }

    fn check_snp(&self, claims: &SnpClaims) -> Result<(), Refusal> {
        let SnpClaims { product, tcb, vmpl, author } = *claims;
        if vmpl != self.snp_vmpl {
            return Err(Refusal::Vmpl { found: vmpl, accepted: self.snp_vmpl });
        }
        match self.minimum_snp_tcb.get(&product) {
            Some(minimum) if !tcb.reaches(minimum) => {
                return Err(Refusal::SnpTcb { product, found: Box::new(tcb), minimum: Box::new(*minimum) });
            }
            None if !self.minimum_snp_tcb.is_empty() => return Err(Refusal::SnpProduct(product)),
            _ => {}
        }
        match &self.snp_authors {
            Accepted::Only(listed) if !listed.contains(&author) => Err(Refusal::SnpAuthor(author)),
            _ => Ok(()),
        }
    }

    /// Whether every weakness of a TCB status is allowed.
    pub(crate) fn allows(&self, status: TcbStatus) -> bool {
        use Allowance::{ConfigurationNeeded, HardeningNeeded, OutOfDate, RelaunchAdvised};
        let needed: &[Allowance] = match status {
            TcbStatus::Unrated | TcbStatus::UpToDate => &[],
            TcbStatus::HardeningNeeded => &[HardeningNeeded],
            TcbStatus::ConfigurationNeeded => &[ConfigurationNeeded],
            TcbStatus::ConfigurationAndHardeningNeeded => &[ConfigurationNeeded, HardeningNeeded],
            TcbStatus::RelaunchAdvised => &[RelaunchAdvised],
            TcbStatus::RelaunchAdvisedConfigurationNeeded => &[RelaunchAdvised, ConfigurationNeeded],
            TcbStatus::OutOfDate => &[OutOfDate],
            TcbStatus::OutOfDateConfigurationNeeded => &[OutOfDate, ConfigurationNeeded],
            TcbStatus::Revoked => return false,
        };
        needed.iter().all(|allowance| self.allowances.contains(allowance))
    }

    fn check_floor(&self, endorsements: Endorsements) -> Result<(), Refusal> {
        let floor = self.collateral_floor;
        match endorsements {
            Endorsements::Intel { issued, tcb_evaluation }
                if issued < floor.issued || tcb_evaluation < floor.tcb_evaluation =>
            {
                Err(Refusal::CollateralBelowFloor)
            }
            Endorsements::Amd { issued } if issued < floor.issued => Err(Refusal::CollateralBelowFloor),
            Endorsements::Intel { .. } | Endorsements::Amd { .. } | Endorsements::Unneeded => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
