//! A manifest's bytes and digest.

use std::ops::RangeInclusive;

use crypto::hash::Sha256;
use types::consent::TaskManifest;
use types::digest::Digest;

use crate::canonical::{self, NotCanonical};

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// The longest purpose, in characters.
pub const MAX_PURPOSE: usize = 200;

/// What a minimum group may be. Functions count as far as 32 bits go.
pub const GROUPS: RangeInclusive<u64> = 1..=u32::MAX as u64;

/// The canonical bytes of a manifest (RFC 8785).
///
/// # Errors
/// [`NotCanonical::Number`] when a size or a time is above 2⁵³ − 1.
pub fn to_bytes(manifest: &TaskManifest) -> Result<Vec<u8>, NotCanonical> {
    canonical::to_vec(manifest)
}

/// SHA-256 of the canonical bytes: what approvals are of.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest(manifest: &TaskManifest) -> Result<Digest, NotCanonical> {
    Ok(Digest::new(Sha256::digest(&to_bytes(manifest)?)))
}
