//! Reading: the operations that snapshots and transactions share, and a snapshot of the last commit.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crypto::RecordKey;
use redb::{AccessGuard, ReadTransaction, ReadableDatabase, TableError};
use serde::de::DeserializeOwned;

use self::raw::Source;
use crate::{
    error::StoreError,
    key::{AsKey, Key, from_bytes, to_bytes},
    range::Range,
    record::{self, Record},
    table::{Table, TableKeys, definition},
};

/// What can be read from a [`Snapshot`] and a [`crate::Transaction`].
///
/// Every record is verified before anything of it is returned.
pub trait Records: Source {
    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] or [`StoreError::Shape`] when the record is not what was written here;
    /// [`StoreError::Storage`] when it cannot be read.
    fn get<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: impl AsKey<K>,
    ) -> Result<Option<V>, StoreError> {
        let record = self.record(table.name, &to_bytes(key))?;
        record.map(|record| value(table.name, &record)).transpose()
    }

    /// Whether there is a record of `key`.
    ///
    /// # Errors
    /// As [`Records::get`], save for the shape, which is not looked at.
    fn contains<K: Key, V>(&self, table: &Table<K, V>, key: impl AsKey<K>) -> Result<bool, StoreError> {
        Ok(self.record(table.name, &to_bytes(key))?.is_some())
    }

    /// Up to `limit` records in the order of their keys; the next page is [`Range::after`] the last key.
    ///
    /// # Errors
    /// As [`Records::get`]; one bad record fails the scan.
    fn scan<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        range: impl Into<Range<K>>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StoreError> {
        let range = range.into();
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let name = table.name;
        let record_key = self.record_key(name);
        let open = |(key, stored): (Vec<u8>, Vec<u8>)| {
            let record =
                record::open(&record_key, name, &key, &stored).map_err(|_| StoreError::Refused { table: name })?;
            let key = from_bytes(&key).ok_or(StoreError::Shape { table: name })?;
            Ok((key, value(name, &record)?))
        };
        let found = self.stored_range(name, &(range.start, range.end), limit)?;
        found.into_iter().map(open).collect()
    }
}

/// The value that a verified record holds.
pub(crate) fn value<V: DeserializeOwned>(table: &'static str, record: &Record) -> Result<V, StoreError> {
    record::from_json(&record.value).ok_or(StoreError::Shape { table })
}

/// What every read goes through; private, so that nobody else can be a source of records.
pub(crate) mod raw {
    use std::{ops::Bound, sync::Arc};

    use crypto::RecordKey;

    use super::{Record, StoreError, record};

    pub(crate) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);
    pub(crate) type Stored = (Vec<u8>, Vec<u8>);

    pub trait Source {
        /// What the records of a table are sealed with.
        fn record_key(&self, table: &'static str) -> Arc<RecordKey>;

        /// The stored bytes of one key.
        fn stored(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

        /// Keys with their stored bytes in order, up to `limit` of them.
        fn stored_range(&self, table: &'static str, bounds: &Bounds, limit: usize) -> Result<Vec<Stored>, StoreError>;

        /// The verified record of one key.
        fn record(&self, table: &'static str, key: &[u8]) -> Result<Option<Record>, StoreError> {
            let Some(stored) = self.stored(table, key)? else {
                return Ok(None);
            };
            record::open(&self.record_key(table), table, key, &stored)
                .map(Some)
                .map_err(|_| StoreError::Refused { table })
        }
    }
}

/// The store as the last commit before it left it; later writes do not show.
pub struct Snapshot {
    transaction: ReadTransaction,
    /// The tables that were read from so far. A group of writes reads from the same few again and again.
    tables: RefCell<BTreeMap<&'static str, Option<RawTable>>>,
    keys: Arc<TableKeys>,
}

impl Snapshot {
    pub(crate) fn new(database: &impl ReadableDatabase, keys: Arc<TableKeys>) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(StoreError::storage)?;
        Ok(Self { transaction, tables: RefCell::default(), keys })
    }

    /// Reads from a table, unless nothing was ever written to it.
    fn read<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&RawTable) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut tables = self.tables.borrow_mut();
        let table = match tables.entry(name) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.open(name)?),
        };
        table.as_ref().map(read).transpose()
    }

    fn open(&self, name: &str) -> Result<Option<RawTable>, StoreError> {
        match self.transaction.open_table(definition(name)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(StoreError::storage(error)),
        }
    }
}

type RawTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type Guard<'a> = AccessGuard<'a, &'static [u8]>;

impl Records for Snapshot {}

impl Source for Snapshot {
    fn record_key(&self, table: &'static str) -> Arc<RecordKey> {
        self.keys.of(table)
    }

    fn stored(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.read(table, |table| {
            let stored = table.get(key).map_err(StoreError::storage)?;
            Ok(stored.map(|stored| stored.value().to_vec()))
        });
        Ok(found?.flatten())
    }

    fn stored_range(
        &self,
        table: &'static str,
        (start, end): &raw::Bounds,
        limit: usize,
    ) -> Result<Vec<raw::Stored>, StoreError> {
        let bounds = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
        let found = self.read(table, |table| {
            let found = table.range::<&[u8]>(bounds).map_err(StoreError::storage)?;
            let copied = |entry: Result<(Guard<'_>, Guard<'_>), _>| {
                let (key, stored) = entry.map_err(StoreError::storage)?;
                Ok((key.value().to_vec(), stored.value().to_vec()))
            };
            found.take(limit).map(copied).collect()
        });
        Ok(found?.unwrap_or_default())
    }
}
