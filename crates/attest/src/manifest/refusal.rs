//! Why a manifest was refused.

use types::digest::Digest;
use types::time::UnixMillis;

use crate::date;
use crate::identity::Deployment;
use crate::manifest::auditors::BadAuditors;
use crate::manifest::envelope::{MAX_BYTES, MAX_SIGNATURES, PAYLOAD_TYPE};
use crate::manifest::sshsig::BadSshSignature;

/// Why a manifest was refused; none of the reasons is a fault of the verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestRefusal {
    /// Not in the form of a manifest.
    #[error("the manifest is malformed")]
    Malformed(#[from] Malformed),
    /// Something else that somebody signed.
    #[error("the payload's type is `{0}`, not `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// No signature at all.
    #[error("nobody has signed the manifest")]
    Unsigned,
    /// Trusted auditors signed, but not enough of them.
    #[error("{found} of the trusted auditors signed the manifest, {needed} must")]
    TooFewSignatures {
        /// How many did.
        found: u32,
        /// The threshold.
        needed: u32,
    },
    /// Two signatures of one key.
    #[error("auditor `{0}` signed the manifest twice; a signature counts once, and so it must be there once")]
    SignedTwice(String),
    /// A signature by somebody whom neither we nor the manifest name.
    #[error(
        "the manifest is signed by {key}, which is no trusted auditor's; {found} of the trusted ones signed, {needed} must"
    )]
    UnknownKey {
        /// What the signature says of the key.
        key: String,
        /// How many trusted auditors signed.
        found: u32,
        /// The threshold.
        needed: u32,
    },
    /// The payload was changed after it was signed, or the signature was.
    #[error("auditor `{0}`'s signature does not verify: the manifest was changed after it was signed")]
    BadSignature(String),
    /// The manifest names other auditors or another threshold, and those trusted until now did not agree.
    #[error(
        "the manifest changes the auditors or their threshold, and {found} of those trusted until now signed that, \
         {needed} must"
    )]
    ChangeWithoutOld {
        /// How many of the old ones signed.
        found: u32,
        /// The old threshold.
        needed: u32,
    },
    /// The manifest names other auditors or another threshold, and those that it names did not agree.
    #[error(
        "the manifest changes the auditors or their threshold, and {found} of the new ones signed it, {needed} must"
    )]
    ChangeWithoutNew {
        /// How many of the new ones signed.
        found: u32,
        /// The new threshold.
        needed: u32,
    },
    /// About other services than ours.
    #[error("the manifest is for deployment `{found}`, not `{expected}`")]
    OtherDeployment {
        /// Whose it is.
        found: Deployment,
        /// Whose the last one was.
        expected: Deployment,
    },
    /// An old manifest, which may accept what was withdrawn since.
    #[error("the manifest is version {found}, but version {last_seen} was seen before")]
    OldVersion {
        /// Its version.
        found: u64,
        /// The newest one that was seen.
        last_seen: u64,
    },
    /// Two manifests under one number.
    #[error("the manifest is another version {version} than the one that was seen before: {found}, not {seen}")]
    VersionTwice {
        /// The number.
        version: u64,
        /// This one's digest.
        found: Digest,
        /// The digest of the other.
        seen: Digest,
    },
    /// The next version, but of another line of manifests.
    #[error("the manifest follows {found}, but the version before it that was seen is {seen}")]
    OtherPrevious {
        /// What it says was before it.
        found: Digest,
        /// What was.
        seen: Digest,
    },
    /// Too old.
    #[error("the manifest expired at {}", date::format(*.0))]
    Expired(UnixMillis),
    /// From the future, or our clock is wrong.
    #[error("the manifest is valid only from {}", date::format(*.0))]
    NotYetValid(UnixMillis),
}

/// What is wrong with the form of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The file is longer than allowed.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More signatures than auditors can make.
    #[error("more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// Not JSON, or a field is missing, unknown, doubled, of another type, or has a value that it can't have.
    #[error("{part}: {reason}")]
    Json {
        /// `envelope` or `payload`.
        part: &'static str,
        /// The reader's words.
        reason: String,
    },
    /// Not base64.
    #[error("the {0} is not base64")]
    Base64(&'static str),
    /// A signature that is neither bare Ed25519 nor OpenSSH's.
    #[error("a signature is neither Ed25519 (64 bytes) nor OpenSSH's")]
    Signature(#[from] BadSshSignature),
    /// Another version of this format.
    #[error("schema version {0}: this build reads version 1")]
    Schema(u32),
    /// Its auditors make no sense: a threshold of 0, for one.
    #[error("its auditors are refused")]
    Auditors(#[from] BadAuditors),
    /// A value contradicts another one.
    #[error("{0}")]
    Contradiction(&'static str),
    /// Something that can be written in several ways is not written in the one that counts.
    #[error("the payload is not in canonical form (RFC 8785, with sorted lists)")]
    NotCanonical,
}

impl Malformed {
    pub(super) fn json(part: &'static str, error: &serde_json::Error) -> Self {
        Malformed::Json { part, reason: plain(&error.to_string()) }
    }
}

/// A stranger's text as it may be shown to a person: short, and without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    /// Longer than what our own reader says of any field, shorter than a screen.
    const MAX_CHARS: usize = 200;
    let shown = |letter: char| match letter {
        '\'' | '"' => letter.to_string(),
        letter => letter.escape_debug().to_string(),
    };
    text.chars().take(MAX_CHARS).map(shown).collect()
}
