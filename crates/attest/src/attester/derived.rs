//! Sealing keys that an SEV-SNP processor derives for the guest that asks.
//!
//! The request is an ioctl of `/dev/sev-guest` (`SNP_GET_DERIVED_KEY`). Rust has no safe form of an ioctl with a
//! structure of its own, also not in `rustix`, and `unsafe` is forbidden here; so the request is described, and who
//! sends it is a [`DerivedKeySource`], which a small program or crate outside can be.

use std::io;

use crypto::{Label, SealingKey};
use types::service::Role;

use crate::attester::{AttestError, Operation, Sealer};
use crate::platform::Platform;

/// `GUEST_FIELD_SELECT`: what is mixed into the key (SNP ABI, `MSG_KEY_REQ`).
const GUEST_POLICY: u64 = 1;
const MEASUREMENT: u64 = 1 << 3;
const TCB_VERSION: u64 = 1 << 5;

/// `struct snp_derived_key_req` (Linux, `include/uapi/linux/sev-guest.h`), of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedKeyRequest {
    /// 0: the key follows from the processor's VCEK.
    pub root_key_select: u32,
    /// What is mixed in.
    pub guest_field_select: u64,
    /// The privilege level that is mixed in.
    pub vmpl: u32,
    /// The guest's security version that is mixed in, if selected.
    pub guest_svn: u32,
    /// The firmware's versions that are mixed in, as eight bytes of a report read as a little-endian number.
    pub tcb_version: u64,
}

impl DerivedKeyRequest {
    /// A key of this processor for guests with the same launch digest and policy, at firmware of these versions or
    /// later: firmware refuses versions above the committed ones, and lower ones have other keys.
    pub const fn bound_to_measurement(tcb_version: u64) -> Self {
        DerivedKeyRequest {
            root_key_select: 0,
            guest_field_select: GUEST_POLICY | MEASUREMENT | TCB_VERSION,
            vmpl: 0,
            guest_svn: 0,
            tcb_version,
        }
    }
}

/// Asks the processor for a key.
pub trait DerivedKeySource: Send + Sync {
    /// The 32 bytes of the answer; the caller wipes them.
    ///
    /// # Errors
    /// The kernel's.
    fn derived_key(&self, request: &DerivedKeyRequest) -> io::Result<[u8; 32]>;
}

/// Keeps keys by having the processor derive them.
#[derive(Debug)]
pub struct SnpSealer<S> {
    source: S,
    request: DerivedKeyRequest,
}

impl<S: DerivedKeySource> SnpSealer<S> {
    /// Keys that follow from what the processor answers to `request`.
    pub const fn new(source: S, request: DerivedKeyRequest) -> Self {
        SnpSealer { source, request }
    }
}

impl<S: DerivedKeySource> Sealer for SnpSealer<S> {
    fn platform(&self) -> Platform {
        Platform::SevSnp
    }

    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError> {
        let key = self.source.derived_key(&self.request).map_err(|error| AttestError {
            platform: Platform::SevSnp,
            operation: Operation::Seal,
            source: Box::new(error),
        })?;
        Ok(SealingKey::from_bytes(key).derive(Label::PlatformSealing, role.as_str().as_bytes()))
    }
}
