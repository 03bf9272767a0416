//! Files: who may read them, and how large a name may be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::digest::Digest;
use crate::id::{FileId, TaskId};
use crate::user::UserId;

/// Longest file name, in bytes: what common file systems allow.
const MAX_NAME_BYTES: usize = 255;

/// A file's display name: up to 255 bytes of UTF-8 without control characters. It names nothing on any disk.
///
/// It may be empty: clients of the original system send no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FileName(String);

/// The text can't be a file's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a file name has at most 255 bytes, none of them a control character")]
pub struct BadFileName;

impl FileName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = BadFileName;

    fn from_str(text: &str) -> Result<Self, BadFileName> {
        match text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control) {
            true => Ok(FileName(text.to_owned())),
            false => Err(BadFileName),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for FileName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_NAME_BYTES)).into()
    }
}

impl ToSchema for FileName {}

/// Who may read a file besides its owner: `allow_policy` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowPolicy {
    /// 0: nobody.
    Owner,
    /// 1: the file's collaborators.
    Collaborators,
    /// 2: every user.
    Everyone,
}

impl AllowPolicy {
    const fn number(self) -> u32 {
        match self {
            AllowPolicy::Owner => 0,
            AllowPolicy::Collaborators => 1,
            AllowPolicy::Everyone => 2,
        }
    }
}

impl Serialize for AllowPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.number())
    }
}

impl<'de> Deserialize<'de> for AllowPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            0 => Ok(AllowPolicy::Owner),
            1 => Ok(AllowPolicy::Collaborators),
            2 => Ok(AllowPolicy::Everyone),
            other => Err(serde::de::Error::custom(format_args!("{other} is no policy: expected 0, 1 or 2"))),
        }
    }
}

impl PartialSchema for AllowPolicy {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(2))
            .description(Some("0: the owner; 1: also the collaborators; 2: every user"))
            .into()
    }
}

impl ToSchema for AllowPolicy {}

/// How a file's plaintext is sealed: `format` on the wire. `docs/file-format.md` has both byte for byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One AES-256-GCM message: what the reference's `key`, `nonce` and `ad` describe.
    #[default]
    Single,
    /// Chunks that are sealed one by one, so that a file of any size is read and written in little memory.
    Chunked,
}

impl Format {
    /// Whether nothing needs to be said of it, since it is the reference's.
    pub fn is_single(&self) -> bool {
        matches!(self, Format::Single)
    }
}

/// How large the parts are in which a ciphertext is uploaded, in bytes; the last one is shorter.
pub const PART_BYTES: u64 = 8 << 20;

/// How many parts one file may have: 16 TiB of them.
pub const MAX_PARTS: u32 = 1 << 21;

/// A file and the party who brought it to a task or receives it from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskFile {
    /// The file's owner.
    pub user_id: UserId,
    /// The file.
    pub file_id: FileId,
}

/// An input as a party consented to it: these bytes and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinnedFile {
    /// The party who brought it.
    pub user_id: UserId,
    /// The file.
    pub file_id: FileId,
    /// SHA-256 of the plaintext.
    pub sha256: Digest,
    /// Size of the plaintext, in bytes.
    pub file_size: u64,
    /// The task that wrote it, if it is a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_task: Option<TaskId>,
}

impl PinnedFile {
    /// The file without its pinned bytes, as the documented `input_files` lists it.
    pub fn task_file(&self) -> TaskFile {
        TaskFile { user_id: self.user_id.clone(), file_id: self.file_id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_three_numbers() {
        for (number, policy) in [(0, AllowPolicy::Owner), (1, AllowPolicy::Collaborators), (2, AllowPolicy::Everyone)] {
            assert_eq!(serde_json::from_value::<AllowPolicy>(number.into()).ok(), Some(policy));
            assert_eq!(serde_json::to_value(policy).expect("a number"), number);
        }
        for bad in ["3", "-1", "\"0\"", "null", "4294967296"] {
            assert!(serde_json::from_str::<AllowPolicy>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert!("список.csv".parse::<FileName>().is_ok());
        assert!("x".repeat(255).parse::<FileName>().is_ok());
        assert!("".parse::<FileName>().is_ok());
        for bad in ["a\nb", &"x".repeat(256)] {
            assert_eq!(bad.parse::<FileName>(), Err(BadFileName), "{bad:?}");
        }
    }
}
