//! Why a root can't be had or changed, in words for whoever has to bring the kms up.

use std::fmt;
use std::io;
use std::path::PathBuf;

use attest::attester::AttestError;
use attest::platform::Platform;

use super::file::FormatError;
use super::recovery::RecoveryError;

/// An operation on a root failed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// There is no root file.
    #[error("there is no {path}")]
    None {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is one already.
    #[error("there is already a {path}")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The platform keeps no secret, and nobody else was named who does.
    #[error(
        "the {0} platform keeps no key for data at rest, so a kms can't begin there alone: name its peers as `kms.peers`, \
         or a TPM that is not the host's as `attestation.tpm_device`"
    )]
    NoSealer(Platform),
    /// Another process holds it.
    #[error("a kms runs on {data_dir}: stop it first")]
    Busy {
        /// Where.
        data_dir: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a root's.
    #[error("{path} can't be read as slots; put back a copy of it")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// No slot gives the seed.
    #[error("no slot of {path} can be unsealed: {attempts}")]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// Every slot that was tried, in order.
        attempts: Attempts,
    },
    /// A store is there, made under a root that is not.
    #[error("the kms's store is there, but {path} is not, and no new root would open the store: put back a copy of it")]
    Orphaned {
        /// Where it should be.
        path: PathBuf,
    },
    /// A store without a root, as earlier versions made them, that does not open with the platform's key.
    #[error(
        "the kms's store is there without a {path}, and the platform's own key does not open it: \
         put back a copy of that file, or of the key"
    )]
    Legacy {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: crate::OpenError,
    },
    /// The platform does not seal.
    #[error("the root can't be sealed")]
    Seal(#[from] AttestError),
    /// A platform's blob is too long.
    #[error("the platform sealed the root into {0} bytes, which no slot takes")]
    LongBlob(usize),
    /// The recovery set makes no sense.
    #[error("recovery set")]
    Recovery(#[from] RecoveryError),
    /// Nothing has this number.
    #[error("there is no slot {0}")]
    NoSuchSlot(u32),
    /// The slot may not go.
    #[error("slot {0} is the last that does not depend on another kms; removing it could lose everything")]
    LastSlot(u32),
    /// The slot may go only if somebody means it.
    #[error(
        "slot {0} is the last that this machine opens by itself: without it the next start takes a peer or the holders of \
         shares; `--leave-locked` removes it all the same"
    )]
    LocksOut(u32),
    /// No room for another slot.
    #[error("there is no room for another slot")]
    Full,
    /// No room for another generation.
    #[error("no more generations can be carried along")]
    TooManyGenerations,
    /// The text can't be a peer's name.
    #[error("a peer's name is 1 to 255 visible ASCII characters")]
    PeerName,
    /// The peer has a slot.
    #[error("the peer {name} has a slot already")]
    SamePeer {
        /// Which.
        name: String,
    },
    /// The seeds are of an earlier generation, or of another root.
    #[error("these seeds do not continue this root")]
    OtherSeeds,
}

/// Every slot that was tried, in the order in which it was.
#[derive(Debug, Default)]
pub struct Attempts(pub Vec<Attempt>);

/// One slot and why it did not give the seed.
#[derive(Debug)]
pub struct Attempt {
    /// Its number.
    pub slot: u32,
    /// What it is, for a person: `platform tpm`, `peer kms-2`, `recovery, 2 of 3`.
    pub what: String,
    /// Why it failed.
    pub why: SlotError,
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Attempt { slot, what, why }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}slot {slot} ({what}): {why}")?;
            let mut cause = std::error::Error::source(why);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

/// Why one slot does not give the seed.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// The caller brought no sealer.
    #[error("this machine's platform was not asked")]
    NotAsked,
    /// Another kind of platform made it.
    #[error("this machine's platform is {0}")]
    OtherPlatform(Platform),
    /// This platform keeps secrets in the other way.
    #[error("this platform does not seal in that form")]
    OtherForm,
    /// The platform refuses.
    #[error(transparent)]
    Platform(AttestError),
    /// The platform's key is another one.
    #[error("the platform's key does not open it: another machine or other code made it, or it was changed")]
    Refused,
    /// The seed is not the one that made the file.
    #[error("the seed in it is not the one that this file was made with: the file or the slot was changed")]
    OtherSeed,
    /// No peer of that name is configured.
    #[error("no peer of this name is configured")]
    NoPeer,
    /// The peer gives nothing.
    #[error("the peer did not give the seed")]
    Peer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The peer never had that generation.
    #[error("the peer has no seed of generation {0}")]
    PeerGeneration(u32),
    /// Nobody brought shares.
    #[error("it takes the recovery keys of {threshold} of its {holders} holders: `teehouse kms recovery combine`")]
    NoShares {
        /// How many it takes.
        threshold: u8,
        /// How many there are.
        holders: usize,
    },
    /// The shares that were brought don't do.
    #[error(transparent)]
    Shares(RecoveryError),
}
