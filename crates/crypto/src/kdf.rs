//! Keys from other keys: HKDF-SHA-256 (RFC 5869), with every label in one list.
//!
//! ```text
//! PRK  = HKDF-Extract(salt = "teehouse sealing key v1", IKM = sealing key)
//! key  = HKDF-Expand(PRK, info = purpose ‖ label ‖ context, 32), each part after its length as 8 bytes big-endian
//!
//! PRK  = HKDF-Extract(salt = the file's salt, IKM = file key)
//! key ‖ nonce prefix = HKDF-Expand(PRK, info = "aes-256-gcm" ‖ "file chunks" ‖ header ‖ nonce ‖ ad, 32 + 7), likewise
//! ```
//!
//! The purpose is the derived key's type, so that the same label and context never give one key for two algorithms.

use aws_lc_rs::hkdf::{self, HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::key::{FileKey, KEY_LEN, MacKey, RecordKey, SealingKey};
use crate::sign::Ed25519KeyPair;

const SALT: &[u8] = b"teehouse sealing key v1";

/// What a derived key is for. A label once used is never changed or given to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// The root of everything in one store but its anchor; context: the store's id.
    StoreRoot,
    /// The records of one table, from a store's root; context: the table's name.
    StoreRecords,
    /// The anchor of a store; no context.
    StoreAnchor,
    /// What is kept of users' tokens; no context.
    UserTokens,
    /// The sealing keys that the kms gives to services; context: the role, none for the root of them all.
    RoleKeys,
    /// One service's sealing key, from the key that a platform keeps for its code; context: the role.
    PlatformSealing,
    /// Wraps the kms's root seed, from its platform's key; no context.
    RootSlot,
    /// Authenticates the file of the root key's slots, from the root seed; no context.
    RootFile,
    /// Seals the seeds of earlier generations, from the root seed; no context.
    RootPrevious,
    /// The sealing key of the kms's own store, from the root seed; no context.
    RootStore,
    /// Wraps the private key of the deployment's CA, from the root seed; no context.
    RootAuthority,
    /// What seals the chunks of one file, from its file key; context: the file's header and the key's nonce and ad.
    FileChunks,
    /// Signs the URLs of files; no context.
    FileUrls,
    /// Seals compiled code that a function node keeps; context: what it was compiled from, for which engine.
    CompiledCode,
    /// Signs a service's statements and checkpoints; no context.
    StatementKey,
}

impl Label {
    /// Every label there is.
    pub const ALL: [Self; 15] = [
        Self::StoreRoot,
        Self::StoreRecords,
        Self::StoreAnchor,
        Self::UserTokens,
        Self::RoleKeys,
        Self::PlatformSealing,
        Self::RootSlot,
        Self::RootFile,
        Self::RootPrevious,
        Self::RootStore,
        Self::RootAuthority,
        Self::FileChunks,
        Self::FileUrls,
        Self::CompiledCode,
        Self::StatementKey,
    ];

    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::StoreRoot => b"store root",
            Self::StoreRecords => b"store records",
            Self::StoreAnchor => b"store anchor",
            Self::UserTokens => b"user tokens",
            Self::RoleKeys => b"role keys",
            Self::PlatformSealing => b"platform sealing",
            Self::RootSlot => b"root slot",
            Self::RootFile => b"root file",
            Self::RootPrevious => b"root previous",
            Self::RootStore => b"root store",
            Self::RootAuthority => b"root authority",
            Self::FileChunks => b"file chunks",
            Self::FileUrls => b"file urls",
            Self::CompiledCode => b"compiled code",
            Self::StatementKey => b"statement key",
        }
    }
}

/// A key that [`SealingKey::derive`] can make: [`RecordKey`], [`MacKey`], [`Ed25519KeyPair`], or a [`SealingKey`] for a
/// narrower purpose.
pub trait Derived: sealed::Sealed {}

impl Derived for RecordKey {}
impl Derived for MacKey {}
impl Derived for SealingKey {}
impl Derived for Ed25519KeyPair {}

impl SealingKey {
    /// The key for one purpose. The same label and context always give the same key; any other, an unrelated one.
    pub fn derive<K: Derived>(&self, label: Label, context: &[u8]) -> K {
        K::from_secret(hkdf_sha256(SALT, self.danger_expose(), &info([K::PURPOSE, label.as_bytes(), context])))
    }
}

