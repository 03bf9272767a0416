//! Every platform, by machines that do not exist: the same code in every role, as on real ones.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use attest::attester::Attester;
use attest::claims::Measurement;
use attest::collateral::{AmdCollateral, Collateral, IntelCollateral};
use attest::dcap::IntelRoot;
use attest::evidence::ReportData;
use attest::platform::Platform;
use attest::reference::{Policy, ReferenceValues};
use attest::simulated::{SimulatedAttester, SimulatedRoot};
use attest::snp::{AmdRoots, SnpProduct};
use attest::tpm::PcrSelection;
use forge::snp::{Chip, Encoding, Guest, SnpForge};
use forge::tpm::ForgedTpm;
use forge::{Domain, Enclave, Forge, Machine, SgxAttester, SnpAttester, TdxAttester, TpmAttester};
use types::service::Role;
use types::time::UnixMillis;

use crate::house::House;

/// A machine of one platform, and what its maker says of it.
pub struct TestPlatform {
    /// Which platform.
    pub platform: Platform,
    /// The machine with the code that audits found good.
    pub audited: Arc<dyn Attester>,
    /// The same machine with other code.
    pub altered: Arc<dyn Attester>,
    /// The same machine with the good code under a debugger, where the platform says so.
    pub debugged: Option<Arc<dyn Attester>>,
    /// What runs on the first, and on the second.
    pub measurements: [Measurement; 2],
    collateral: Arc<Collateral>,
    /// Who vouches for the machine, and who would if it were real.
    believing: Policy,
    pcrs: PcrSelection,
}

impl TestPlatform {
    /// Every platform that hardware stands behind elsewhere.
    pub fn forged() -> [TestPlatform; 4] {
        [Self::sgx(), Self::tdx(), Self::sev_snp(), Self::tpm()]
    }

    /// The simulated platform.
    pub fn simulated() -> Self {
        let root = Arc::new(SimulatedRoot::generate());
        let attester = |build: &[u8]| SimulatedAttester::new(root.clone(), Role::Kms, build);
        let [audited, altered] = [attester(b"audited"), attester(b"altered")];
        TestPlatform {
            platform: Platform::Simulated,
            measurements: [audited.measurement(), altered.measurement()],
            debugged: Some(Arc::new(audited.clone().in_debug_mode())),
            audited: Arc::new(audited),
            altered: Arc::new(altered),
            collateral: Arc::default(),
            believing: Policy::default().danger_allow_simulated(root.public()),
            pcrs: PcrSelection::default(),
        }
    }

    /// An SGX enclave.
    pub fn sgx() -> Self {
        let (forge, machine) = (Arc::new(Forge::new(yesterday())), Machine::default());
        let good = Enclave::new(ReportData([0; 64]));
        let other = Enclave { mrenclave: [0xff; 32], ..good.clone() };
        let attester = |enclave: &Enclave| -> Arc<dyn Attester> {
            Arc::new(SgxAttester { forge: forge.clone(), machine: machine.clone(), enclave: enclave.clone() })
        };
        let measured =
            |enclave: &Enclave| Measurement::Sgx { mrenclave: enclave.mrenclave, mrsigner: enclave.mrsigner };
        TestPlatform {
            platform: Platform::Sgx,
            measurements: [measured(&good), measured(&other)],
            audited: attester(&good),
            altered: attester(&other),
            debugged: Some(attester(&Enclave { debug: true, ..good })),
            collateral: intel(&forge, &machine, Platform::Sgx),
            believing: intel_root(&forge),
            pcrs: PcrSelection::default(),
        }
    }

    /// A TDX trust domain.
    pub fn tdx() -> Self {
        let (forge, machine) = (Arc::new(Forge::new(yesterday())), Machine::default());
        let good = Domain::new(ReportData([0; 64]));
        let other = Domain { mrtd: [0xff; 48], ..good.clone() };
        let attester = |domain: &Domain| -> Arc<dyn Attester> {
            Arc::new(TdxAttester { forge: forge.clone(), machine: machine.clone(), domain: domain.clone() })
        };
        let measured = |domain: &Domain| Measurement::Tdx { mrtd: domain.mrtd, rtmr: domain.rtmr };
        TestPlatform {
            platform: Platform::Tdx,
            measurements: [measured(&good), measured(&other)],
            audited: attester(&good),
            altered: attester(&other),
            debugged: Some(attester(&Domain { debug: true, ..good })),
            collateral: intel(&forge, &machine, Platform::Tdx),
            believing: intel_root(&forge),
            pcrs: PcrSelection::default(),
        }
    }

