//! Whoever can write to the file cannot make the store believe a record that was not written there.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::path::PathBuf;

use crypto::SealingKey;
use redb::{ReadableDatabase, TableDefinition};
use store::{Options, Records, Store, StoreError, Table, Transaction};
use tempfile::TempDir;

const TASKS: Table<String, String> = Table::new("tasks");
const FILES: Table<String, String> = Table::new("files");

type Raw = TableDefinition<'static, &'static [u8], &'static [u8]>;
const RAW_TASKS: Raw = TableDefinition::new("tasks");
const RAW_FILES: Raw = TableDefinition::new("files");

const SECRET: &str = "confidential";

/// The bytes that the id `a` has as a key.
const KEY_A: &[u8] = b"a\0\0";
const KEY_B: &[u8] = b"b\0\0";

struct Victim {
    _directory: TempDir,
    path: PathBuf,
    key: u8,
}

impl Victim {
    /// A closed store with the records `a` and `b` in both tables.
    fn new(key: u8) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("victim.redb");
        let victim = Self { _directory: directory, path, key };
        for table in [TASKS, FILES] {
            for id in ["a", "b"] {
                victim.write(move |tx| tx.insert(&table, id, &format!("{SECRET} {id}"))).unwrap();
            }
        }
        victim
    }

    fn open(&self) -> Store {
        Store::open(&self.path, &SealingKey::from_bytes([self.key; 32]), Options::default()).unwrap()
    }

    fn write(
        &self,
        closure: impl Fn(&mut Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = self.open();
        let written = store.write_blocking(closure);
        store.close_blocking();
        written
    }

    fn get_a(&self) -> Result<Option<String>, StoreError> {
        let store = self.open();
        let found = store.read_blocking(|snapshot| snapshot.get(&TASKS, "a"));
        store.close_blocking();
        found
    }

    fn raw(&self, table: Raw, key: &[u8]) -> Vec<u8> {
        let database = redb::Database::open(&self.path).unwrap();
        let table = database.begin_read().unwrap().open_table(table).unwrap();
        table.get(key).unwrap().unwrap().value().to_vec()
    }

    fn put_raw(&self, table: Raw, key: &[u8], stored: &[u8]) {
        let database = redb::Database::open(&self.path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(table).unwrap().insert(key, stored).unwrap();
        transaction.commit().unwrap();
    }

    /// Every operation that meets the record refuses it, and says the table but neither key nor content.
    fn check_a_is_refused(&self) {
        let store = self.open();
        check_refused(store.read_blocking(|s| s.get(&TASKS, "a").map(drop)));
        check_refused(store.read_blocking(|s| s.contains(&TASKS, "a").map(drop)));
        check_refused(store.read_blocking(|s| s.scan(&TASKS, .., 9).map(drop)));
        check_refused(store.write_blocking(|tx| tx.insert(&TASKS, "a", &String::new())));
        check_refused(store.write_blocking(|tx| tx.remove(&TASKS, "a").map(drop)));
        check_refused(store.write_blocking(|tx| tx.update(&TASKS, "a", String::clear).map(drop)));
        let others: Result<_, StoreError> = store.read_blocking(|s| s.get(&FILES, "a"));
        assert_eq!(others.unwrap().as_deref(), Some("confidential a"));
        store.close_blocking();
    }
}

fn check_refused(result: Result<(), StoreError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Refused { table: "tasks" }), "{error:?}");
    let message = error.to_string();
    assert_eq!(message, "a record of table tasks does not verify: it was changed outside the store");
}

#[test]
fn content_is_not_in_the_file() {
    let victim = Victim::new(7);
    let file = std::fs::read(&victim.path).unwrap();
    assert!(file.windows(5).any(|window| window == b"tasks"), "the search finds what is there");
    assert!(!file.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

#[test]
fn every_changed_byte_is_refused() {
    let victim = Victim::new(7);
    let stored = victim.raw(RAW_TASKS, KEY_A);
    for i in 0..stored.len() {
        let mut changed = stored.clone();
        changed[i] ^= 1;
        victim.put_raw(RAW_TASKS, KEY_A, &changed);
        assert!(matches!(victim.get_a(), Err(StoreError::Refused { table: "tasks" })), "byte {i}");
    }
    victim.check_a_is_refused();
    victim.put_raw(RAW_TASKS, KEY_A, &stored);
    assert_eq!(victim.get_a().unwrap().as_deref(), Some("confidential a"));
}

#[test]
fn truncated_and_extended_records_are_refused() {
    let victim = Victim::new(7);
    let stored = victim.raw(RAW_TASKS, KEY_A);
    for len in [0, 7, 8, 9, stored.len() - 1] {
        victim.put_raw(RAW_TASKS, KEY_A, &stored[..len]);
        victim.check_a_is_refused();
    }
    victim.put_raw(RAW_TASKS, KEY_A, &[&stored[..], &[0]].concat());
    victim.check_a_is_refused();
}

#[test]
fn two_swapped_records_are_refused() {
    let victim = Victim::new(7);
    let (a, b) = (victim.raw(RAW_TASKS, KEY_A), victim.raw(RAW_TASKS, KEY_B));
    victim.put_raw(RAW_TASKS, KEY_A, &b);
    victim.put_raw(RAW_TASKS, KEY_B, &a);
    victim.check_a_is_refused();
}

#[test]
fn a_record_of_another_table_is_refused() {
    let victim = Victim::new(7);
    let other = victim.raw(RAW_FILES, KEY_A);
    victim.put_raw(RAW_TASKS, KEY_A, &other);
    victim.check_a_is_refused();
}

#[test]
fn an_older_version_under_the_newer_label_is_refused() {
    let victim = Victim::new(7);
    let older = victim.raw(RAW_TASKS, KEY_A);
    victim.write(|tx| tx.insert(&TASKS, "a", &"newer".to_owned())).unwrap();
    let newer = victim.raw(RAW_TASKS, KEY_A);
    assert_eq!((&older[..8], &newer[..8]), (&1_u64.to_be_bytes()[..], &2_u64.to_be_bytes()[..]));
    victim.put_raw(RAW_TASKS, KEY_A, &[&newer[..8], &older[8..]].concat());
    victim.check_a_is_refused();
}

/// Same sealing key, same table, same id, same version: only the store differs.
#[test]
fn a_record_of_another_store_is_refused() {
    let (victim, other) = (Victim::new(7), Victim::new(7));
    victim.put_raw(RAW_TASKS, KEY_A, &other.raw(RAW_TASKS, KEY_A));
    victim.check_a_is_refused();
}

#[test]
fn a_record_under_an_invented_key_is_refused() {
    let victim = Victim::new(7);
    let a = victim.raw(RAW_TASKS, KEY_A);
    victim.put_raw(RAW_TASKS, b"not a key", &a);
    let store = victim.open();
    check_refused(store.read_blocking(|snapshot| snapshot.scan(&TASKS, .., 9).map(drop)));
}
