//! Users' names, and how much each may keep.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

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

/// A bound on what a user may keep, as an operator sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The configuration's, whatever it is by then.
    #[default]
    Default,
    /// None: as much as there is room for.
    Unbounded,
    /// At most this.
    AtMost(u64),
}

impl Bound {
    /// The bound in force; `None` where there is none.
    ///
    /// `configured` is what the configuration says, where 0 is no bound.
    pub fn in_force(self, configured: u64) -> Option<u64> {
        match self {
            Bound::Default => Some(configured).filter(|configured| *configured > 0),
            Bound::Unbounded => None,
            Bound::AtMost(most) => Some(most),
        }
    }
}

/// How much a user may keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// Files.
    pub files: Bound,
    /// The sum of their sizes before encryption, in bytes.
    pub bytes: Bound,
}

impl Quota {
    /// Whether the configuration decides everything.
    pub fn is_default(&self) -> bool {
        *self == Quota::default()
    }
}

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

    #[test]
    fn a_bound_of_ones_own_wins_over_the_configured_one() {
        let five = Bound::AtMost(5);
        for (bound, configured, expected) in [
            (Bound::Default, 0, None),
            (Bound::Default, 7, Some(7)),
            (Bound::Unbounded, 7, None),
            (five, 7, Some(5)),
            (five, 0, Some(5)),
            (Bound::AtMost(0), 7, Some(0)),
        ] {
            assert_eq!(bound.in_force(configured), expected, "{bound:?}");
        }
        assert_eq!(serde_json::to_string(&five).expect("plain data"), r#"{"at_most":5}"#);
    }
}
