//! The kms's root seed, kept in slots like those of a LUKS header: any one of them gives it.
//!
//! ```text
//!              ┌ platform   under this machine's sealing key, or in its blob      ┐
//!  root.json ──┼ peer       another kms gives it over an attested channel         ┼──▶ seed of generation n ──┬─▶ the store's key
//!              └ recovery   k of n holders bring their shares                     ┘        │                  ├─▶ each role's key
//!                                                                                          │                  ├─▶ what wraps the CA's key
//!                                                    earlier generations, sealed ◀─────────┘                  └─▶ root.json's tag
//! ```
//!
//! `docs/root-key.md` has the file byte for byte, who holds what, and what a rotation does. Nothing here prevents
//! that somebody puts back an older file with an older store: that is for those who remember newer ones.

mod disk;
mod error;
mod file;
pub mod fuzz;
mod holder;
mod recovery;
mod seed;
mod seeds;
mod start;
mod unseal;

use std::path::Path;

use attest::attester::PlatformSealer;
use crypto::SealingKey;
use types::secret::SecretBytes;
use types::service::Role;
use types::time::UnixMillis;

use disk::Disk;
use file::Header;

pub use disk::FILE_NAME;
pub use error::{Attempt, Attempts, RootError, SlotError};
pub use file::{Content, Form, FormatError, Holder, RecoverySet, SetId, Slot};
pub use file::{MAX_BLOB_LEN, MAX_FILE_LEN, MAX_HOLDERS, MAX_PEER_LEN, MAX_SLOTS};
pub use holder::{BadKeyText, BadName, HolderName, MAX_KEY_TEXT_LEN, RecoveryKey, RecoverySecret};
pub use recovery::{MAX_SHARE_FILE_LEN, OpenShare, RecoveryError, ShareFile};
pub use seed::RootSeed;
pub use seeds::{BadSeeds, Generation, MAX_PREVIOUS, Seeds};
pub use start::at_start;
pub use unseal::{Kind, Means, Peer, PeerAnswer};

/// An unsealed root. While it lives, no other process can change the file.
#[derive(Debug)]
pub struct Root {
    disk: Disk,
    header: Header,
    seeds: Seeds,
    opened_by: (u32, Kind),
}

/// Whether a slot may go although this machine could then not open the root by itself.
#[derive(Clone, Copy)]
pub enum Lockout<'a> {
    /// It may not: this platform must open another slot.
    Refused(&'a PlatformSealer),
    /// It may: somebody means it.
    Accepted,
}

/// What a root file says to whoever can read it. Nothing of it is proven until the root is unsealed.
#[derive(Debug)]
pub struct Listing {
    /// The present generation.
    pub generation: Generation,
    /// When its seed was made.
    pub made_ms: UnixMillis,
    /// The generation whose key seals the kms's store.
    pub store_generation: Generation,
    /// Earlier generations, newest first.
    pub previous: Vec<Generation>,
    /// The slots.
    pub slots: Vec<Slot>,
}

/// Lists a data directory's slots, whether or not a kms runs on it.
///
/// # Errors
/// When there is no root file or it can't be read.
pub fn list(data_dir: &Path) -> Result<Listing, RootError> {
    let header = disk::read(&data_dir.join(FILE_NAME))?.header;
    Ok(Listing {
        generation: header.generation,
        made_ms: header.made_ms,
        store_generation: header.store_generation,
        previous: header.previous.iter().map(|kept| kept.generation).collect(),
        slots: header.slots,
    })
}

/// Each holder's share of the recovery set as a file; they are sealed, so this needs no secret.
///
/// # Errors
/// When there is no root file, it can't be read, or it has no recovery set.
pub fn share_files(data_dir: &Path) -> Result<Option<Vec<ShareFile>>, RootError> {
    let header = disk::read(&data_dir.join(FILE_NAME))?.header;
    Ok(header.recovery().map(|set| set.share_files(header.generation)))
}

