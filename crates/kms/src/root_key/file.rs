//! `root.json`: slots in one strict encoding, authenticated under the seed that they hold.
//!
//! The file is the pretty JSON of [`Document`] and a newline, and nothing else: what does not encode to the very same
//! bytes is refused. Its tag covers the compact JSON of `root`, so that whoever unseals the seed notices any change:
//! a recovery set with another's key, a slot of an older file, a generation put back.

use std::collections::BTreeSet;

use attest::platform::Platform;
use crypto::hash::{hex, parse_hex};
use serde::{Deserialize, Serialize};
use types::bytes::Base64;
use types::time::UnixMillis;

use super::holder::HolderName;
use super::seed::RootSeed;
use super::seeds::{Generation, SEED, STORE_KEY, is_chain};

/// Longest file, in bytes: all slots full of the longest blobs.
pub const MAX_FILE_LEN: usize = 256 * 1024;
/// Slots at most: machines of one deployment that share a file, with room.
pub const MAX_SLOTS: usize = 16;
/// Holders of a recovery set at most.
pub const MAX_HOLDERS: usize = 32;
/// Longest blob of a platform, in bytes: a TPM's two areas of a sealed object take some 400.
pub const MAX_BLOB_LEN: usize = 4096;
/// Longest name of a peer, in bytes: a host name (RFC 1035, section 2.3.4).
pub const MAX_PEER_LEN: usize = 255;

const VERSION: u32 = 1;
/// A sealed 32-byte secret.
const SEALED_LEN: usize = crypto::seal::OVERHEAD_LEN + 32;
/// A share for one holder.
pub(super) const SHARE_LEN: usize = crypto::hpke::OVERHEAD_LEN + crypto::shamir::SHARE_LEN;
const MAC_PURPOSE: &[u8] = b"teehouse root.json";

/// The bytes are no `root.json` of this program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Longer than [`MAX_FILE_LEN`].
    #[error("it is longer than {MAX_FILE_LEN} bytes")]
    TooLong,
    /// Not JSON of the right shape; without the decoder's words, which may quote content.
    #[error("it is no JSON of the right shape, at line {line}")]
    Shape {
        /// Where, counted from 1.
        line: usize,
    },
    /// Made by a newer program.
    #[error("it has version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// It says the right thing in other bytes.
    #[error("it is not written as this program writes it: it was changed")]
    Encoding,
    /// A part is out of its range.
    #[error("its {0} is out of range")]
    Range(&'static str),
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    root: Header,
    mac: Base64,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Of which generation the seed is that the slots hold.
    pub(super) generation: Generation,
    /// When that seed was made.
    pub(super) made_ms: UnixMillis,
    /// The generation whose key seals the kms's store.
    pub(super) store_generation: Generation,
    /// Earlier generations, newest first.
    pub(super) previous: Vec<SealedPrevious>,
    /// In ascending order of their ids.
    pub(super) slots: Vec<Slot>,
}

/// An earlier generation, sealed under the present seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedPrevious {
    pub(super) generation: Generation,
    pub(super) kind: PreviousKind,
    pub(super) sealed: Base64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PreviousKind {
    Seed,
    StoreKey,
}

impl PreviousKind {
    pub(super) fn code(self) -> u8 {
        match self {
            PreviousKind::Seed => SEED,
            PreviousKind::StoreKey => STORE_KEY,
        }
    }
}

/// One way to the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its number, which stays its own.
    pub id: u32,
    /// When it was made.
    pub created_ms: UnixMillis,
    /// What it holds.
    pub content: Content,
}

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Content {
    /// The seed, sealed by a platform.
    Platform {
        /// Which.
        #[serde(with = "platform_name")]
        platform: Platform,
        /// How.
        form: Form,
        /// The sealed seed.
        sealed: Base64,
    },
    /// Another kms, which gives the seed over an attested channel.
    Peer {
        /// Its name in the configuration.
        name: String,
    },
    /// Shares for holders of recovery keys.
    Recovery(RecoverySet),
}

/// How a platform sealed a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Under a key that it keeps.
    Key,
    /// Into a blob of its own format.
    Blob,
}

/// A seed in shares, any `threshold` of which give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverySet {
    /// Tells sets apart.
    pub set: SetId,
    /// How many holders it takes.
    pub threshold: u8,
    /// The holders; the share of the first is share 1.
    pub holders: Vec<Holder>,
}

/// One holder's part of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Who.
    pub name: HolderName,
    /// The public recovery key, X25519.
    pub key: Base64,
    /// The share, sealed to that key.
    pub share: Base64,
}

