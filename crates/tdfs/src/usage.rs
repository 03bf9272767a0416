//! How much each user keeps, and how much each may: counted in the commits that change it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use store::{Range, Records, Store, StoreError, Table, Transaction};
use types::user::UserId;

use crate::Error;
use crate::db::FILES;
use crate::file::FileRow;

/// What every user keeps.
const USAGE: Table<String, Usage> = Table::new("usage by owner");

/// What was counted once for files that were there before: at most one row.
const COUNTED: Table<String, ()> = Table::new("counted");
const USAGE_IS_COUNTED: &str = "usage";

/// Files that are counted in one step.
const COUNTED_AT_ONCE: usize = 4096;

/// An amount of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// How many, with uploads that have not ended.
    pub(crate) files: u64,
    /// The sum of their sizes before encryption, in bytes. An upload whose size is still to be declared has none.
    pub(crate) bytes: u64,
}

impl Usage {
    /// What one file comes to.
    pub(crate) fn of(row: &FileRow) -> Self {
        Usage { files: 1, bytes: row.size }
    }

    fn plus(self, more: Usage) -> Self {
        Usage { files: self.files.saturating_add(more.files), bytes: self.bytes.saturating_add(more.bytes) }
    }

    fn minus(self, less: Usage) -> Self {
        Usage { files: self.files.saturating_sub(less.files), bytes: self.bytes.saturating_sub(less.bytes) }
    }
}

/// How much a user may keep; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) files: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

impl Limits {
    /// Nothing is refused.
    pub(crate) const NONE: Limits = Limits { files: None, bytes: None };

    /// Whether somebody who keeps `used` may have `more`.
    pub(crate) fn admit(self, used: Usage, more: Usage) -> Result<(), OverQuota> {
        let check = |thing, used: u64, more: u64, limit: Option<u64>| match limit {
            Some(limit) if more > 0 && used.saturating_add(more) > limit => Err(OverQuota { thing, used, more, limit }),
            _ => Ok(()),
        };
        check(Thing::Files, used.files, more.files, self.files)?;
        check(Thing::Bytes, used.bytes, more.bytes, self.bytes)
    }
}

/// What a quota is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Files.
    Files,
    /// Bytes before encryption.
    Bytes,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Thing::Files => "files",
            Thing::Bytes => "bytes",
        })
    }
}

/// A user would have more than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the quota of {limit} {thing}: {used} are used, and this takes {more} more; delete files (`teehouse file rm`), or ask \
     the operator for a larger quota (`teehouse user quota`)"
)]
pub struct OverQuota {
    /// Of what there would be too much.
    pub thing: Thing,
    /// What is used.
    pub used: u64,
    /// What was asked for.
    pub more: u64,
    /// What the user may have.
    pub limit: u64,
}

/// What a user keeps.
pub(crate) async fn of(store: &Store, owner: UserId) -> Result<Usage, StoreError> {
    store.read(move |snapshot| Ok(snapshot.get(&USAGE, owner.as_str())?.unwrap_or_default())).await
}

/// Counts what a user gets, unless that is too much.
pub(crate) fn add(tx: &mut Transaction<'_>, owner: &UserId, more: Usage, limits: Limits) -> Result<(), Error> {
    let used = tx.get(&USAGE, owner.as_str())?.unwrap_or_default();
    limits.admit(used, more)?;
    Ok(tx.insert(&USAGE, owner.as_str(), &used.plus(more))?)
}

/// Counts what a user has no more.
pub(crate) fn subtract(tx: &mut Transaction<'_>, owner: &UserId, less: Usage) -> Result<(), StoreError> {
    match tx.get(&USAGE, owner.as_str())?.unwrap_or_default().minus(less) {
        Usage { files: 0, .. } => tx.remove(&USAGE, owner.as_str()).map(|_| ()),
        left => tx.insert(&USAGE, owner.as_str(), &left),
    }
}

/// Counts the files of a store that was written before there were quotas; once, and before anything else is written.
pub(crate) async fn count_once(store: &Store) -> Result<(), StoreError> {
    if store.read(|snapshot| snapshot.contains(&COUNTED, USAGE_IS_COUNTED)).await? {
        return Ok(());
    }
    let counted = count(store).await?;
    store
        .write(move |tx| {
            for (owner, usage) in &counted {
                tx.insert(&USAGE, owner.as_str(), usage)?;
            }
            tx.insert(&COUNTED, USAGE_IS_COUNTED, &())
        })
        .await
}

