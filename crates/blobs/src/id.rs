//! Names of ciphertexts, in a form that is safe in paths and in S3 keys.

use std::fmt;
use std::str::FromStr;

/// Longest name, in bytes.
const MAX_BYTES: usize = 64;

/// Names one ciphertext: 1 to 64 of `A-Z`, `a-z`, `0-9` and `-`, so that no name leads out of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

/// The text can't name a ciphertext.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a ciphertext has 1 to {MAX_BYTES} letters, digits and hyphens")]
pub struct BadId;

impl Id {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Id(text.to_owned())),
            false => Err(BadId),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_letters_digits_and_hyphens() {
        for good in ["a", "-", "5ef0cfc7-11e9-445a-8c46-23790ea86819", &"Z".repeat(64)] {
            assert_eq!(good.parse::<Id>().map(|id| id.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "a/b", "a.new", ".uploads", "ü", "a\0", "a b", "%2e", &"Z".repeat(65)] {
            assert_eq!(bad.parse::<Id>(), Err(BadId), "{bad:?}");
        }
    }
}