/// 16 random bytes that tell recovery sets apart, in lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SetId(pub [u8; 16]);

impl TryFrom<String> for SetId {
    type Error = crypto::hash::BadHex;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_hex(&text).map(SetId)
    }
}

impl From<SetId> for String {
    fn from(set: SetId) -> String {
        hex(&set.0)
    }
}

impl std::fmt::Display for SetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A file that was read; whether its tag holds is known once a seed is there.
#[derive(Debug)]
pub(super) struct Unproven {
    pub(super) header: Header,
    mac: Vec<u8>,
}

impl Unproven {
    /// Whether this seed made the file.
    pub(super) fn is_of(&self, seed: &RootSeed) -> bool {
        let parts = [MAC_PURPOSE, &VERSION.to_be_bytes(), &compact(&self.header)];
        crypto::mac::verify(&seed.file_key(), &parts, &self.mac).is_ok()
    }
}

/// The file's bytes, for the seed that its slots hold.
pub(super) fn encode(header: &Header, seed: &RootSeed) -> Vec<u8> {
    let parts = [MAC_PURPOSE, &VERSION.to_be_bytes(), &compact(header)];
    let mac = crypto::mac::mac(&seed.file_key(), &parts);
    pretty(&Document { version: VERSION, root: header.clone(), mac: Base64(mac.to_vec()) })
}

/// Reads a file strictly: every limit, every length, one encoding.
pub(super) fn parse(bytes: &[u8]) -> Result<Unproven, FormatError> {
    if bytes.len() > MAX_FILE_LEN {
        return Err(FormatError::TooLong);
    }
    let shape = |error: serde_json::Error| FormatError::Shape { line: error.line() };
    let AnyVersion { version } = serde_json::from_slice(bytes).map_err(shape)?;
    if version != VERSION {
        return Err(FormatError::Version(version));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(shape)?;
    if pretty(&document) != bytes {
        return Err(FormatError::Encoding);
    }
    check(&document.root)?;
    Ok(Unproven { header: document.root, mac: document.mac.0 })
}

fn check(header: &Header) -> Result<(), FormatError> {
    let within = |is_good: bool, what| if is_good { Ok(()) } else { Err(FormatError::Range(what)) };
    let previous = header.previous.iter().map(|kept| (kept.generation, kept.kind.code()));
    within(is_chain(header.generation, header.store_generation, previous), "chain of generations")?;
    within(header.previous.iter().all(|kept| kept.sealed.0.len() == SEALED_LEN), "sealed earlier generation")?;
    within((1..=MAX_SLOTS).contains(&header.slots.len()), "number of slots")?;
    within(header.slots.is_sorted_by(|one, next| one.id < next.id), "order of slots")?;
    let recoveries = header.slots.iter().filter(|slot| matches!(slot.content, Content::Recovery(_)));
    within(recoveries.count() <= 1, "number of recovery sets")?;
    header.slots.iter().try_for_each(|slot| within(is_within(&slot.content), "slot"))
}

fn is_within(content: &Content) -> bool {
    match content {
        Content::Platform { form: Form::Key, sealed, .. } => sealed.0.len() == SEALED_LEN,
        Content::Platform { form: Form::Blob, sealed, .. } => (1..=MAX_BLOB_LEN).contains(&sealed.0.len()),
        Content::Peer { name } => is_peer_name(name),
        Content::Recovery(set) => {
            let names: BTreeSet<_> = set.holders.iter().map(|holder| &holder.name).collect();
            let keys: BTreeSet<_> = set.holders.iter().map(|holder| &holder.key.0).collect();
            let count = set.holders.len();
            (1..=MAX_HOLDERS).contains(&count)
                && (1..=count).contains(&usize::from(set.threshold))
                && (names.len(), keys.len()) == (count, count)
                && set.holders.iter().all(|holder| holder.key.0.len() == 32 && holder.share.0.len() == SHARE_LEN)
        }
    }
}

pub(super) fn is_peer_name(name: &str) -> bool {
    (1..=MAX_PEER_LEN).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn compact(header: &Header) -> Vec<u8> {
    serde_json::to_vec(header).expect("numbers and text are JSON")
}

/// Pretty JSON and a newline.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("numbers and text are JSON");
    bytes.push(b'\n');
    bytes
}

mod platform_name {
    //! A platform as its name.

    use attest::platform::Platform;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(platform: &Platform, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(platform.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Platform, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
