//! Writing: one write's view of the store and the changes that it wants.

use std::{collections::BTreeMap, sync::Arc};

use crypto::RecordKey;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::StoreError,
    key::{AsKey, Key, MAX_KEY_LEN, to_bytes},
    record::{self, MAX_VALUE_LEN},
    snapshot::{Records, Snapshot, raw, raw::Source, value},
    table::Table,
};

/// One write in progress: sees the writes before it, those that share its commit included, and its own.
///
/// Nothing leaves it until its closure returns `Ok`.
pub struct Transaction<'a> {
    committed: &'a Snapshot,
    group: &'a Changes,
    own: Changes,
    sequence: u64,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(committed: &'a Snapshot, group: &'a Changes, sequence: u64) -> Self {
        Self { committed, group, own: Changes::default(), sequence }
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.own
    }

    /// A number that is this write's alone and larger than that of every earlier one, restarts included.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes `value` under `key`, whether or not there was one.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] or [`StoreError::Encode`] when the value cannot be kept; [`StoreError::Refused`] when
    /// the record that it would replace does not verify.
    pub fn insert<K: Key, V: Serialize>(
        &mut self,
        table: &Table<K, V>,
        key: impl AsKey<K>,
        value: &V,
    ) -> Result<(), StoreError> {
        let key = to_bytes(key);
        let before = self.record(table.name, &key)?;
        let version = before.map_or(1, |record| record.version + 1);
        self.put(table.name, key, version, value)
    }

    /// Removes `key` and returns what it held.
    ///
    /// # Errors
    /// As [`Records::get`].
    pub fn remove<K: Key, V: DeserializeOwned>(
        &mut self,
        table: &Table<K, V>,
        key: impl AsKey<K>,
    ) -> Result<Option<V>, StoreError> {
        let key = to_bytes(key);
        let Some(record) = self.record(table.name, &key)? else {
            return Ok(None);
        };
        let value = value(table.name, &record)?;
        self.own.set(table.name, key, None);
        Ok(Some(value))
    }

    /// Changes the value of `key` in place and returns what `change` returned; `None` when there is no such key.
    ///
    /// # Errors
    /// As [`Records::get`] and [`Transaction::insert`].
    pub fn update<K: Key, V: Serialize + DeserializeOwned, R>(
        &mut self,
        table: &Table<K, V>,
        key: impl AsKey<K>,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<Option<R>, StoreError> {
        let key = to_bytes(key);
        let Some(record) = self.record(table.name, &key)? else {
            return Ok(None);
        };
        let mut value = value(table.name, &record)?;
        let returned = change(&mut value);
        self.put(table.name, key, record.version + 1, &value)?;
        Ok(Some(returned))
    }

    fn put(
        &mut self,
        table: &'static str,
        key: Vec<u8>,
        version: u64,
        value: &impl Serialize,
    ) -> Result<(), StoreError> {
        let json = record::to_json(value).ok_or(StoreError::Encode { table })?;
        check_len(table, key.len(), MAX_KEY_LEN)?;
        check_len(table, json.len(), MAX_VALUE_LEN)?;
        let stored = record::seal(&self.record_key(table), table, &key, version, &json);
        self.own.set(table, key, Some(stored));
        Ok(())
    }
}

fn check_len(table: &'static str, len: usize, limit: usize) -> Result<(), StoreError> {
    if len > limit {
        return Err(StoreError::TooLarge { table, limit });
    }
    Ok(())
}

impl Records for Transaction<'_> {}

impl Source for Transaction<'_> {
    fn record_key(&self, table: &'static str) -> Arc<RecordKey> {
        self.committed.record_key(table)
    }

    fn stored(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.own.get(table, key).or_else(|| self.group.get(table, key)) {
            Some(change) => Ok(change.clone()),
            None => self.committed.stored(table, key),
        }
    }

    fn stored_range(
        &self,
        table: &'static str,
        bounds: &raw::Bounds,
        limit: usize,
    ) -> Result<Vec<raw::Stored>, StoreError> {
        let changes: BTreeMap<_, _> = self.group.range(table, bounds).chain(self.own.range(table, bounds)).collect();
        // Each change hides at most one committed record, so this many are enough to fill the page.
        let enough = limit.saturating_add(changes.len());
        let committed = self.committed.stored_range(table, bounds, enough)?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = committed.into_iter().collect();
        for (key, change) in changes {
            match change {
                Some(stored) => merged.insert(key.clone(), stored.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }
}

/// Changes by table and key: the new stored bytes, or nothing for a removal.
#[derive(Default)]
pub(crate) struct Changes(BTreeMap<&'static str, BTreeMap<Vec<u8>, Change>>);

type Change = Option<Vec<u8>>;

impl Changes {
    /// Adds later changes over these.
    pub(crate) fn merge(&mut self, later: Self) {
        for (table, changes) in later.0 {
            self.0.entry(table).or_default().extend(changes);
        }
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (&'static str, &BTreeMap<Vec<u8>, Change>)> {
        self.0.iter().map(|(table, changes)| (*table, changes))
    }

    fn set(&mut self, table: &'static str, key: Vec<u8>, change: Change) {
        self.0.entry(table).or_default().insert(key, change);
    }

    fn get(&self, table: &'static str, key: &[u8]) -> Option<&Change> {
        self.0.get(table)?.get(key)
    }

    fn range(&self, table: &'static str, bounds: &raw::Bounds) -> impl Iterator<Item = (&Vec<u8>, &Change)> {
        let changes = self.0.get(table);
        changes.into_iter().flat_map(|changes| changes.range(bounds.clone()))
    }
}
