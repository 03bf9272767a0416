//! The real platform under a process: what makes its evidence, and how it keeps the root's secret.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use attest::attester::{
    Attester, GRAMINE_ATTESTATION, Gramine, PlatformSealer, TPM_DEVICE, TSM_REPORT, TpmAttester, TpmDevice, TpmError,
    TpmSealer, TsmAttester, detect,
};
use attest::platform::Platform;
use attest::tpm::{BadPcr, PcrSelection, TpmKeyName};
use serde::{Deserialize, Serialize};

/// Which platform a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The best that this machine has; never the simulated one.
    Auto,
    /// An SGX enclave under Gramine.
    Sgx,
    /// A TDX virtual machine.
    Tdx,
    /// A SEV-SNP virtual machine.
    SevSnp,
    /// A machine with a TPM 2.0.
    Tpm,
}

/// Why there is no platform to serve on.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Nothing was found.
    #[error(
        "this machine's only platform is the simulated one, which protects nothing from its operator; \
         start with --dev to accept that for development"
    )]
    OnlySimulated,
    /// The platform that the configuration names is not there.
    #[error("the {platform} platform can't be used")]
    Unusable {
        /// Which.
        platform: Platform,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configuration names a PCR that measures nothing that lasts.
    #[error("attestation.tpm_pcrs")]
    Pcr(#[from] BadPcr),
}

/// A platform that was found.
#[derive(Clone)]
pub struct Machine {
    platform: Platform,
    attester: Arc<dyn Attester>,
    tpm: Option<Arc<TpmDevice>>,
    pcrs: PcrSelection,
}

impl Machine {
    /// Finds the platform that a configuration names. `tpm` is the TPM's device, or the socket of one in software, where
    /// that is not [`TPM_DEVICE`].
    ///
    /// # Errors
    /// When it is not there.
    pub fn find(choice: Choice, tpm: Option<&Path>, pcrs: PcrSelection) -> Result<Self, MachineError> {
        let platform = match choice {
            Choice::Auto => detect(Path::new("/")).or(tpm.map(|_| Platform::Tpm)).ok_or(MachineError::OnlySimulated)?,
            Choice::Sgx => Platform::Sgx,
            Choice::Tdx => Platform::Tdx,
            Choice::SevSnp => Platform::SevSnp,
            Choice::Tpm => Platform::Tpm,
        };
        match (platform, tpm) {
            // A virtual machine's TPM is often its host's: nothing is sealed to it unless somebody says that it is not.
            (Platform::Tdx | Platform::SevSnp, None) => Self::on(platform, None, pcrs),
            (_, tpm) => Self::on(platform, Some(open_tpm(tpm.unwrap_or(Path::new(TPM_DEVICE)))), pcrs),
        }
    }

    fn on(
        platform: Platform,
        tpm: Option<Result<Arc<TpmDevice>, NoTpm>>,
        pcrs: PcrSelection,
    ) -> Result<Self, MachineError> {
        let tpm = tpm.transpose();
        let (attester, tpm): (Arc<dyn Attester>, _) = match platform {
            Platform::Sgx => (Arc::new(Gramine::new(GRAMINE_ATTESTATION)), None),
            Platform::Tdx | Platform::SevSnp => (Arc::new(TsmAttester::new(TSM_REPORT, platform)), tpm.ok().flatten()),
            Platform::Tpm => {
                let device = tpm.map_err(|error| unusable(platform, error))?;
                let device = device.ok_or(MachineError::OnlySimulated)?;
                (Arc::new(TpmAttester::new(device.clone(), pcrs)), Some(device))
            }
            Platform::Simulated => return Err(MachineError::OnlySimulated),
        };
        Ok(Machine { platform, attester, tpm, pcrs })
    }

    /// A machine whose attester a test brings.
    pub fn danger_for_tests(attester: Arc<dyn Attester>) -> Self {
        Machine { platform: attester.platform(), attester, tpm: None, pcrs: PcrSelection::default() }
    }

    /// Which platform it is.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// What makes its evidence.
    pub fn attester(&self) -> Arc<dyn Attester> {
        self.attester.clone()
    }

    /// The name of the TPM's attestation key, for a manifest; none on platforms that are believed by their maker's word.
    ///
    /// # Errors
    /// When the TPM does not answer.
    pub fn tpm_key(&self) -> Result<Option<TpmKeyName>, MachineError> {
        match (&self.tpm, self.platform) {
            (Some(tpm), Platform::Tpm) => {
                let key = TpmAttester::new(tpm.clone(), self.pcrs).key_name();
                Ok(Some(key.map_err(|error| unusable(self.platform, error))?))
            }
            _ => Ok(None),
        }
    }

    /// How it keeps the root's secret: Gramine's key files, a TPM, or not at all.
    pub fn sealer(&self) -> PlatformSealer {
        match (&self.tpm, self.platform) {
            (_, Platform::Sgx) => PlatformSealer::Key(Box::new(Gramine::new(GRAMINE_ATTESTATION))),
            (Some(tpm), _) => PlatformSealer::Blob(Box::new(TpmSealer::new(tpm.clone(), self.pcrs))),
            (None, platform) => PlatformSealer::Nothing(platform),
        }
    }
}

/// Why a TPM can't be used.
#[derive(Debug, thiserror::Error)]
enum NoTpm {
    #[error("open {path}")]
    Open { path: String, source: io::Error },
    #[error("the TPM does not start")]
    Start(#[from] TpmError),
}

/// Opens a TPM: the kernel's device, or the socket of one in software, which no firmware has started.
fn open_tpm(path: &Path) -> Result<Arc<TpmDevice>, NoTpm> {
    let failed = |source| NoTpm::Open { path: path.display().to_string(), source };
    if !std::fs::metadata(path).map_err(failed)?.file_type().is_socket() {
        return Ok(Arc::new(TpmDevice::open(path).map_err(failed)?));
    }
    let device = TpmDevice::over(UnixStream::connect(path).map_err(failed)?);
    device.start()?;
    Ok(Arc::new(device))
}

fn unusable(platform: Platform, source: impl std::error::Error + Send + Sync + 'static) -> MachineError {
    MachineError::Unusable { platform, source: Box::new(source) }
}