impl Root {
    /// Makes a data directory's root out of these seeds, with one slot for this machine's platform.
    ///
    /// # Errors
    /// When there is one already, another process works on it, or it can't be sealed or written.
    pub fn create(data_dir: &Path, seeds: Seeds, sealer: &PlatformSealer, now: UnixMillis) -> Result<Self, RootError> {
        let slots = vec![platform_slot(0, sealer, &seeds, now)?];
        Self::create_with(data_dir, seeds, slots, now)
    }

    /// The same out of a peer's seeds, with a slot for the peer, and one for this machine's platform if it keeps secrets.
    ///
    /// # Errors
    /// As [`Root::create`], and when the peer's name can't be one.
    pub fn replicate(
        data_dir: &Path,
        seeds: Seeds,
        sealer: &PlatformSealer,
        peer: &str,
        now: UnixMillis,
    ) -> Result<Self, RootError> {
        if !file::is_peer_name(peer) {
            return Err(RootError::PeerName);
        }
        let platform = sealer.keeps().then(|| platform_slot(0, sealer, &seeds, now)).transpose()?;
        let peer = Slot { id: 1, created_ms: now, content: Content::Peer { name: peer.to_owned() } };
        Self::create_with(data_dir, seeds, platform.into_iter().chain([peer]).collect(), now)
    }

    fn create_with(data_dir: &Path, seeds: Seeds, slots: Vec<Slot>, now: UnixMillis) -> Result<Self, RootError> {
        let disk = Disk::lock(data_dir)?;
        if disk.path().exists() {
            return Err(RootError::Exists { path: disk.path().to_owned() });
        }
        let opened_by = slots.first().map_or((0, Kind::Platform), |slot| (slot.id, slot.content.kind()));
        let header = Header::new(&seeds, slots, now);
        disk.write(&file::encode(&header, &seeds.current))?;
        Ok(Root { disk, header, seeds, opened_by })
    }

    /// Unseals a data directory's root.
    ///
    /// # Errors
    /// [`RootError::Sealed`] lists every slot that was tried; others when there is no file or it can't be read.
    pub async fn open(data_dir: &Path, means: &Means<'_>) -> Result<Self, RootError> {
        let disk = Disk::lock(data_dir)?;
        let file = disk.read()?;
        let sealed = |attempts| RootError::Sealed { path: disk.path().to_owned(), attempts };
        let (seed, slot, kind) = unseal::unseal(&file, means).await.map_err(sealed)?;
        let malformed = || RootError::Malformed { path: disk.path().to_owned(), source: FormatError::Encoding };
        let seeds = unseal::open_seeds(&file.header, seed).ok_or_else(malformed)?;
        Ok(Root { header: file.header, seeds, opened_by: (slot, kind), disk })
    }

    /// The slot that gave the seed, and its kind.
    pub fn opened_by(&self) -> (u32, Kind) {
        self.opened_by
    }

    /// The seeds: for a replica that asks for them.
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// The slots.
    pub fn slots(&self) -> &[Slot] {
        &self.header.slots
    }

    /// See [`Seeds::store_key`].
    pub fn store_key(&self) -> SealingKey {
        self.seeds.store_key()
    }

    /// See [`Seeds::role_key`].
    pub fn role_key(&self, role: Role) -> SealingKey {
        self.seeds.role_key(role)
    }

    /// See [`Seeds::role_key_of`].
    pub fn role_key_of(&self, role: Role, generation: Generation) -> Option<SealingKey> {
        self.seeds.role_key_of(role, generation)
    }

    /// See [`Seeds::seal_authority_key`].
    pub fn seal_authority_key(&self, key: &[u8]) -> Vec<u8> {
        self.seeds.seal_authority_key(key)
    }

    /// See [`Seeds::open_authority_key`].
    ///
    /// # Errors
    /// For what another root made, and for changed bytes.
    pub fn open_authority_key(&self, sealed: &[u8]) -> Result<SecretBytes, crypto::Refused> {
        self.seeds.open_authority_key(sealed)
    }

