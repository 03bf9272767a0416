//! The seed in k-of-n shares, each sealed to a holder's recovery key.
//!
//! The shares are sealed with HPKE for the purpose `teehouse root recovery 1`; their associated data is
//! `set (16) ‖ generation (4) ‖ threshold (1) ‖ share number (1)`, so that no share serves in another set or place.

use crypto::hpke::{self, PublicKey};
use crypto::shamir::{self, Share};
use serde::{Deserialize, Serialize};
use types::bytes::Base64;

use super::file::{Holder, MAX_HOLDERS, RecoverySet, SHARE_LEN, SetId, pretty};
use super::holder::{HolderName, RecoveryKey, RecoverySecret};
use super::seed::RootSeed;
use super::seeds::Generation;

/// Longest share file, in bytes.
pub const MAX_SHARE_FILE_LEN: usize = 4096;

const PURPOSE: &[u8] = b"teehouse root recovery 1";
const VERSION: u32 = 1;

/// Shares can't be made, read or combined.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// No holders, or too many.
    #[error("a recovery set has 1 to {MAX_HOLDERS} holders, not {0}")]
    Holders(usize),
    /// The threshold is 0 or above the number of holders.
    #[error("{threshold} of {holders} holders is no threshold")]
    Threshold {
        /// How many are to be enough.
        threshold: u8,
        /// How many there are.
        holders: usize,
    },
    /// Two holders have one name.
    #[error("{0} is there twice")]
    SameName(HolderName),
    /// Two holders have one key.
    #[error("{0} has the same key as another holder")]
    SameKey(HolderName),
    /// A public key to which nothing can be sealed.
    #[error("the public key of {0} is none")]
    BadKey(HolderName),
    /// The bytes are no share file.
    #[error("this is no share file, or it was changed")]
    BadFile,
    /// The share does not open with the holder's key.
    #[error("the share of {0} does not open with the key of {1}: it is another's, or it was changed")]
    Refused(HolderName, HolderName),
    /// The share is of another set.
    #[error("the share of {holder} is of set {found}, generation {generation}, and set {expected} is asked for")]
    OtherSet {
        /// Whose share.
        holder: HolderName,
        /// Of which set it is.
        found: SetId,
        /// Of which generation it is.
        generation: Generation,
        /// The set of the slot.
        expected: SetId,
    },
    /// Too few shares.
    #[error("{given} of the {threshold} shares that it takes are there")]
    TooFew {
        /// How many are there.
        given: usize,
        /// How many it takes.
        threshold: u8,
    },
    /// One share twice.
    #[error("share {0} is there twice")]
    Twice(u8),
}

/// One holder's share as a file: sealed, so no secret, but worth nothing to anyone else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareFile {
    version: u32,
    set: SetId,
    generation: Generation,
    threshold: u8,
    share: u8,
    /// Whose share it is.
    pub holder: HolderName,
    sealed: Base64,
}

/// A share that its holder opened.
#[derive(Debug)]
pub struct OpenShare {
    set: SetId,
    generation: Generation,
    holder: HolderName,
    share: Share,
}

/// Splits a seed among holders.
///
/// # Errors
/// [`RecoveryError`] for a set that makes no sense.
pub(super) fn split(
    seed: &RootSeed,
    generation: Generation,
    threshold: u8,
    keys: &[RecoveryKey],
) -> Result<RecoverySet, RecoveryError> {
    check(threshold, keys)?;
    let set = SetId(crypto::random::bytes());
    let count = u8::try_from(keys.len()).map_err(|_| RecoveryError::Holders(keys.len()))?;
    let shares = shamir::split(seed.danger_expose(), threshold, count)
        .map_err(|_| RecoveryError::Threshold { threshold, holders: keys.len() })?;
    let holders = keys.iter().zip(&shares).map(|(RecoveryKey { holder, key }, share)| {
        let bound = associated(set, generation, threshold, share.x());
        let sealed = hpke::seal(key, PURPOSE, &bound, &*share.danger_to_bytes());
        let sealed = sealed.map_err(|_| RecoveryError::BadKey(holder.clone()))?;
        Ok(Holder { name: holder.clone(), key: Base64(key.as_bytes().to_vec()), share: Base64(sealed) })
    });
    Ok(RecoverySet { set, threshold, holders: holders.collect::<Result<_, RecoveryError>>()? })
}

