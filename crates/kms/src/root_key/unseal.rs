//! From slots to the seed: platform, then peers, then recovery, until one gives the seed that made the file.

use std::future::Future;
use std::pin::Pin;

use attest::attester::{AttestError, PlatformSealer};
use crypto::{Label, RecordKey, SealingKey};
use types::bytes::Base64;
use types::service::Role;

use super::error::{Attempt, Attempts, RootError, SlotError};
use super::file::{Content, Form, Header, MAX_BLOB_LEN, Slot, Unproven};
use super::recovery::OpenShare;
use super::seed::RootSeed;
use super::seeds::{Generation, Kept, Previous, Seeds};

/// What a peer answers with, in time.
pub type PeerAnswer<'a> =
    Pin<Box<dyn Future<Output = Result<Seeds, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

/// Another kms of the deployment, reached over a channel in which both sides are attested.
pub trait Peer: Send + Sync {
    /// Its name, as slots have it.
    fn name(&self) -> &str;

    /// Its seeds. Fails when it can't be reached, is not to be trusted, or does not trust us.
    fn seeds(&self) -> PeerAnswer<'_>;
}

/// What there is to unseal with.
#[derive(Default)]
pub struct Means<'a> {
    /// This machine's platform.
    pub sealer: Option<&'a PlatformSealer>,
    /// The other replicas.
    pub peers: &'a [Box<dyn Peer>],
    /// Shares that their holders opened.
    pub shares: &'a [OpenShare],
}

/// A kind of slot; they are tried in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// See [`Content::Platform`]. First, since it needs nobody.
    Platform,
    /// See [`Content::Peer`].
    Peer,
    /// See [`Content::Recovery`]. Last, since it needs people.
    Recovery,
}

impl Content {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Content::Platform { .. } => Kind::Platform,
            Content::Peer { .. } => Kind::Peer,
            Content::Recovery(_) => Kind::Recovery,
        }
    }

    /// What it is, for a person.
    pub fn describe(&self) -> String {
        match self {
            Content::Platform { platform, .. } => format!("platform {platform}"),
            Content::Peer { name } => format!("peer {name}"),
            Content::Recovery(set) => format!("recovery, {} of {}", set.threshold, set.holders.len()),
        }
    }
}

/// Tries the slots in order; gives the seed, and which slot had it.
pub(super) async fn unseal(file: &Unproven, means: &Means<'_>) -> Result<(RootSeed, u32, Kind), Attempts> {
    let mut slots: Vec<&Slot> = file.header.slots.iter().collect();
    slots.sort_by_key(|slot| slot.content.kind());
    let mut attempts = Attempts::default();
    for Slot { id, content, .. } in slots {
        let seed = attempt(content, file.header.generation, means).await;
        match seed.and_then(|seed| if file.is_of(&seed) { Ok(seed) } else { Err(SlotError::OtherSeed) }) {
            Ok(seed) => return Ok((seed, *id, content.kind())),
            Err(why) => attempts.0.push(Attempt { slot: *id, what: content.describe(), why }),
        }
    }
    Err(attempts)
}

async fn attempt(content: &Content, generation: Generation, means: &Means<'_>) -> Result<RootSeed, SlotError> {
    match content {
        Content::Platform { .. } => open_here(content, generation, means.sealer.ok_or(SlotError::NotAsked)?),
        Content::Peer { name } => {
            let peer = means.peers.iter().find(|peer| peer.name() == name).ok_or(SlotError::NoPeer)?;
            let seeds = peer.seeds().await.map_err(SlotError::Peer)?;
            let seed = seeds.seed_of(generation).ok_or(SlotError::PeerGeneration(generation))?;
            Ok(seed.duplicate())
        }
        Content::Recovery(set) if means.shares.is_empty() => {
            Err(SlotError::NoShares { threshold: set.threshold, holders: set.holders.len() })
        }
        Content::Recovery(set) => set.combine(generation, means.shares).map_err(SlotError::Shares),
    }
}

