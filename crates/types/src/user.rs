//! Users' names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// Longest user name, in characters.
const MAX_CHARS: usize = 64;

/// A user's name: 1 to 64 of `A–Z a–z 0–9 . _ - @`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(String);

/// The text can't be a user's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 64 of the characters A-Z a-z 0-9 . _ - @")]
pub struct BadUserId;

impl UserId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = BadUserId;

    fn from_str(text: &str) -> Result<Self, BadUserId> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-@".contains(&c);
        match (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(UserId(text.to_owned())),
            false => Err(BadUserId),
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for UserId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9._@-]{1,64}$")).into()
    }
}

impl utoipa::ToSchema for UserId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["user1", "a", "Anna.Lee_2@bank-a", &"x".repeat(64)] {
            assert!(good.parse::<UserId>().is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "ä", "a/b", "a\0", "a:b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<UserId>(), Err(BadUserId), "{bad}");
        }
    }
}
