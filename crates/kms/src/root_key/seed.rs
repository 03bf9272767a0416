//! The root seed of one generation, and what is derived from it.

use std::fmt;

use crypto::{Label, MacKey, RecordKey, SealingKey};

/// Length of a seed, in bytes.
pub(super) const SEED_LEN: usize = 32;

/// 32 random bytes from which everything follows that a kms keeps secret at rest: wiped on drop, never printed.
pub struct RootSeed(SealingKey);

impl RootSeed {
    /// A fresh seed from the system's random source.
    pub fn generate() -> Self {
        RootSeed(SealingKey::generate())
    }

    /// Takes a seed from a slot. The caller wipes its own copy.
    pub fn from_bytes(bytes: [u8; SEED_LEN]) -> Self {
        RootSeed(SealingKey::from_bytes(bytes))
    }

    pub(super) fn new(key: SealingKey) -> Self {
        RootSeed(key)
    }

    /// The seed for a platform that seals keys.
    pub(super) fn as_key(&self) -> &SealingKey {
        &self.0
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(RootSeed::from_bytes)
    }

    /// The seed itself, for a slot. Whoever has it has everything the kms and its deployment keep.
    pub fn danger_expose(&self) -> &[u8; SEED_LEN] {
        self.0.danger_expose()
    }

    /// The sealing key of the kms's own store.
    pub fn store_key(&self) -> SealingKey {
        self.0.derive(Label::RootStore, b"")
    }

    /// Wraps the private key of the deployment's CA.
    pub(super) fn authority_key(&self) -> RecordKey {
        self.0.derive(Label::RootAuthority, b"")
    }

    /// Authenticates `root.json`.
    pub(super) fn file_key(&self) -> MacKey {
        self.0.derive(Label::RootFile, b"")
    }

    /// Seals what earlier generations leave.
    pub(super) fn previous_key(&self) -> RecordKey {
        self.0.derive(Label::RootPrevious, b"")
    }

    pub(super) fn duplicate(&self) -> Self {
        RootSeed::from_bytes(*self.danger_expose())
    }
}

impl fmt::Debug for RootSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootSeed([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use crypto::hash::hex;

    use super::*;

    #[test]
    fn a_seed_is_not_printed() {
        assert_eq!(format!("{:?}", RootSeed::from_bytes([0xab; 32])), "RootSeed([redacted])");
    }

    /// Computed with Python's `cryptography` from the format in `crypto::kdf`; a change makes stores unreadable.
    #[test]
    fn derived_keys_never_change() {
        let seed = RootSeed::from_bytes([7; 32]);
        assert_eq!(
            hex(seed.store_key().danger_expose()),
            "a02446d88001b4baa012d89f9cdc149fe54a0f9703152c00c217804fea1a05f0"
        );
    }
}