    /// Replaces every platform slot by one of this platform: after recovery on a new machine, and when a new manifest
    /// means that what ran before shall not unseal any more.
    ///
    /// # Errors
    /// When it can't be sealed or written; the old file is then still there.
    pub fn rewrap(&mut self, sealer: &PlatformSealer, now: UnixMillis) -> Result<(), RootError> {
        let mut header = self.header.clone();
        header.slots.retain(|slot| slot.content.kind() != Kind::Platform);
        let content = unseal::seal_platform(sealer, &self.seeds.current, self.seeds.generation)?;
        self.save(header.with_slot(self.next_id(), content, now)?)
    }

    /// Adds a slot of a platform beside those that are there.
    ///
    /// # Errors
    /// When it can't be sealed or written, or there is no room.
    pub fn add_platform(&mut self, sealer: &PlatformSealer, now: UnixMillis) -> Result<(), RootError> {
        let content = unseal::seal_platform(sealer, &self.seeds.current, self.seeds.generation)?;
        self.save(self.header.clone().with_slot(self.next_id(), content, now)?)
    }

    /// Adds a peer to ask.
    ///
    /// # Errors
    /// When it can't be written, there is no room, it is there already, or the name can't be one.
    pub fn add_peer(&mut self, name: &str, now: UnixMillis) -> Result<(), RootError> {
        if !file::is_peer_name(name) {
            return Err(RootError::PeerName);
        }
        if self.header.slots.iter().any(|slot| matches!(&slot.content, Content::Peer { name: other } if other == name))
        {
            return Err(RootError::SamePeer { name: name.to_owned() });
        }
        let content = Content::Peer { name: name.to_owned() };
        self.save(self.header.clone().with_slot(self.next_id(), content, now)?)
    }

    /// Puts a new recovery set in the place of the old one. Old shares still give the old generation's seed: after a
    /// holder left, rotate too.
    ///
    /// # Errors
    /// When the set makes no sense, it can't be written, or there is no room.
    pub fn set_recovery(
        &mut self,
        threshold: u8,
        keys: &[RecoveryKey],
        now: UnixMillis,
    ) -> Result<&RecoverySet, RootError> {
        let set = recovery::split(&self.seeds.current, self.seeds.generation, threshold, keys)?;
        let mut header = self.header.clone();
        header.slots.retain(|slot| slot.content.kind() != Kind::Recovery);
        self.save(header.with_slot(self.next_id(), Content::Recovery(set), now)?)?;
        Ok(self.header.recovery().expect("just put there"))
    }

    /// Removes a slot. Whoever could open it may have kept the seed: to shut somebody out, rotate too.
    ///
    /// # Errors
    /// When there is none of this number, only peers would be left, this machine would be locked out and that was not
    /// agreed to, or it can't be written.
    pub fn remove(&mut self, id: u32, lockout: Lockout<'_>) -> Result<(), RootError> {
        let mut header = self.header.clone();
        let gone = header.slots.iter().position(|slot| slot.id == id).ok_or(RootError::NoSuchSlot(id))?;
        let gone = header.slots.remove(gone);
        if header.slots.iter().all(|slot| slot.content.kind() == Kind::Peer) {
            return Err(RootError::LastSlot(id));
        }
        match lockout {
            Lockout::Refused(sealer) if gone.content.kind() == Kind::Platform && !self.opens(sealer, &header.slots) => {
                Err(RootError::LocksOut(id))
            }
            Lockout::Refused(_) | Lockout::Accepted => self.save(header),
        }
    }

    /// Whether a platform, as it is now, opens one of these slots by itself.
    fn opens(&self, sealer: &PlatformSealer, slots: &[Slot]) -> bool {
        let same = |seed: RootSeed| seed.danger_expose() == self.seeds.current.danger_expose();
        slots.iter().any(|slot| unseal::open_here(&slot.content, self.seeds.generation, sealer).is_ok_and(same))
    }

