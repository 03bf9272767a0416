//! The auditors' manifest: what may run in a deployment, as a threshold of named auditors signed it.
//!
//! ```text
//! file ── Envelope::from_bytes ── signatures by trusted keys ── Manifest::from_bytes ── version, dates
//!           (DSSE, strict)          (enough, distinct)             (strict, canonical)        │
//!                                                                      verify::verify → Verified<Manifest> → policy
//! ```
//!
//! Services hard-code no measurement of each other: both sides hold a manifest, and what it lists is the
//! [`crate::reference::Policy`] by which evidence is appraised. `docs/manifest.md` has the format byte for byte and says who signs when.
//!
//! Pure as everything here: bytes, trusted auditors, what was seen before and a time in. Remembering what was seen is
//! `rpc::manifest`'s.

pub mod auditors;
pub mod envelope;
pub mod key;
mod measured;
pub mod memory;
mod payload;
mod refusal;
pub mod signing;
pub mod sshsig;
mod text;
pub mod verify;
mod wire;

use std::collections::BTreeMap;

use crypto::hash::Sha256;
use types::digest::Digest;
use types::service::Role;
use types::time::UnixMillis;

use crate::claims::Measurement;
use crate::identity::Deployment;
use crate::manifest::auditors::Auditors;
use crate::pem::{self, BadPem};
use crate::platform::Platform;
use crate::reference::{Policy, ReferenceValues};
use crate::simulated::SimulatedRootKey;
use crate::verified::Verified;

pub use measured::Measured;
pub use refusal::{Malformed, ManifestRefusal};
pub use text::{BadText, parse_allowance, parse_config_id, parse_platform_id, parse_snp_author, parse_snp_tcb};
pub use verify::{LastSeen, verify};
pub use wire::BadWire;

/// What may run in one deployment, and who says so. Plain data, which proves nothing; [`Verified`]`<Manifest>` does.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Whose services these are.
    pub deployment: Deployment,
    /// Its place in the line of this deployment's manifests, from 1 to [`Manifest::MAX_VERSION`].
    pub version: u64,
    /// From when it holds; whole seconds count.
    pub issued: UnixMillis,
    /// Its last instant; whole seconds count.
    pub expires: UnixMillis,
    /// The digest of the version before it; the first has none.
    pub previous: Option<Digest>,
    /// Who signs this manifest and decides on the next.
    pub auditors: Auditors,
    /// Who decided until now, where this manifest changes that.
    pub replaces: Option<Auditors>,
    /// SHA-256 of the certificate (DER) of the deployment's CA, once it is known.
    pub ca_sha256: Option<Digest>,
    /// Who vouches for simulated platforms, which protect nothing from whoever runs the machine.
    pub danger_simulated_root: Option<SimulatedRootKey>,
    /// What may run as each role. A role that is absent may not run at all.
    pub roles: BTreeMap<Role, ReferenceValues>,
}

impl Manifest {
    /// The highest version: 2⁵³ − 1, which every reader of JSON takes for the same number.
    pub const MAX_VERSION: u64 = (1 << 53) - 1;

    /// Reads a payload.
    ///
    /// # Errors
    /// [`Malformed`] unless the bytes are exactly what [`Manifest::to_bytes`] writes for some manifest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        payload::read(bytes)
    }

    /// The payload: canonical JSON (RFC 8785). The same manifest has the same bytes everywhere.
    pub fn to_bytes(&self) -> Vec<u8> {
        payload::write(self)
    }

    /// SHA-256 of the payload: what the next version names as the one before it.
    pub fn digest(&self) -> Digest {
        Digest::new(Sha256::digest(&self.to_bytes()))
    }

    /// Whether a simulated platform may be any part of the deployment.
    pub fn allows_simulation(&self) -> bool {
        let simulated = |measurement: &Measurement| measurement.platform() == Platform::Simulated;
        self.roles.values().any(|values| values.measurements.iter().any(simulated))
    }
}

/// What [`Manifest::ca_sha256`] is for a CA's certificate in PEM.
///
/// # Errors
/// [`BadPem`] when the text is not one block of PEM with a certificate's label.
pub fn ca_digest(pem: &str) -> Result<Digest, BadPem> {
    Ok(Digest::new(Sha256::digest(&pem::decode(pem::CERTIFICATE, pem)?)))
}

impl Verified<Manifest> {
    /// The reference values that the auditors signed.
    pub fn policy(&self) -> Policy {
        let policy = match self.danger_simulated_root {
            Some(root) => Policy::default().danger_allow_simulated(root),
            None => Policy::default(),
        };
        self.roles.iter().fold(policy, |policy, (role, values)| policy.with_role(*role, values.clone()))
    }
}
