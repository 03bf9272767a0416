//! Recovery keys as their holders keep them: one line of text each, with a checksum, since people copy them.
//!
//! ```text
//! teehouse-recovery-public-1 NAME HEX64 CHECK8
//! teehouse-recovery-secret-1 NAME HEX64 CHECK8
//! ```
//!
//! HEX64 is an X25519 key, CHECK8 the first 4 bytes of SHA-256 over everything before the last space, both in lower-case
//! hex. A mistyped public key would otherwise be noticed only when its share is needed.

use std::fmt;
use std::str::FromStr;

use crypto::hash::{Sha256, hex, parse_hex};
use crypto::hpke::{KeyPair, PublicKey};
use serde::{Deserialize, Serialize};
use types::secret::Secret;

/// Longest name of a holder, in bytes.
const MAX_NAME_LEN: usize = 64;

/// Longest text of a key, in bytes, with room for blanks around it.
pub const MAX_KEY_TEXT_LEN: usize = 1024;

const PUBLIC: &str = "teehouse-recovery-public-1";
const SECRET: &str = "teehouse-recovery-secret-1";

/// Who holds a recovery key: 1 to 64 of `A-Z a-z 0-9 . _ - @`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HolderName(String);

/// The text names no holder.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a holder's name is 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 . _ - @")]
pub struct BadName;

impl FromStr for HolderName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        let is_name = (1..=MAX_NAME_LEN).contains(&text.len()) && text.bytes().all(is_good);
        if is_name { Ok(HolderName(text.to_owned())) } else { Err(BadName) }
    }
}

impl TryFrom<String> for HolderName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<HolderName> for String {
    fn from(name: HolderName) -> String {
        name.0
    }
}

impl fmt::Display for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public half of a recovery key, with its holder's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryKey {
    /// Who holds the private half.
    pub holder: HolderName,
    /// What shares are sealed to.
    pub key: PublicKey,
}

/// The private half of a recovery key.
#[derive(Debug)]
pub struct RecoverySecret {
    /// Who holds it.
    pub holder: HolderName,
    pub(super) key: KeyPair,
}

/// The text is no recovery key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyText {
    /// It is too long or has other parts.
    #[error("not one line `{0} NAME HEX64 CHECK8`")]
    Form(&'static str),
    /// It is the other half.
    #[error("this is a `{found}`; a `{expected}` is needed")]
    OtherHalf {
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Its checksum is another one.
    #[error("its checksum does not match: it was mistyped or cut off")]
    Checksum,
}

impl RecoverySecret {
    /// A fresh key.
    pub fn generate(holder: HolderName) -> Self {
        RecoverySecret { holder, key: KeyPair::generate() }
    }

    /// The public half.
    pub fn public(&self) -> RecoveryKey {
        RecoveryKey { holder: self.holder.clone(), key: self.key.public() }
    }

    /// The private key's line, for its holder to keep.
    pub fn danger_to_text(&self) -> Secret {
        Secret::new(line(SECRET, &self.holder, &self.key.danger_to_bytes()))
    }

    /// Reads what [`RecoverySecret::danger_to_text`] wrote.
    ///
    /// # Errors
    /// [`BadKeyText`].
    pub fn from_text(text: &str) -> Result<Self, BadKeyText> {
        let (holder, key) = parse(text, SECRET, PUBLIC)?;
        Ok(RecoverySecret { holder, key: KeyPair::from_bytes(&key).map_err(|_| BadKeyText::Form(SECRET))? })
    }
}

impl RecoveryKey {
    /// The key's line, which is no secret.
    pub fn to_text(&self) -> String {
        line(PUBLIC, &self.holder, self.key.as_bytes())
    }

    /// Reads what [`RecoveryKey::to_text`] wrote.
    ///
    /// # Errors
    /// [`BadKeyText`].
    pub fn from_text(text: &str) -> Result<Self, BadKeyText> {
        let (holder, key) = parse(text, PUBLIC, SECRET)?;
        Ok(RecoveryKey { holder, key: PublicKey::from_bytes(key) })
    }
}

fn line(kind: &str, holder: &HolderName, key: &[u8; 32]) -> String {
    let text = format!("{kind} {holder} {}", hex(key));
    format!("{text} {}\n", checksum(&text))
}

fn parse(text: &str, kind: &'static str, other: &'static str) -> Result<(HolderName, [u8; 32]), BadKeyText> {
    let form = || BadKeyText::Form(kind);
    let text = Some(text).filter(|text| text.len() <= MAX_KEY_TEXT_LEN).ok_or_else(form)?.trim();
    let parts: Vec<&str> = text.split(' ').collect();
    let [found, holder, key, check] = parts[..] else { return Err(form()) };
    if found == other {
        return Err(BadKeyText::OtherHalf { found: other, expected: kind });
    }
    let (holder, key) = (holder.parse().map_err(|_| form())?, parse_hex(key).map_err(|_| form())?);
    let is_intact = text.rsplit_once(' ').is_some_and(|(checked, _)| checksum(checked) == check);
    match (found == kind, is_intact) {
        (false, _) => Err(form()),
        (true, false) => Err(BadKeyText::Checksum),
        (true, true) => Ok((holder, key)),
    }
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> RecoverySecret {
        RecoverySecret::generate("alice@example.org".parse().unwrap())
    }

    #[test]
    fn keys_come_back_from_their_lines() {
        let secret = secret();
        let public = RecoveryKey::from_text(&format!("  {}\r\n", secret.public().to_text().trim())).unwrap();
        assert_eq!(public, secret.public());
        let same = RecoverySecret::from_text(secret.danger_to_text().expose()).unwrap();
        assert_eq!(same.public(), public);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = secret().public().to_text();
        let text = text.trim();
        for i in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[i] ^= 1;
            assert!(RecoveryKey::from_text(std::str::from_utf8(&changed).unwrap()).is_err(), "character {i}");
            assert!(RecoveryKey::from_text(&text[..i]).is_err());
        }
    }

    #[test]
    fn halves_are_told_apart() {
        let secret = secret();
        let error = RecoveryKey::from_text(secret.danger_to_text().expose()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this is a `teehouse-recovery-secret-1`; a `teehouse-recovery-public-1` is needed"
        );
        assert!(RecoverySecret::from_text(&secret.public().to_text()).is_err());
        assert!(!format!("{secret:?}").contains(&hex(&*secret.key.danger_to_bytes())));
    }

    #[test]
    fn names_and_texts_are_limited() {
        for good in ["a", "A.b_c-d@9", &"x".repeat(64)] {
            assert!(good.parse::<HolderName>().is_ok());
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<HolderName>(), Err(BadName));
        }
        assert!(RecoveryKey::from_text(&" ".repeat(MAX_KEY_TEXT_LEN + 1)).is_err());
    }
}
