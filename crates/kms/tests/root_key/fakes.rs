//! Platforms and peers that do not exist, and what tests do over and over.

use std::path::Path;

use attest::attester::{AttestError, BlobSealer, Operation, PlatformSealer, Sealer};
use attest::platform::Platform;
use crypto::hash::Sha256;
use crypto::{Label, RecordKey, SealingKey};
use kms::root_key::{Means, Peer, PeerAnswer, RecoverySecret, Root, RootError, Seeds};
use tempfile::TempDir;
use types::secret::SecretBytes;
use types::service::Role;
use types::time::UnixMillis;

pub(crate) const NOW: UnixMillis = UnixMillis(1_795_435_200_000);
pub(crate) const LATER: UnixMillis = UnixMillis(1_795_435_260_000);

fn mixed(parts: &[&str]) -> [u8; 32] {
    Sha256::digest(parts.join("\0").as_bytes())
}

fn refuses(platform: Platform, operation: Operation, why: &'static str) -> AttestError {
    AttestError { platform, operation, source: why.into() }
}

/// A platform that derives a key from the chip, what was measured, and the role: SNP's derived key, Gramine's
/// `_sgx_mrenclave`, the simulated platform's file.
struct Deriving {
    platform: Platform,
    chip: &'static str,
    measurement: &'static str,
}

impl Sealer for Deriving {
    fn platform(&self) -> Platform {
        self.platform
    }

    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError> {
        if self.measurement.is_empty() {
            return Err(refuses(self.platform, Operation::Seal, "no such device"));
        }
        Ok(SealingKey::from_bytes(mixed(&[self.chip, self.measurement, role.as_str()])))
    }
}

/// A TPM whose objects open only while the PCRs are what they were.
struct Tpm {
    chip: &'static str,
    pcrs: &'static str,
}

impl Tpm {
    fn key(&self) -> RecordKey {
        SealingKey::from_bytes(mixed(&[self.chip])).derive(Label::StoreRoot, b"fake")
    }
}

impl BlobSealer for Tpm {
    fn platform(&self) -> Platform {
        Platform::Tpm
    }

    fn seal_key(&self, key: &SealingKey) -> Result<Vec<u8>, AttestError> {
        Ok(crypto::seal::seal(&self.key(), self.pcrs.as_bytes(), key.danger_expose()))
    }

    fn unseal_key(&self, blob: &[u8]) -> Result<SealingKey, AttestError> {
        let opened = crypto::seal::open(&self.key(), self.pcrs.as_bytes(), blob);
        let refused = |_| refuses(Platform::Tpm, Operation::UnsealBlob, "TPM_RC_POLICY_FAIL");
        Ok(SealingKey::from_bytes(opened.map_err(refused)?.as_slice().try_into().unwrap()))
    }
}

fn deriving(platform: Platform, chip: &'static str, measurement: &'static str) -> PlatformSealer {
    PlatformSealer::Key(Box::new(Deriving { platform, chip, measurement }))
}

pub(crate) fn snp(chip: &'static str, measurement: &'static str) -> PlatformSealer {
    deriving(Platform::SevSnp, chip, measurement)
}

pub(crate) fn gramine(measurement: &'static str) -> PlatformSealer {
    deriving(Platform::Sgx, "cpu", measurement)
}

pub(crate) fn simulated() -> PlatformSealer {
    deriving(Platform::Simulated, "disk", "dev")
}

pub(crate) fn tpm(chip: &'static str, pcrs: &'static str) -> PlatformSealer {
    PlatformSealer::Blob(Box::new(Tpm { chip, pcrs }))
}

/// Another kms: with these seeds, or one that can't be reached.
pub(crate) struct Replica {
    pub(crate) name: &'static str,
    pub(crate) seeds: Option<SecretBytes>,
}

impl Peer for Replica {
    fn name(&self) -> &str {
        self.name
    }

    fn seeds(&self) -> PeerAnswer<'_> {
        Box::pin(async {
            let bytes = self.seeds.as_ref().ok_or("connection refused")?;
            Ok(Seeds::from_bytes(bytes.expose())?)
        })
    }
}

pub(crate) fn replica(name: &'static str, root: Option<&Root>) -> Vec<Box<dyn Peer>> {
    vec![Box::new(Replica { name, seeds: root.map(|root| root.seeds().danger_to_bytes()) })]
}

pub(crate) fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn create(dir: &Path, sealer: &PlatformSealer) -> Root {
    Root::create(dir, Seeds::generate(), sealer, NOW).unwrap()
}

pub(crate) async fn open(dir: &Path, sealer: &PlatformSealer) -> Result<Root, RootError> {
    Root::open(dir, &Means { sealer: Some(sealer), ..Means::default() }).await
}

/// What tells one root from another.
pub(crate) fn keys(root: &Root) -> Vec<[u8; 32]> {
    let generation = root.seeds().generation();
    let new = Role::ALL.map(|role| *root.role_key_of(role, generation).unwrap().danger_expose());
    let roles = Role::ALL.map(|role| *root.role_key(role).danger_expose());
    new.into_iter().chain(roles).chain([*root.store_key().danger_expose()]).collect()
}

pub(crate) fn holders(names: &[&str]) -> Vec<RecoverySecret> {
    names.iter().map(|name| RecoverySecret::generate(name.parse().unwrap())).collect()
}
