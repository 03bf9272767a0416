//! Auditors: named keys, and how many of them must sign.

use std::collections::BTreeSet;

use crate::manifest::key::AuditorKey;

/// The keys whose word is taken on what may run, and how many of them must give it.
///
/// There is at least one, the threshold is from 1 to their number, and no key and no name is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auditors {
    threshold: u32,
    list: Vec<Auditor>,
}

/// Somebody who signs manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auditor {
    /// Who it is: 1 to 64 characters, for people. What counts is the key.
    pub name: String,
    /// By which the signatures verify.
    pub key: AuditorKey,
}

/// The keys and the threshold make no sense together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAuditors {
    /// Then nobody would have to sign anything.
    #[error("the threshold is 0: at least one auditor must sign")]
    ThresholdZero,
    /// Then no manifest could ever be signed.
    #[error("the threshold is {threshold}, but there are {auditors} auditors")]
    ThresholdUnreachable {
        /// How many must sign.
        threshold: u32,
        /// How many could.
        auditors: usize,
    },
    /// More than [`Auditors::MAX`].
    #[error("there are more than {} auditors", Auditors::MAX)]
    TooMany,
    /// One key under two names, which would count twice.
    #[error("`{0}` and `{1}` have the same key")]
    KeyTwice(String, String),
    /// One name for two keys: nobody could tell whose signature it is.
    #[error("two auditors are called `{0}`")]
    NameTwice(String),
    /// Empty, too long, or with control characters.
    #[error("an auditor's name has 1 to 64 characters, none of them a control character")]
    Name,
}

impl Auditors {
    /// The most auditors there can be. Each signature may be tried with each key, so this bounds the work.
    pub const MAX: usize = 32;

    /// The longest name, in characters.
    const MAX_NAME_CHARS: usize = 64;

    /// Auditors of whom `threshold` must sign.
    ///
    /// # Errors
    /// [`BadAuditors`] when it can't be so.
    pub fn new(threshold: u32, mut list: Vec<Auditor>) -> Result<Self, BadAuditors> {
        if threshold == 0 {
            return Err(BadAuditors::ThresholdZero);
        }
        if list.len() > Self::MAX {
            return Err(BadAuditors::TooMany);
        }
        check_names(&list)?;
        list.sort_by_cached_key(|auditor| auditor.key.to_string());
        if let Some([one, other]) = list.array_windows().find(|[one, other]| one.key == other.key) {
            return Err(BadAuditors::KeyTwice(one.name.clone(), other.name.clone()));
        }
        match usize::try_from(threshold) {
            Ok(needed) if needed <= list.len() => Ok(Auditors { threshold, list }),
            _ => Err(BadAuditors::ThresholdUnreachable { threshold, auditors: list.len() }),
        }
    }

    /// How many of them must sign.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// All of them, in the order of their keys' texts.
    pub fn list(&self) -> &[Auditor] {
        &self.list
    }

    /// The one with this key.
    pub fn with_key(&self, key: &AuditorKey) -> Option<&Auditor> {
        self.list.iter().find(|auditor| auditor.key == *key)
    }

    /// Whether the same keys sign at the same threshold, whatever they are called.
    pub fn same_keys(&self, other: &Self) -> bool {
        let keys = |auditors: &Self| auditors.list.iter().map(|auditor| auditor.key.clone()).collect::<BTreeSet<_>>();
        self.threshold == other.threshold && keys(self) == keys(other)
    }
}

fn check_names(list: &[Auditor]) -> Result<(), BadAuditors> {
    let mut seen = BTreeSet::new();
    for Auditor { name, .. } in list {
        let length = name.chars().take(Auditors::MAX_NAME_CHARS + 1).count();
        if !(1..=Auditors::MAX_NAME_CHARS).contains(&length) || name.chars().any(char::is_control) {
            return Err(BadAuditors::Name);
        }
        if !seen.insert(name) {
            return Err(BadAuditors::NameTwice(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auditor(name: &str, key: u8) -> Auditor {
        Auditor { name: name.to_owned(), key: AuditorKey::Ed25519([key; 32]) }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (a, b) = (|| auditor("a", 1), || auditor("b", 2));
        let check = |threshold, list, expected| assert_eq!(Auditors::new(threshold, list).err(), expected);
        check(1, vec![a()], None);
        check(2, vec![a(), b()], None);
        check(0, vec![a()], Some(BadAuditors::ThresholdZero));
        check(1, vec![], Some(BadAuditors::ThresholdUnreachable { threshold: 1, auditors: 0 }));
        check(3, vec![a(), b()], Some(BadAuditors::ThresholdUnreachable { threshold: 3, auditors: 2 }));
        check(1, vec![a(), auditor("b", 1)], Some(BadAuditors::KeyTwice("a".to_owned(), "b".to_owned())));
        check(1, vec![a(), auditor("a", 2)], Some(BadAuditors::NameTwice("a".to_owned())));
        for name in ["", "a\nb", &"x".repeat(65)] {
            check(1, vec![auditor(name, 1)], Some(BadAuditors::Name));
        }
        let many = |count| (0..count).map(|number| auditor(&number.to_string(), number)).collect::<Vec<_>>();
        check(1, many(32), None);
        check(1, many(33), Some(BadAuditors::TooMany));
    }

    #[test]
    fn names_do_not_make_keys_differ() {
        let of = |threshold, names: [&str; 2]| {
            Auditors::new(threshold, vec![auditor(names[0], 1), auditor(names[1], 2)]).unwrap()
        };
        assert!(of(1, ["a", "b"]).same_keys(&of(1, ["c", "d"])));
        assert!(!of(1, ["a", "b"]).same_keys(&of(2, ["a", "b"])));
    }
}
