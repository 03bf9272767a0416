//! Identifiers of tasks, files, keys and requests.
//!
//! The system makes random UUIDs (version 4, lower case). To a request an identifier is an opaque text of 1 to 64
//! characters: one that names nothing is "not found", whatever it looks like.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use uuid::Uuid;

/// Longest identifier, in characters.
const MAX_CHARS: usize = 64;

/// The text can't be an identifier.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters, none of them a control character")]
pub struct BadId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier that these random bytes make: a version 4 UUID.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                $name(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                check(text).map(|()| $name(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_CHARS)).into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// Names a task.
    TaskId;
    /// Names a file.
    FileId;
    /// Names a data key in the kms.
    KeyId;
    /// Names one function node's lease of one task.
    LeaseId;
    /// Names one event that a service tells the tms's log.
    RecordId;
    /// Names one request, in its answer's errors and in the log.
    RequestId;
}

impl RequestId {
    /// A new request's identifier. It is no secret, so it does not come from the cryptographic source.
    pub fn fresh() -> Self {
        RequestId(Uuid::new_v4().to_string())
    }
}

fn check(text: &str) -> Result<(), BadId> {
    let length = text.chars().take(MAX_CHARS + 1).count();
    match (1..=MAX_CHARS).contains(&length) && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(BadId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_short_text_is_an_id() {
        for good in ["5ef0cfc7-11e9-445a-8c4623790ea86819", "x", "../../etc/passwd", "ü", &"é".repeat(64)] {
            assert_eq!(good.parse::<TaskId>().map(|id| id.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "a\nb", "\0", &"x".repeat(65)] {
            assert_eq!(bad.parse::<TaskId>(), Err(BadId), "{bad:?}");
        }
    }

    #[test]
    fn made_ids_are_version_4_uuids() {
        assert_eq!(FileId::from_random([0xff; 16]).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
