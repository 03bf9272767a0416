//! Evidence and sealing keys of a TPM 2.0, by raw commands over a device or a socket.
//!
//! The attestation key is a primary key of the endorsement hierarchy: the TPM makes the same one from its own seed each
//! time, so nothing is stored. Sealed keys are objects under the storage hierarchy's primary key, which only the same
//! TPM loads, and only while the selected PCRs are what they were ([`TpmSealer`]).
//!
//! Commands are not encrypted on their way. A TPM is no protection from whoever runs the machine, and one who listens on
//! its bus is such a one.

mod activation;
mod command;
mod device;
mod sealer;

use std::sync::Arc;

use types::time::UnixMillis;

use crate::attester::{AttestError, Attester, Operation};
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::tpm::wire::{NIST_P256, Reader, Writer, algorithm, attribute};
use crate::tpm::{PcrSelection, TpmEvidence, TpmKeyName, extra_data};

use self::command::{Command, code, handle};

pub use device::{TPM_DEVICE, TpmDevice, Transport};
pub use sealer::{SealedKey, TpmSealer};

/// Why a TPM did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// The device or socket failed.
    #[error("talk to the TPM")]
    Io(#[source] std::io::Error),
    /// The TPM asked to be asked again too often.
    #[error("the TPM stayed busy")]
    Busy,
    /// The TPM said no (TPM 2.0 part 2, section 6.6).
    #[error("{command} failed with the TPM's code {code:#05x}")]
    Refused {
        /// The command.
        command: &'static str,
        /// `TPM_RC`.
        code: u32,
    },
    /// The TPM's answer is none.
    #[error("the TPM's answer is malformed")]
    Malformed(#[source] Fault),
    /// The TPM's evidence can't be carried.
    #[error("the evidence is not what a TPM makes")]
    Form(#[source] Refusal),
    /// What was kept for the TPM is no sealed key.
    #[error("what was kept is no sealed key")]
    SealedKey(#[source] Refusal),
    /// No key was sealed for this service.
    #[error("no sealed key of {0}")]
    NoKey(types::service::Role),
}

impl From<Fault> for TpmError {
    fn from(fault: Fault) -> Self {
        TpmError::Malformed(fault)
    }
}

/// Quotes PCRs with the TPM's attestation key.
#[derive(Clone, Debug)]
pub struct TpmAttester {
    device: Arc<TpmDevice>,
    pcrs: PcrSelection,
}

impl TpmAttester {
    /// An attester over these PCRs.
    pub fn new(device: Arc<TpmDevice>, pcrs: PcrSelection) -> Self {
        TpmAttester { device, pcrs }
    }

    /// The name of the TPM's attestation key, for a policy.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn key_name(&self) -> Result<TpmKeyName, TpmError> {
        self.device.with_primary(handle::ENDORSEMENT, &attestation_key(), |primary| Ok(TpmKeyName::of(&primary.public)))
    }

    fn quote(&self, report_data: &ReportData) -> Result<TpmEvidence, TpmError> {
        self.device.with_primary(handle::ENDORSEMENT, &attestation_key(), |primary| {
            let parameters = Writer::default()
                .sized(&extra_data(report_data))
                .u16(algorithm::NULL)
                .raw(&self.pcrs.encode())
                .finish();
            let answer = primary.run(&Command::new(code::QUOTE).owner(primary.handle).parameters(parameters))?;
            let mut reader = Reader::new(&answer.parameters);
            let attest = reader.sized()?.to_vec();
            Ok(TpmEvidence { public: primary.public.clone(), attest, signature: reader.rest().to_vec() })
        })
    }
}

impl Attester for TpmAttester {
    fn platform(&self) -> Platform {
        Platform::Tpm
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        let evidence = self
            .quote(report_data)
            .and_then(|evidence| Evidence::new(Platform::Tpm, evidence.encode()).map_err(TpmError::Form));
        evidence.map_err(|source| failed(Operation::Attest, source))
    }
}

fn failed(operation: Operation, source: TpmError) -> AttestError {
    AttestError { platform: Platform::Tpm, operation, source: Box::new(source) }
}

/// `TPMT_PUBLIC` of an attestation key: ECDSA on P-256 with SHA-256, restricted to what the TPM generates.
fn attestation_key() -> Vec<u8> {
    let attributes = attribute::FIXED_TPM
        | attribute::FIXED_PARENT
        | attribute::SENSITIVE_DATA_ORIGIN
        | attribute::USER_WITH_AUTH
        | attribute::RESTRICTED
        | attribute::SIGN;
    Writer::default()
        .u16(algorithm::ECC)
        .u16(algorithm::SHA256)
        .u32(attributes)
        .sized(&[])
        .u16(algorithm::NULL)
        .u16(algorithm::ECDSA)
        .u16(algorithm::SHA256)
        .u16(NIST_P256)
        .u16(algorithm::NULL)
        .sized(&[])
        .sized(&[])
        .finish()
}
