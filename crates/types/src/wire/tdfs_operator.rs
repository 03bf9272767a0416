//! The requests of a tdfs's operator, on a Unix socket in its data directory: what records, keys and ciphertext have lost
//! of each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::user::UserId;

super::requests! {
    /// A request of the tdfs's operator.
    #[schema(as = TDFSOperatorRequest)]
    Request {
        /// Compares records, keys and ciphertext.
        Check(Check),
    }
}

/// Compares records, keys and ciphertext, and removes what belongs to nothing if that is wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whether keys and ciphertext without a record are removed, and records of files that were never uploaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repair: bool,
    /// Whether files that nobody can read any more are removed too: without their key, their ciphertext, or its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_unreadable: bool,
    /// From what age on a file should have its ciphertext, in hours; `tdfs.upload_hours` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_hours: Option<u64>,
    /// Whether the ciphertext has really moved to another place than it was at before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

/// The answer to a tdfs's operator.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TDFSOperatorResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// What was found.
    Check(CheckReport),
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// Records that were looked at.
    pub files: u64,
    /// Keys that were looked at.
    pub keys: u64,
    /// Ciphertexts, uploads and drafts that were looked at.
    pub ciphertexts: u64,
    /// Files without ciphertext that may still get it.
    pub waiting: u64,
    /// How often each flaw was found; those that were not are left out.
    pub flaws: Vec<FlawCount>,
    /// The first of each kind.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// What is still wrong. What is not the system's own is not.
    pub fn left(&self) -> u64 {
        self.flaws.iter().filter(|count| count.flaw != Flaw::Stray).map(|count| count.found - count.removed).sum()
    }
}

/// How often a flaw was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlawCount {
    /// Which.
    pub flaw: Flaw,
    /// How often.
    pub found: u64,
    /// How many of these were removed.
    pub removed: u64,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// A file was declared and nothing came.
    NeverUploaded,
    /// A file's ciphertext was there and is gone.
    LostCiphertext,
    /// A file's ciphertext has not the length of the file.
    WrongLength,
    /// The kms does not have a file's key.
    NoKey,
    /// A key of no file.
    OrphanKey,
    /// A ciphertext of no file.
    OrphanCiphertext,
    /// An upload or a draft of no file.
    OrphanUpload,
    /// Something among the ciphertext that is not the system's. It is never removed.
    Stray,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What is.
    pub flaw: Flaw,
    /// The file's id, the key's name, or a name among the ciphertext.
    pub name: String,
    /// Whose file it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// Bytes that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether it was removed.
    pub removed: bool,
}