fn check(threshold: u8, keys: &[RecoveryKey]) -> Result<(), RecoveryError> {
    if !(1..=MAX_HOLDERS).contains(&keys.len()) {
        return Err(RecoveryError::Holders(keys.len()));
    }
    if threshold == 0 || usize::from(threshold) > keys.len() {
        return Err(RecoveryError::Threshold { threshold, holders: keys.len() });
    }
    for (at, RecoveryKey { holder, key }) in keys.iter().enumerate() {
        match keys[..at].iter().find(|other| other.holder == *holder || other.key == *key) {
            Some(other) if other.holder == *holder => return Err(RecoveryError::SameName(holder.clone())),
            Some(_) => return Err(RecoveryError::SameKey(holder.clone())),
            None => {}
        }
    }
    Ok(())
}

fn associated(set: SetId, generation: Generation, threshold: u8, share: u8) -> [u8; 22] {
    let mut bytes = [0; 22];
    bytes[..16].copy_from_slice(&set.0);
    bytes[16..20].copy_from_slice(&generation.to_be_bytes());
    bytes[20..].copy_from_slice(&[threshold, share]);
    bytes
}

impl RecoverySet {
    /// Each holder's share as a file, in the holders' order.
    pub(super) fn share_files(&self, generation: Generation) -> Vec<ShareFile> {
        let number = |at| u8::try_from(at + 1).expect("32 holders at most");
        let file = |(at, holder): (usize, &Holder)| ShareFile {
            version: VERSION,
            set: self.set,
            generation,
            threshold: self.threshold,
            share: number(at),
            holder: holder.name.clone(),
            sealed: holder.share.clone(),
        };
        self.holders.iter().enumerate().map(file).collect()
    }

    /// The holders' public keys again, for another splitting.
    pub(super) fn keys(&self) -> Vec<RecoveryKey> {
        let key = |holder: &Holder| {
            let bytes = holder.key.0.as_slice().try_into().expect("a file's keys have 32 bytes");
            RecoveryKey { holder: holder.name.clone(), key: PublicKey::from_bytes(bytes) }
        };
        self.holders.iter().map(key).collect()
    }

    /// The seed that these shares give; a wrong one if one of them was made by somebody else.
    pub(super) fn combine(&self, generation: Generation, shares: &[OpenShare]) -> Result<RootSeed, RecoveryError> {
        let other = |share: &&OpenShare| share.set != self.set || share.generation != generation;
        if let Some(OpenShare { set, generation, holder, .. }) = shares.iter().find(other) {
            let (found, expected) = (*set, self.set);
            return Err(RecoveryError::OtherSet { holder: holder.clone(), found, generation: *generation, expected });
        }
        let numbers: Vec<u8> = shares.iter().map(|share| share.share.x()).collect();
        if let Some((_, twice)) = numbers.iter().enumerate().find(|(at, number)| numbers[..*at].contains(number)) {
            return Err(RecoveryError::Twice(*twice));
        }
        let too_few = RecoveryError::TooFew { given: shares.len(), threshold: self.threshold };
        if shares.len() < usize::from(self.threshold) {
            return Err(too_few);
        }
        let copies: Option<Vec<Share>> =
            shares.iter().map(|share| Share::from_bytes(&*share.share.danger_to_bytes())).collect();
        let secret = shamir::combine(&copies.unwrap_or_default()).map_err(|_| too_few)?;
        Ok(RootSeed::from_bytes(*secret))
    }
}

impl ShareFile {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        pretty(self)
    }

    /// Reads what [`ShareFile::to_bytes`] wrote, in exactly its bytes.
    ///
    /// # Errors
    /// [`RecoveryError::BadFile`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecoveryError> {
        if bytes.len() > MAX_SHARE_FILE_LEN {
            return Err(RecoveryError::BadFile);
        }
        let file: ShareFile = serde_json::from_slice(bytes).map_err(|_| RecoveryError::BadFile)?;
        let is_good = file.version == VERSION && file.sealed.0.len() == SHARE_LEN && file.to_bytes() == bytes;
        if is_good { Ok(file) } else { Err(RecoveryError::BadFile) }
    }

    /// Opens the share with its holder's key.
    ///
    /// # Errors
    /// [`RecoveryError::Refused`] for another key and for a share that was changed.
    pub fn open(&self, secret: &RecoverySecret) -> Result<OpenShare, RecoveryError> {
        let refused = || RecoveryError::Refused(self.holder.clone(), secret.holder.clone());
        let bound = associated(self.set, self.generation, self.threshold, self.share);
        let opened = hpke::open(&secret.key, PURPOSE, &bound, &self.sealed.0).map_err(|_| refused())?;
        let share = Share::from_bytes(&opened).filter(|share| share.x() == self.share).ok_or_else(refused)?;
        Ok(OpenShare { set: self.set, generation: self.generation, holder: self.holder.clone(), share })
    }
}