    /// Starts a generation with a fresh seed: one platform slot, for this platform; the recovery set split again among
    /// the same holders; the same peers, which must be given the new seed. What was sealed before stays readable.
    ///
    /// # Errors
    /// When it can't be sealed or written, or too many generations are carried along.
    pub fn rotate(&mut self, sealer: &PlatformSealer, now: UnixMillis) -> Result<(), RootError> {
        let seeds = self.seeds.rotated().ok_or(RootError::TooManyGenerations)?;
        self.continue_with(seeds, sealer, now)
    }

    /// Takes over a newer generation that a peer began.
    ///
    /// # Errors
    /// [`RootError::OtherSeeds`] unless the seeds continue this root's; when it can't be sealed or written.
    pub fn follow(&mut self, mut seeds: Seeds, sealer: &PlatformSealer, now: UnixMillis) -> Result<(), RootError> {
        let own = self.seeds.generation;
        let same = |seed: &RootSeed| seed.danger_expose() == self.seeds.current.danger_expose();
        if seeds.generation <= own || !seeds.seed_of(own).is_some_and(same) {
            return Err(RootError::OtherSeeds);
        }
        // The store here is this replica's own.
        seeds.store_generation = self.seeds.store_generation;
        self.continue_with(seeds, sealer, now)
    }

    fn continue_with(&mut self, seeds: Seeds, sealer: &PlatformSealer, now: UnixMillis) -> Result<(), RootError> {
        let platform = sealer.keeps().then(|| platform_slot(self.next_id(), sealer, &seeds, now)).transpose()?;
        let mut slots: Vec<Slot> = platform.into_iter().collect();
        for slot in &self.header.slots {
            let content = match &slot.content {
                Content::Platform { .. } => continue,
                Content::Peer { .. } => slot.content.clone(),
                Content::Recovery(set) => {
                    Content::Recovery(recovery::split(&seeds.current, seeds.generation, set.threshold, &set.keys())?)
                }
            };
            slots.push(Slot { content, ..slot.clone() });
        }
        if slots.is_empty() {
            return Err(RootError::NoSealer(sealer.platform()));
        }
        slots.sort_by_key(|slot| slot.id);
        let header = Header::new(&seeds, slots, now);
        self.disk.write(&file::encode(&header, &seeds.current))?;
        (self.header, self.seeds) = (header, seeds);
        Ok(())
    }

    fn next_id(&self) -> u32 {
        self.header.slots.iter().map(|slot| slot.id.saturating_add(1)).max().unwrap_or(0)
    }

    fn save(&mut self, header: Header) -> Result<(), RootError> {
        self.disk.write(&file::encode(&header, &self.seeds.current))?;
        self.header = header;
        Ok(())
    }
}

fn platform_slot(id: u32, sealer: &PlatformSealer, seeds: &Seeds, now: UnixMillis) -> Result<Slot, RootError> {
    let content = unseal::seal_platform(sealer, &seeds.current, seeds.generation)?;
    Ok(Slot { id, created_ms: now, content })
}

impl Header {
    fn new(seeds: &Seeds, slots: Vec<Slot>, now: UnixMillis) -> Self {
        Header {
            generation: seeds.generation,
            made_ms: now,
            store_generation: seeds.store_generation,
            previous: unseal::seal_previous(seeds),
            slots,
        }
    }

    fn recovery(&self) -> Option<&RecoverySet> {
        self.slots.iter().find_map(|slot| match &slot.content {
            Content::Recovery(set) => Some(set),
            _ => None,
        })
    }

    fn with_slot(mut self, id: u32, content: Content, now: UnixMillis) -> Result<Self, RootError> {
        if self.slots.len() == MAX_SLOTS || self.slots.iter().any(|slot| slot.id >= id) {
            return Err(RootError::Full);
        }
        self.slots.push(Slot { id, created_ms: now, content });
        Ok(self)
    }
}