/// Opens a slot with a platform alone.
pub(super) fn open_here(
    content: &Content,
    generation: Generation,
    sealer: &PlatformSealer,
) -> Result<RootSeed, SlotError> {
    match content {
        Content::Platform { platform, .. } if sealer.platform() != *platform => {
            Err(SlotError::OtherPlatform(sealer.platform()))
        }
        Content::Platform { form, sealed, .. } => open_platform(sealer, *form, &sealed.0, generation),
        Content::Peer { .. } | Content::Recovery(_) => Err(SlotError::OtherForm),
    }
}

fn open_platform(
    sealer: &PlatformSealer,
    form: Form,
    sealed: &[u8],
    generation: Generation,
) -> Result<RootSeed, SlotError> {
    match (sealer, form) {
        (PlatformSealer::Key(sealer), Form::Key) => {
            let key = sealer.sealing_key(Role::Kms).map_err(SlotError::Platform)?;
            let seed = crypto::seal::open(&wrapping_key(&key), &slot_data(generation), sealed);
            RootSeed::from_slice(&seed.map_err(|_| SlotError::Refused)?).ok_or(SlotError::Refused)
        }
        (PlatformSealer::Blob(sealer), Form::Blob) => {
            sealer.unseal_key(sealed).map(RootSeed::new).map_err(SlotError::Platform)
        }
        _ => Err(SlotError::OtherForm),
    }
}

/// Seals a seed with a platform.
pub(super) fn seal_platform(
    sealer: &PlatformSealer,
    seed: &RootSeed,
    generation: Generation,
) -> Result<Content, RootError> {
    let (form, sealed) = match sealer {
        PlatformSealer::Key(sealer) => {
            let key = sealer.sealing_key(Role::Kms)?;
            (Form::Key, crypto::seal::seal(&wrapping_key(&key), &slot_data(generation), seed.danger_expose()))
        }
        PlatformSealer::Blob(sealer) => (Form::Blob, sealer.seal_key(seed.as_key())?),
        PlatformSealer::Nothing(platform) => return Err(RootError::NoSealer(*platform)),
    };
    match sealed.len() {
        1..=MAX_BLOB_LEN => Ok(Content::Platform { platform: sealer.platform(), form, sealed: Base64(sealed) }),
        length => Err(RootError::LongBlob(length)),
    }
}

fn wrapping_key(platform: &SealingKey) -> RecordKey {
    platform.derive(Label::RootSlot, b"")
}

fn slot_data(generation: Generation) -> Vec<u8> {
    [b"teehouse root seed", &generation.to_be_bytes()[..]].concat()
}

/// The earlier generations, once the present seed is there; `None` when one was changed, which the file's tag excludes.
pub(super) fn open_seeds(header: &Header, current: RootSeed) -> Option<Seeds> {
    let key = current.previous_key();
    let open = |kept: &super::file::SealedPrevious| {
        let kind = kept.kind.code();
        let secret = crypto::seal::open(&key, &previous_data(kept.generation, kind), &kept.sealed.0).ok()?;
        let secret = Kept::new(kind, secret.as_slice().try_into().ok()?)?;
        Some(Previous { generation: kept.generation, secret })
    };
    let previous = header.previous.iter().map(open).collect::<Option<Vec<_>>>()?;
    let (generation, store_generation) = (header.generation, header.store_generation);
    Some(Seeds { generation, current, previous, store_generation })
}

/// The earlier generations, sealed under the present seed.
pub(super) fn seal_previous(seeds: &Seeds) -> Vec<super::file::SealedPrevious> {
    use super::file::{PreviousKind, SealedPrevious};
    let key = seeds.current.previous_key();
    let seal = |Previous { generation, secret }: &Previous| {
        let kind = match secret {
            Kept::Seed(_) => PreviousKind::Seed,
            Kept::StoreKey(_) => PreviousKind::StoreKey,
        };
        let sealed = crypto::seal::seal(&key, &previous_data(*generation, kind.code()), secret.expose());
        SealedPrevious { generation: *generation, kind, sealed: Base64(sealed) }
    };
    seeds.previous.iter().map(seal).collect()
}

fn previous_data(generation: Generation, kind: u8) -> Vec<u8> {
    [b"teehouse root previous", &generation.to_be_bytes()[..], &[kind]].concat()
}

impl From<AttestError> for SlotError {
    fn from(error: AttestError) -> Self {
        SlotError::Platform(error)
    }
}
