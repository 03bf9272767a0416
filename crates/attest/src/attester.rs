//! What a platform does for the code that runs on it: make evidence, and keep a key for data at rest.

mod derived;
mod detect;
mod gramine;
mod tpm;
mod tsm;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crypto::SealingKey;
use types::service::Role;
use types::time::UnixMillis;

use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;

pub use derived::{DerivedKeyRequest, DerivedKeySource, SnpSealer};
pub use detect::{detect, detect_with};
pub use gramine::{GRAMINE_ATTESTATION, Gramine, GramineError};
pub use tpm::{SealedKey, TPM_DEVICE, TpmAttester, TpmDevice, TpmError, TpmSealer, Transport};
pub use tsm::{Directories, TSM_REPORT, TsmAttester, TsmError};

/// Makes evidence about the code that calls it.
pub trait Attester: Send + Sync {
    /// The platform whose evidence it makes.
    fn platform(&self) -> Platform;

    /// Fresh evidence that binds `report_data`. May take a second and block on hardware.
    ///
    /// # Errors
    /// [`AttestError`] when the platform refuses or answers nonsense.
    fn attest(&self, report_data: &ReportData, now: UnixMillis) -> Result<Evidence, AttestError>;
}

/// Keeps a key for data at rest that only the same code on the same platform gets again.
pub trait Sealer: Send + Sync {
    /// The platform that keeps the key.
    fn platform(&self) -> Platform;

    /// The sealing key of one service: the same at every call, another one for every role.
    ///
    /// # Errors
    /// [`AttestError`] when the platform refuses.
    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError>;
}

/// Keeps nothing, but seals keys so that only the same code on the same platform gets them back: a TPM with objects
/// under PolicyPCR. Whoever calls it stores what it gives.
pub trait BlobSealer: Send + Sync {
    /// The platform that seals.
    fn platform(&self) -> Platform;

    /// Seals a key into at most 4 KiB, which are no secret.
    ///
    /// # Errors
    /// [`AttestError`] when the platform refuses.
    fn seal_key(&self, key: &SealingKey) -> Result<Vec<u8>, AttestError>;

    /// Opens what [`BlobSealer::seal_key`] made here.
    ///
    /// # Errors
    /// [`AttestError`] for what another platform or other code sealed, and for changed bytes.
    fn unseal_key(&self, blob: &[u8]) -> Result<SealingKey, AttestError>;
}

/// How a platform keeps a secret: it has a key of its own, it seals what it is given, or it does not.
pub enum PlatformSealer {
    /// A stable key: SNP's derived key, Gramine's key file, the simulated platform's file.
    Key(Box<dyn Sealer>),
    /// A blob to be stored: TPM.
    Blob(Box<dyn BlobSealer>),
    /// It keeps none: TDX has no such key, and SEV-SNP's is not asked for. Others keep the secret for it.
    Nothing(Platform),
}

impl PlatformSealer {
    /// The platform that keeps the secret.
    pub fn platform(&self) -> Platform {
        match self {
            PlatformSealer::Key(sealer) => sealer.platform(),
            PlatformSealer::Blob(sealer) => sealer.platform(),
            PlatformSealer::Nothing(platform) => *platform,
        }
    }

    /// Whether it keeps any.
    pub fn keeps(&self) -> bool {
        !matches!(self, PlatformSealer::Nothing(_))
    }
}

/// The platform did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the {platform} platform could not {operation}")]
pub struct AttestError {
    /// The platform that was asked.
    pub platform: Platform,
    /// What it was asked for.
    pub operation: Operation,
    /// Its own words.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What a platform is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Attester::attest`].
    Attest,
    /// [`Sealer::sealing_key`].
    Seal,
    /// [`BlobSealer::seal_key`].
    SealBlob,
    /// [`BlobSealer::unseal_key`].
    UnsealBlob,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Attest => "make evidence",
            Operation::Seal => "give its sealing key",
            Operation::SealBlob => "seal a key",
            Operation::UnsealBlob => "unseal a key",
        })
    }
}

/// Reads a file of at most `limit` bytes.
fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if read as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
