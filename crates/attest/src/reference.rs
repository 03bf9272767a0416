//! Reference values and the policy that holds them: what a verifier accepts, per role.

use std::collections::{BTreeMap, BTreeSet};

use types::service::Role;

use crate::claims::{Claims, Measurement, Mode, TcbStatus};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::simulated::SimulatedRootKey;

/// What a verifier accepts. The default accepts nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    roles: BTreeMap<Role, ReferenceValues>,
    simulation: Simulation,
}

/// Whether the simulated platform is accepted at all, whatever the reference values say.
#[derive(Clone, Debug, Default)]
enum Simulation {
    #[default]
    Refused,
    Allowed(SimulatedRootKey),
}

/// What one role may run, and on what.
#[derive(Clone, Debug, Default)]
pub struct ReferenceValues {
    /// The accepted measurements. Their platforms are the accepted platforms.
    pub measurements: BTreeSet<Measurement>,
    /// The lowest accepted security version; 0 accepts every one.
    pub minimum_security_version: u32,
    /// What is accepted although it is not as it should be.
    pub allowances: BTreeSet<Allowance>,
}

/// A weakness that a policy accepts by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// Platforms in debug mode: their operator sees everything.
    DebugMode,
    /// [`TcbStatus::HardeningNeeded`].
    HardeningNeeded,
    /// [`TcbStatus::OutOfDate`].
    OutOfDate,
}

impl Policy {
    /// Accepts these reference values for a role, in addition to other roles' and in place of its earlier ones.
    pub fn with_role(mut self, role: Role, values: ReferenceValues) -> Self {
        self.roles.insert(role, values);
        self
    }

    /// Accepts evidence of the simulated platform signed by `root`, where the reference values name it. Simulation
    /// protects nothing from whoever runs the machine.
    pub fn danger_allow_simulated(mut self, root: SimulatedRootKey) -> Self {
        self.simulation = Simulation::Allowed(root);
        self
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
        self.check_tcb(claims.tcb_status)
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

    fn check_tcb(&self, status: TcbStatus) -> Result<(), Refusal> {
        let accepted = match status {
            TcbStatus::Unrated | TcbStatus::UpToDate => true,
            TcbStatus::HardeningNeeded => self.allowances.contains(&Allowance::HardeningNeeded),
            TcbStatus::OutOfDate => self.allowances.contains(&Allowance::OutOfDate),
            TcbStatus::Revoked => false,
        };
        if accepted { Ok(()) } else { Err(Refusal::Tcb(status)) }
    }
}

#[cfg(test)]
mod tests {
    use types::time::UnixMillis;

    use super::*;
    use crate::evidence::ReportData;
    use crate::validity::Validity;

    const SGX: Measurement = Measurement::Sgx { mrenclave: [1; 32], mrsigner: [2; 32] };

    fn claims(mode: Mode, security_version: u32, tcb_status: TcbStatus) -> Claims {
        Claims {
            measurement: SGX,
            report_data: ReportData([0; 64]),
            mode,
            security_version,
            tcb_status,
            validity: Validity { not_before: UnixMillis(0), not_after: UnixMillis(1) },
        }
    }

    #[test]
    fn weaknesses_are_accepted_by_name_only() {
        use TcbStatus::{HardeningNeeded, OutOfDate, Revoked, UpToDate};
        let cases = [
            (claims(Mode::Debug, 3, UpToDate), Some(Allowance::DebugMode), Refusal::Debug),
            (
                claims(Mode::Production, 3, HardeningNeeded),
                Some(Allowance::HardeningNeeded),
                Refusal::Tcb(HardeningNeeded),
            ),
            (claims(Mode::Production, 3, OutOfDate), Some(Allowance::OutOfDate), Refusal::Tcb(OutOfDate)),
            (claims(Mode::Production, 3, Revoked), None, Refusal::Tcb(Revoked)),
            (claims(Mode::Production, 2, UpToDate), None, Refusal::SecurityVersion { found: 2, minimum: 3 }),
        ];
        for (claims, allowance, refusal) in cases {
            let mut values = ReferenceValues { minimum_security_version: 3, ..ReferenceValues::exactly([SGX]) };
            values.allowances = every_allowance_but(allowance);
            assert_eq!(values.check(Role::Kms, &claims), Err(refusal));
            if let Some(allowance) = allowance {
                values.allowances = BTreeSet::from([allowance]);
                assert_eq!(values.check(Role::Kms, &claims), Ok(()));
            }
        }
    }

    fn every_allowance_but(one: Option<Allowance>) -> BTreeSet<Allowance> {
        [Allowance::DebugMode, Allowance::HardeningNeeded, Allowance::OutOfDate]
            .into_iter()
            .filter(|allowance| Some(*allowance) != one)
            .collect()
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
}
