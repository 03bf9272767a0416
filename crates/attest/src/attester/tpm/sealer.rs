//! Keys that a TPM gives back only while the machine is as it was booted when they were sealed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::SealingKey;
use types::service::Role;
use zeroize::Zeroizing;

use crate::attester::tpm::command::{Command, code, handle};
use crate::attester::tpm::device::{Loaded, TpmDevice, creation};
use crate::attester::tpm::{TpmError, failed};
use crate::attester::{AttestError, BlobSealer, Operation, Sealer};
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::tpm::PcrSelection;
use crate::tpm::wire::{NIST_P256, Reader, Writer, algorithm, attribute};

/// `TPM_SE_POLICY` and `TPM_SE_TRIAL`.
const POLICY: u8 = 1;
const TRIAL: u8 = 3;

/// Length of the storage key's AES key, in bits.
const AES_BITS: u16 = 128;

/// A key sealed by a TPM. It is no secret: whoever keeps it for the sealer may show it to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    private: Vec<u8>,
    public: Vec<u8>,
}

impl SealedKey {
    /// The bytes to keep: `TPM2B_PRIVATE`, `TPM2B_PUBLIC`.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default().sized(&self.private).sized(&self.public).finish()
    }

    /// Reads what [`Self::encode`] writes.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let read = || {
            let mut reader = Reader::new(bytes);
            let (private, public) = (reader.sized()?.to_vec(), reader.sized()?.to_vec());
            reader.end().map(|()| SealedKey { private, public })
        };
        read().map_err(|fault: Fault| fault.of("sealed key"))
    }
}

/// Seals keys to a TPM and to the present values of some PCRs, and gets them back.
#[derive(Debug)]
pub struct TpmSealer {
    device: Arc<TpmDevice>,
    pcrs: PcrSelection,
    keys: BTreeMap<Role, SealedKey>,
}

impl TpmSealer {
    /// A sealer that keeps no key yet.
    pub fn new(device: Arc<TpmDevice>, pcrs: PcrSelection) -> Self {
        TpmSealer { device, pcrs, keys: BTreeMap::new() }
    }

    /// The same with the sealed key of one more service.
    pub fn with_key(mut self, role: Role, key: SealedKey) -> Self {
        self.keys.insert(role, key);
        self
    }

    /// Seals a key; the caller keeps the result.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn seal(&self, key: &SealingKey) -> Result<SealedKey, TpmError> {
        self.device.with_primary(handle::OWNER, &storage_key(), |storage| {
            let session = storage.session(TRIAL)?;
            let policy = self.policy_digest(storage, session);
            storage.flush(session)?;
            let parameters = creation(key.danger_expose(), &sealed_object(&policy?));
            let command = Command::new(code::CREATE).owner(storage.handle).parameters(parameters);
            let answer = storage.run(&command)?;
            let mut reader = Reader::new(&answer.parameters);
            Ok(SealedKey { private: reader.sized()?.to_vec(), public: reader.sized()?.to_vec() })
        })
    }

    /// The key, if this is the TPM that sealed it and the PCRs are as they were.
    ///
    /// # Errors
    /// [`TpmError::Refused`] where they are not.
    pub fn unseal(&self, key: &SealedKey) -> Result<SealingKey, TpmError> {
        self.device.with_primary(handle::OWNER, &storage_key(), |storage| {
            storage.with_object(&key.private, &key.public, |object| {
                let session = object.session(POLICY)?;
                let unsealed = self.policy(object, session).and_then(|()| unseal(object, session));
                if unsealed.is_err() {
                    // The session ends with a command that succeeds, and only then.
                    object.flush(session)?;
                }
                unsealed
            })
        })
    }

    /// Has the session demand the present values of the PCRs.
    fn policy(&self, loaded: &mut Loaded<'_>, session: u32) -> Result<(), TpmError> {
        let parameters = Writer::default().sized(&[]).raw(&self.pcrs.encode()).finish();
        loaded.run(&Command::new(code::POLICY_PCR).about(session).parameters(parameters)).map(|_| ())
    }

    fn policy_digest(&self, loaded: &mut Loaded<'_>, session: u32) -> Result<Vec<u8>, TpmError> {
        self.policy(loaded, session)?;
        let answer = loaded.run(&Command::new(code::POLICY_GET_DIGEST).about(session))?;
        Ok(Reader::new(&answer.parameters).sized()?.to_vec())
    }
}

fn unseal(object: &mut Loaded<'_>, session: u32) -> Result<SealingKey, TpmError> {
    let answer = object.run(&Command::new(code::UNSEAL).by(object.handle, session))?;
    let parameters = Zeroizing::new(answer.parameters);
    let key: [u8; 32] = Reader::new(&parameters).sized()?.try_into().map_err(|_| Fault::Expected("32 bytes"))?;
    Ok(SealingKey::from_bytes(key))
}

impl Sealer for TpmSealer {
    fn platform(&self) -> Platform {
        Platform::Tpm
    }

    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError> {
        let key = self.keys.get(&role).ok_or(TpmError::NoKey(role)).and_then(|key| self.unseal(key));
        key.map_err(|source| failed(Operation::Seal, source))
    }
}

impl BlobSealer for TpmSealer {
    fn platform(&self) -> Platform {
        Platform::Tpm
    }

    fn seal_key(&self, key: &SealingKey) -> Result<Vec<u8>, AttestError> {
        let sealed = self.seal(key).map(|sealed| sealed.encode());
        sealed.map_err(|source| failed(Operation::SealBlob, source))
    }

    fn unseal_key(&self, blob: &[u8]) -> Result<SealingKey, AttestError> {
        let key = SealedKey::decode(blob).map_err(TpmError::SealedKey).and_then(|key| self.unseal(&key));
        key.map_err(|source| failed(Operation::UnsealBlob, source))
    }
}

/// `TPMT_PUBLIC` of the storage hierarchy's primary key (TCG TPM v2.0 Provisioning Guidance, section 7.5.1): P-256,
/// AES-128-CFB.
fn storage_key() -> Vec<u8> {
    let attributes = attribute::FIXED_TPM
        | attribute::FIXED_PARENT
        | attribute::SENSITIVE_DATA_ORIGIN
        | attribute::USER_WITH_AUTH
        | attribute::NO_DA
        | attribute::RESTRICTED
        | attribute::DECRYPT;
    Writer::default()
        .u16(algorithm::ECC)
        .u16(algorithm::SHA256)
        .u32(attributes)
        .sized(&[])
        .u16(algorithm::AES)
        .u16(AES_BITS)
        .u16(algorithm::CFB)
        .u16(algorithm::NULL)
        .u16(NIST_P256)
        .u16(algorithm::NULL)
        .sized(&[])
        .sized(&[])
        .finish()
}

/// `TPMT_PUBLIC` of what is sealed: no password opens it, the policy alone.
fn sealed_object(policy: &[u8]) -> Vec<u8> {
    Writer::default()
        .u16(algorithm::KEYED_HASH)
        .u16(algorithm::SHA256)
        .u32(attribute::FIXED_TPM | attribute::FIXED_PARENT | attribute::NO_DA)
        .sized(policy)
        .u16(algorithm::NULL)
        .sized(&[])
        .finish()
}
