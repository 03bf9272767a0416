//! Evidence and sealing keys of SGX enclaves under Gramine: files below `/dev/attestation`.
//!
//! Source: Gramine, "Attestation and Secret Provisioning".

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crypto::{Label, SealingKey};
use types::service::Role;
use types::time::UnixMillis;
use zeroize::Zeroizing;

use crate::attester::{AttestError, Attester, Operation, Sealer, read_file};
use crate::dcap::layout::without_padding;
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::refusal::Refusal;

/// Where Gramine puts its files.
pub const GRAMINE_ATTESTATION: &str = "/dev/attestation";

/// The longest quote that is read, in bytes.
const MAX_QUOTE_BYTES: u64 = 64 * 1024;
/// Length of Gramine's keys, in bytes.
const KEY_BYTES: usize = 16;

/// An enclave under Gramine: makes evidence, and keeps a key for the same enclave on the same processor.
#[derive(Debug)]
pub struct Gramine {
    root: PathBuf,
    /// What is bound and the quote of it are two files of the whole process.
    one_at_a_time: Mutex<()>,
}

/// What went wrong with Gramine's files.
#[derive(Debug, thiserror::Error)]
pub enum GramineError {
    /// A file could not be read or written.
    #[error("use {0}")]
    File(&'static str, #[source] io::Error),
    /// The enclave was not built for DCAP.
    #[error("the enclave's attestation type is `{0}`, not dcap")]
    Type(String),
    /// The quote is none.
    #[error("the evidence is not an SGX quote")]
    Form(#[from] Refusal),
    /// The key has another length.
    #[error("the sealing key has {0} bytes")]
    KeyLength(usize),
}

impl Gramine {
    /// Files below [`GRAMINE_ATTESTATION`], or wherever a test has them.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Gramine { root: root.into(), one_at_a_time: Mutex::new(()) }
    }

    fn evidence(&self, report_data: &ReportData) -> Result<Evidence, GramineError> {
        let kind = attestation_type(&self.root)?;
        if kind != "dcap" {
            return Err(GramineError::Type(kind));
        }
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "user_report_data";
        std::fs::OpenOptions::new()
            .write(true)
            .open(self.root.join(name))
            .and_then(|mut file| io::Write::write_all(&mut file, &report_data.0))
            .map_err(|error| GramineError::File(name, error))?;
        let quote = self.read("quote", MAX_QUOTE_BYTES)?;
        Ok(Evidence::new(Platform::Sgx, without_padding(&quote)?.to_vec())?)
    }

    /// The key that SGX derives for this enclave's measurement, then one for each role.
    fn key(&self, role: Role) -> Result<SealingKey, GramineError> {
        let key = Zeroizing::new(self.read("keys/_sgx_mrenclave", MAX_QUOTE_BYTES)?);
        if key.len() != KEY_BYTES {
            return Err(GramineError::KeyLength(key.len()));
        }
        // The root of what follows has 32 bytes; of these, SGX gives 16.
        let mut root = Zeroizing::new([0; 32]);
        root[..KEY_BYTES].copy_from_slice(&key);
        Ok(SealingKey::from_bytes(*root).derive(Label::PlatformSealing, role.as_str().as_bytes()))
    }

    fn read(&self, name: &'static str, limit: u64) -> Result<Vec<u8>, GramineError> {
        read_file(&self.root.join(name), limit).map_err(|error| GramineError::File(name, error))
    }
}

/// What kind of evidence the enclave can make: `dcap`, `epid` or `none`.
pub(super) fn attestation_type(root: &Path) -> Result<String, GramineError> {
    let name = "attestation_type";
    let bytes = read_file(&root.join(name), 64).map_err(|error| GramineError::File(name, error))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

impl Attester for Gramine {
    fn platform(&self) -> Platform {
        Platform::Sgx
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        self.evidence(report_data).map_err(|source| failed(Operation::Attest, source))
    }
}

impl Sealer for Gramine {
    fn platform(&self) -> Platform {
        Platform::Sgx
    }

    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError> {
        self.key(role).map_err(|source| failed(Operation::Seal, source))
    }
}

fn failed(operation: Operation, source: GramineError) -> AttestError {
    AttestError { platform: Platform::Sgx, operation, source: Box::new(source) }
}
