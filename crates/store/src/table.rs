//! A table's name with the types of its keys and values, and the keys that tables are sealed with.

use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use crypto::{Label, RecordKey, SealingKey};
use redb::TableDefinition;

/// A table: declared once as a constant, made in the database when something is first written to it.
///
/// ```
/// use store::{NewestFirst, Table};
///
/// /// Which files a user owns.
/// const OWNED: Table<(String, NewestFirst), String> = Table::new("owned files");
/// ```
pub struct Table<K, V> {
    pub(crate) name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Table<K, V> {
    /// A table of this name. The name is part of what seals its records and never changes.
    ///
    /// # Panics
    /// When the name is empty or begins with `_`, which is for the store's own tables; in a constant, the compiler says so.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.as_bytes()[0] != b'_', "a table's name must not be empty or begin with `_`");
        Self { name, types: PhantomData }
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Table<K, V> {}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

/// The table in redb: sealed bytes under a key's bytes.
pub(crate) fn definition(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// One record key per table, derived when it is first needed.
#[derive(Debug)]
pub(crate) struct TableKeys {
    root: SealingKey,
    derived: Mutex<HashMap<&'static str, Arc<RecordKey>>>,
}

impl TableKeys {
    pub(crate) fn new(root: SealingKey) -> Self {
        Self { root, derived: Mutex::default() }
    }

    pub(crate) fn of(&self, table: &'static str) -> Arc<RecordKey> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let key =
            derived.entry(table).or_insert_with(|| Arc::new(self.root.derive(Label::StoreRecords, table.as_bytes())));
        Arc::clone(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[test]
    fn each_table_has_its_own_key() {
        let keys = TableKeys::new(SealingKey::from_bytes([7; 32]));
        let stored = record::seal(&keys.of("tasks"), "tasks", b"id", 1, b"value");
        assert!(record::open(&keys.of("tasks"), "tasks", b"id", &stored).is_ok());
        assert!(record::open(&keys.of("files"), "tasks", b"id", &stored).is_err());
    }
}