async fn count(store: &Store) -> Result<BTreeMap<UserId, Usage>, StoreError> {
    store
        .read(|snapshot| {
            let (mut counted, mut range) = (BTreeMap::<UserId, Usage>::new(), Range::all());
            loop {
                let page = snapshot.scan(&FILES, range.clone(), COUNTED_AT_ONCE)?;
                let Some((last, _)) = page.last() else { return Ok(counted) };
                range = range.after(last.as_str());
                for (_, row) in page {
                    let more = Usage::of(&row);
                    let usage = counted.entry(row.owner).or_default();
                    *usage = usage.plus(more);
                }
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_met_exactly_and_not_passed() {
        let limits = Limits { files: Some(2), bytes: Some(10) };
        let admitted = |used: (u64, u64), more: (u64, u64)| {
            let usage = |(files, bytes)| Usage { files, bytes };
            limits.admit(usage(used), usage(more)).map_err(|over| over.thing)
        };
        for (used, more, expected) in [
            ((0, 0), (1, 10), Ok(())),
            ((1, 10), (1, 0), Ok(())),
            ((0, 0), (1, 11), Err(Thing::Bytes)),
            ((2, 0), (1, 0), Err(Thing::Files)),
            ((1, 1), (1, 10), Err(Thing::Bytes)),
            ((1, u64::MAX), (1, 1), Err(Thing::Bytes)),
            ((1, 0), (1, u64::MAX), Err(Thing::Bytes)),
            // What tasks made can be more than the quota; it takes nothing away from what needs none of it.
            ((1, 12), (1, 0), Ok(())),
            ((3, 12), (0, 0), Ok(())),
        ] {
            assert_eq!(admitted(used, more), expected, "{used:?} {more:?}");
        }
        assert_eq!(
            Limits::NONE.admit(Usage { files: u64::MAX, bytes: u64::MAX }, Usage { files: 1, bytes: 1 }),
            Ok(())
        );
    }

    #[test]
    fn the_refusal_says_what_is_full_and_what_to_do() {
        let over = OverQuota { thing: Thing::Bytes, used: 9, more: 2, limit: 10 };
        assert_eq!(
            over.to_string(),
            "the quota of 10 bytes: 9 are used, and this takes 2 more; delete files (`teehouse file rm`), or ask the \
             operator for a larger quota (`teehouse user quota`)"
        );
    }

    fn row(owner: &str, size: u64) -> FileRow {
        FileRow { owner: owner.parse().expect("a name"), size, ..crate::file::tests::row() }
    }

    fn usage(files: u64, bytes: u64) -> Usage {
        Usage { files, bytes }
    }

    /// A store as it was written before anything was counted.
    #[tokio::test]
    async fn what_was_there_before_is_counted_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let key = crypto::SealingKey::generate();
        let store = Store::open(&dir.path().join("s"), &key, store::Options::default()).expect("opens");
        let many = COUNTED_AT_ONCE as u64 + 1;
        let fill = store.write(move |tx| {
            for number in 0..many {
                tx.insert(&FILES, format!("a{number}").as_str(), &row("anna", 2))?;
            }
            tx.insert(&FILES, "b", &row("bob", 7))
        });
        fill.await.expect("written");
        let check = async |name: &str, expected| {
            let owner: UserId = name.parse().expect("a name");
            assert_eq!(of(&store, owner).await.expect("read"), expected, "{name}");
        };
        check("anna", usage(0, 0)).await;
        count_once(&store).await.expect("counted");
        let expected = [("anna", usage(many, 2 * many)), ("bob", usage(1, 7)), ("nobody", usage(0, 0))];
        for (name, usage) in expected {
            check(name, usage).await;
        }
        let less = |tx: &mut Transaction<'_>| subtract(tx, &"bob".parse().expect("a name"), usage(1, 7));
        store.write(less).await.expect("written");
        count_once(&store).await.expect("nothing to do");
        check("bob", usage(0, 0)).await;
    }
}
