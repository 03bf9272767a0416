//! A file's record.

use blobs::Layout;
use serde::{Deserialize, Serialize};
use types::digest::Digest;
use types::file::{AllowPolicy, FileName, Format};
use types::id::{KeyId, TaskId};
use types::time::UnixMillis;
use types::user::UserId;

/// A file's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileRow {
    /// Who owns it.
    pub owner: UserId,
    /// Its display name.
    pub name: FileName,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub size: u64,
    /// The task that wrote it.
    pub task_id: Option<TaskId>,
    /// Who else may read it when the policy allows collaborators.
    pub collaborators: Vec<UserId>,
    /// Who may read it.
    pub allow_policy: AllowPolicy,
    /// The key's name in the kms.
    pub key_id: KeyId,
    /// Its place in its owner's list.
    pub sequence: u64,
    /// When it was declared.
    pub created: UnixMillis,
    /// How the plaintext is sealed.
    #[serde(default)]
    pub format: Format,
    /// How the ciphertext is kept.
    #[serde(default)]
    pub layout: Layout,
    /// Whether size and digest are still to be declared; they are those of nothing until then.
    #[serde(default)]
    pub open: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Some file's record.
    pub(crate) fn row() -> FileRow {
        FileRow {
            owner: "owner".parse().expect("a name"),
            name: "f".parse().expect("short"),
            sha256: Digest::new([0; 32]),
            size: 0,
            task_id: None,
            collaborators: Vec::new(),
            allow_policy: AllowPolicy::Owner,
            key_id: "k".parse().expect("short"),
            sequence: 0,
            created: UnixMillis(0),
            format: Format::Single,
            layout: Layout::Whole,
            open: false,
        }
    }
}
