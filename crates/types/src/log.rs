//! What the log records. Plain data; crate `consent` gives entries their canonical bytes and their place in the tree.
//!
//! Ids, digests, names, times and public keys only: never a payload, a token or a secret key. Whoever an entry concerns
//! can read it. A new kind of event is a new variant of [`Event`]; those that there are never change, because their
//! bytes are hashed into the tree.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::bytes::Base64;
use crate::consent::ApprovedBy;
use crate::digest::Digest;
use crate::error::ErrorCode;
use crate::id::{FileId, LeaseId, TaskId};
use crate::time::UnixMillis;
use crate::trust::TrustLevel;
use crate::user::UserId;

/// One entry. Its canonical form is a leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<E = Event> {
    /// The version of this format: 1.
    pub schema: u32,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: UnixMillis,
    /// Random, so that nobody can tell from a leaf's hash what is in it.
    pub salt: Salt,
    /// Whom it concerns, by name: those who may read it.
    pub concerns: Vec<Concern>,
    /// What happened.
    pub event: E,
}

/// A user whom an entry concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concern {
    /// The user.
    pub user_id: UserId,
    /// The link of the entry before this one that concerns the user; absent in the first. So a list of somebody's
    /// entries from which one is missing shows that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LogEvent)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Event {
    /// A task was created.
    Created {
        /// The task.
        task_id: TaskId,
        /// Its manifest; absent, here and below, for tasks that were created before there were manifests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// Who created it.
        user_id: UserId,
        /// Whether the creator approved it by that.
        approved: bool,
        /// The name of the function that it runs.
        function_name: String,
    },
    /// A party brought files or changed what else is agreed on: the task has another manifest.
    Changed {
        /// The task.
        task_id: TaskId,
        /// The manifest that there is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
    },
    /// A party approved a task.
    Approved {
        /// The task.
        task_id: TaskId,
        /// The manifest that was approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// The party.
        user_id: UserId,
        /// How the party showed who it is.
        by: ApprovedBy,
        /// Whether the party named the manifest.
        exact: bool,
    },
    /// An approval is none any more, because the manifest changed.
    ApprovalDropped {
        /// The task.
        task_id: TaskId,
        /// The manifest that there is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// Whose approval it was.
        user_id: UserId,
    },
    /// Everyone whose approval a task needs has approved it.
    Ready {
        /// The task.
        task_id: TaskId,
        /// The manifest that stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
    },
    /// A function node got leave to run a task, and with it the keys of the task's files.
    Released {
        /// The task.
        task_id: TaskId,
        /// The manifest that it runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// The lease, where the node named it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease_id: Option<LeaseId>,
        /// The node, where it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        node: Option<SocketAddr>,
        /// How far the node's platform is to be trusted.
        trust: TrustLevel,
        /// The files.
        files: Vec<FileId>,
    },
    /// A task ran to its end.
    Finished {
        /// The task.
        task_id: TaskId,
        /// The manifest that it ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// What it gave, private outputs first.
        outputs: Vec<FileId>,
        /// SHA-256 of the payload of the node's statement of the run, where it made one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_sha256: Option<Digest>,
    },
    /// A task ended without results.
    Failed {
        /// The task.
        task_id: TaskId,
        /// Its manifest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// Why.
        code: ErrorCode,
        /// SHA-256 of the payload of the node's statement of the run, where it made one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_sha256: Option<Digest>,
    },
    /// A party took its consent back.
    Withdrawn {
        /// The task.
        task_id: TaskId,
        /// Its manifest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// The party.
        user_id: UserId,
    },
    /// A task's creator cancelled it.
    Cancelled {
        /// The task.
        task_id: TaskId,
        /// Its manifest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Digest>,
        /// The creator.
        user_id: UserId,
    },
    /// An owner set what may be done with a file.
    FilePolicy {
        /// The file.
        file_id: FileId,
        /// Its owner.
        user_id: UserId,
        /// SHA-256 of the policy's canonical form; absent when it was taken away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    },
    /// A file's key and ciphertext are gone.
    FileErased {
        /// The file.
        file_id: FileId,
        /// Its owner.
        user_id: UserId,
    },
    /// A user registered the key by which they sign.
    UserKey {
        /// The user.
        user_id: UserId,
        /// The Ed25519 public key, 32 bytes; absent when it was taken away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Base64>,
        /// Whether a token alone approves nothing in the user's name.
        required: bool,
    },
    /// An operator changed a user.
    User {
        /// The user.
        user_id: UserId,
        /// How.
        change: UserChange,
    },
}

/// How an operator changed a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserChange {
    /// The user was added.
    Added,
    /// The user's token was replaced.
    Rotated,
    /// The user may do nothing any more.
    Disabled,
}

impl Event {
    /// The task that it is about, if it is about one.
    pub fn task_id(&self) -> Option<&TaskId> {
        match self {
            Event::Created { task_id, .. }
            | Event::Changed { task_id, .. }
            | Event::Approved { task_id, .. }
            | Event::ApprovalDropped { task_id, .. }
            | Event::Ready { task_id, .. }
            | Event::Released { task_id, .. }
            | Event::Finished { task_id, .. }
            | Event::Failed { task_id, .. }
            | Event::Withdrawn { task_id, .. }
            | Event::Cancelled { task_id, .. } => Some(task_id),
            Event::FilePolicy { .. } | Event::FileErased { .. } | Event::UserKey { .. } | Event::User { .. } => None,
        }
    }
}

/// 16 random bytes, as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 lower-case hexadecimal digits")]
pub struct BadSalt;

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::hex::write(&self.0, &mut [0; 32]))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Salt {
    type Err = BadSalt;

    fn from_str(text: &str) -> Result<Self, BadSalt> {
        let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == 32 && text.as_bytes().iter().all(digit) {
            true => u128::from_str_radix(text, 16).map(|number| Salt(number.to_be_bytes())).map_err(|_| BadSalt),
            false => Err(BadSalt),
        }
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(crate::hex::write(&self.0, &mut [0; 32]))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_has_one_spelling() {
        let salt = Salt(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff");
        assert_eq!(salt.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(salt.to_string().parse(), Ok(salt));
        for bad in ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"+".repeat(32)] {
            assert_eq!(bad.parse::<Salt>(), Err(BadSalt), "{bad}");
        }
    }
}