    /// A guest on an SEV-SNP machine.
    pub fn sev_snp() -> Self {
        /// In a guest's policy (SNP ABI, table 10): a debugger may look inside.
        const DEBUG: u64 = 1 << 19;
        // RSA keys of 4096 bits take their time.
        static FORGE: OnceLock<Arc<SnpForge>> = OnceLock::new();
        let make = || Arc::new(SnpForge::new(SnpProduct::Genoa, Encoding::Newer, yesterday()));
        let (forge, chip, good) = (FORGE.get_or_init(make), Chip::default(), Guest::default());
        let other = Guest { launch_digest: [0xff; 48], ..good.clone() };
        let attester = |guest: &Guest| -> Arc<dyn Attester> {
            Arc::new(SnpAttester { forge: forge.clone(), chip, guest: guest.clone() })
        };
        let collateral = AmdCollateral::from_json(&forge.install(chip).collateral()).expect("the forge's own");
        let roots = AmdRoots::danger_other(forge.root().to_vec());
        TestPlatform {
            platform: Platform::SevSnp,
            measurements: [&good, &other].map(|guest| Measurement::SevSnp { launch_digest: guest.launch_digest }),
            audited: attester(&good),
            altered: attester(&other),
            debugged: Some(attester(&Guest { policy: good.policy | DEBUG, ..good })),
            collateral: Arc::new(Collateral::default().with_amd(collateral)),
            believing: Policy::default().danger_trust_amd_root(roots),
            pcrs: PcrSelection::default(),
        }
    }

    /// A machine with a TPM, which knows no debuggers.
    pub fn tpm() -> Self {
        let (tpm, pcrs) = (Arc::new(ForgedTpm::ecdsa()), PcrSelection::new([0, 7, 11]).expect("three of 24"));
        let values = [[[1; 32], [2; 32], [3; 32]], [[1; 32], [2; 32], [0xff; 32]]];
        let [audited, altered] = values.map(|values| -> Arc<dyn Attester> {
            Arc::new(TpmAttester { tpm: tpm.clone(), pcrs, values: values.into() })
        });
        TestPlatform {
            platform: Platform::Tpm,
            measurements: values.map(|values| pcrs.measurement(&values).expect("a value for each")),
            audited,
            altered,
            debugged: None,
            collateral: Arc::default(),
            believing: Policy::default().with_tpm_key(tpm.key_name()),
            pcrs,
        }
    }

    /// A deployment that accepts the audited code in every role.
    pub fn house(&self, name: &str) -> House {
        House::new(name, self.policy(), self.collateral())
    }

    /// A deployment that accepts the other code as well.
    pub fn lenient_house(&self, name: &str) -> House {
        House::new(name, self.policy_of(self.believing.clone(), &self.measurements), self.collateral())
    }

    /// What whoever believes the makers alone, and the same code, goes by.
    pub fn makers_policy(&self) -> Policy {
        self.policy_of(Policy::default(), &self.measurements[..1])
    }

    /// What accepts the audited code in every role.
    pub fn policy(&self) -> Policy {
        self.policy_of(self.believing.clone(), &self.measurements[..1])
    }

    /// What the maker says of its machines.
    pub fn collateral(&self) -> Arc<Collateral> {
        self.collateral.clone()
    }

    fn policy_of(&self, believing: Policy, measurements: &[Measurement]) -> Policy {
        let measurements: BTreeSet<_> = measurements.iter().cloned().collect();
        let values = ReferenceValues { measurements, tpm_pcrs: self.pcrs, ..ReferenceValues::default() };
        Role::ALL.into_iter().fold(believing, |policy, role| policy.with_role(role, values.clone()))
    }
}

fn intel(forge: &Forge, machine: &Machine, platform: Platform) -> Arc<Collateral> {
    let published = forge.install(machine.clone()).collateral(platform);
    let collateral = IntelCollateral::from_json(&published).expect("the forge's own");
    Arc::new(Collateral::default().with_intel(collateral))
}

fn intel_root(forge: &Forge) -> Policy {
    Policy::default().danger_trust_intel_root(IntelRoot::danger_other(forge.root().to_vec()))
}

fn yesterday() -> UnixMillis {
    UnixMillis(UnixMillis::now().0 - 86_400_000)
}