/// What seals the chunks of a file: see [`crate::file::stream`].
pub(crate) struct ChunkSecrets {
    pub(crate) key: Zeroizing<[u8; KEY_LEN]>,
    pub(crate) nonce_prefix: [u8; 7],
}

impl ChunkSecrets {
    /// The same file key, salt and header always give the same secrets.
    pub(crate) fn derive(file: &FileKey, salt: &[u8], header: &[u8]) -> Self {
        let parts = [b"aes-256-gcm", Label::FileChunks.as_bytes(), header, file.nonce(), file.ad()];
        let derived: Zeroizing<[u8; KEY_LEN + 7]> = hkdf_sha256(salt, file.key(), &info(parts));
        let (key, nonce_prefix) = derived.split_first_chunk().expect("32 of 39 bytes");
        Self { key: Zeroizing::new(*key), nonce_prefix: nonce_prefix.try_into().expect("the other 7") }
    }
}

/// The parts in their order, each after its length as 8 bytes big-endian.
fn info<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes(), *part].concat()).collect()
}

fn hkdf_sha256<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    let prk: hkdf::Prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    let mut key = Zeroizing::new([0; N]);
    let filled = prk.expand(&[info], Length(N)).and_then(|okm| okm.fill(&mut *key));
    filled.expect("what is asked for is shorter than HKDF's 255 blocks");
    key
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

mod sealed {
    use super::{Ed25519KeyPair, KEY_LEN, MacKey, RecordKey, SealingKey, Zeroizing};

    pub trait Sealed {
        const PURPOSE: &'static [u8];
        fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self;
    }

    impl Sealed for RecordKey {
        const PURPOSE: &'static [u8] = b"aes-256-gcm-siv";
        fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
            Self::from_secret(bytes)
        }
    }

    impl Sealed for MacKey {
        const PURPOSE: &'static [u8] = b"hmac-sha-256";
        fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
            Self::from_secret(bytes)
        }
    }

    impl Sealed for SealingKey {
        const PURPOSE: &'static [u8] = b"sealing";
        fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
            Self::from_secret(bytes)
        }
    }

    impl Sealed for Ed25519KeyPair {
        const PURPOSE: &'static [u8] = b"ed25519";
        fn from_secret(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
            Self::from_seed(&bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::hash::{hex, parse_hex};

    /// RFC 5869, A.1.
    #[test]
    fn rfc_5869_case_1() {
        let key: Zeroizing<[u8; 42]> = hkdf_sha256(
            &parse_hex::<13>("000102030405060708090a0b0c").unwrap(),
            &[0x0b; 22],
            &parse_hex::<10>("f0f1f2f3f4f5f6f7f8f9").unwrap(),
        );
        let okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex(&*key), okm);
    }

    /// Computed with Python's `cryptography` 48 from the format in this module's first paragraph; a change here
    /// makes every store unreadable.
    #[test]
    fn derived_keys_never_change() {
        let key: RecordKey = SealingKey::from_bytes([7; 32]).derive(Label::StoreRecords, b"context");
        assert_eq!(hex(key.expose()), "7207920268c50cc7fbcb838e1e743c8313b6666ec5c64c4bd3e14764316e0cdc");
    }

    /// Computed likewise, with the private key as the seed of RFC 8032; a change here makes services sign as somebody else.
    #[test]
    fn statement_keys_never_change() {
        let key: Ed25519KeyPair = SealingKey::from_bytes([7; 32]).derive(Label::StatementKey, b"");
        assert_eq!(hex(&key.public_key()), "ef8885541f6477337e08fe24a748d55de287d601e5cc746cd177a8ff3bcb2b0f");
    }

    #[test]
    fn every_label_context_purpose_and_root_gives_its_own_key() {
        let mut seen = HashSet::new();
        for root in [[1; 32], [2; 32]].map(SealingKey::from_bytes) {
            for label in Label::ALL {
                for context in [&b""[..], b"a", b"ab"] {
                    assert!(seen.insert(*root.derive::<RecordKey>(label, context).expose()));
                    assert!(seen.insert(*root.derive::<MacKey>(label, context).expose()));
                    let narrower: SealingKey = root.derive(label, context);
                    assert!(seen.insert(*narrower.danger_expose()));
                }
            }
        }
        assert_eq!(seen.len(), 2 * Label::ALL.len() * 3 * 3);
    }
}
