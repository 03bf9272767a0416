//! Where a host keeps compiled code.

use std::fmt;

use types::digest::Digest;

/// Names compiled code: what it was compiled from, and for which engine on which kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeKey {
    pub(super) code: Digest,
    pub(super) engine: u64,
}

impl fmt::Display for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.code, self.engine)
    }
}

/// A host's store of compiled code.
///
/// The engine runs what [`get`](CodeCache::get) gives as machine code, outside of any sandbox. So an implementation
/// authenticates what it stores, with its key as associated data, and answers `None` for everything that is not exactly
/// what was [put](CodeCache::put) under that key by code that is trusted as much as the caller: damage is absence.
pub trait CodeCache: Send + Sync {
    /// What was put under `key`, or nothing.
    fn get(&self, key: &CodeKey) -> Option<Vec<u8>>;

    /// Keeps `compiled`, if it likes; failures are its own affair.
    fn put(&self, key: &CodeKey, compiled: &[u8]);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl CodeCache for NoCache {
    fn get(&self, _: &CodeKey) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &CodeKey, _: &[u8]) {}
}
