//! Which stores open, which do not, and what a person is told.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crypto::SealingKey;
use redb::{ReadableTable, TableDefinition};
use store::{Anchor, OpenError, Options, Records, Store, StoreError, Table};
use tempfile::TempDir;

const TABLE: Table<String, u32> = Table::new("numbers");
const RAW_ANCHOR: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("_store");

fn fresh() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kms.redb");
    (directory, path)
}

fn open_with(path: &Path, key: u8, expect_at_least: Option<Anchor>) -> Result<Store, OpenError> {
    let options = Options { expect_at_least, ..Options::default() };
    Store::open(path, &SealingKey::from_bytes([key; 32]), options)
}

fn open(path: &Path) -> Store {
    open_with(path, 7, None).unwrap()
}

/// One more write; returns the anchor after it.
fn write_and_close(path: &Path) -> Anchor {
    let store = open(path);
    store.write_blocking::<_, StoreError, _>(|tx| tx.insert(&TABLE, "n", &1)).unwrap();
    let anchor = store.anchor();
    store.close_blocking();
    anchor
}

fn message(opened: Result<Store, OpenError>, path: &Path) -> String {
    let path = path.display().to_string();
    opened.unwrap_err().to_string().replace(&path, "PATH")
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = fresh();
    open(&path).close_blocking();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn two_new_stores_have_their_own_ids_and_keep_them() {
    let ((_a, a), (_b, b)) = (fresh(), fresh());
    let (first, other) = (write_and_close(&a), write_and_close(&b));
    assert_ne!(first.store_id, other.store_id);
    let again = write_and_close(&a);
    assert_eq!(again.store_id, first.store_id);
    assert!(again.sequence > first.sequence);
}

#[test]
fn an_open_store_cannot_be_opened_again() {
    let (_directory, path) = fresh();
    let store = open(&path);
    let opened = open_with(&path, 7, None);
    assert!(matches!(opened, Err(OpenError::AlreadyOpen { .. })));
    assert_eq!(message(opened, &path), "store PATH is already open; stop the other process first");
    store.close_blocking();
    open(&path).close_blocking();
}

#[test]
fn another_sealing_key_does_not_open_it_and_harms_nothing() {
    let (_directory, path) = fresh();
    write_and_close(&path);
    let opened = open_with(&path, 8, None);
    assert!(matches!(opened, Err(OpenError::WrongKey { .. })));
    assert_eq!(message(opened, &path), "store PATH was not sealed with this key, or its anchor was changed");
    let store = open(&path);
    let found: Result<_, StoreError> = store.read_blocking(|snapshot| snapshot.get(&TABLE, "n"));
    assert_eq!(found.unwrap(), Some(1));
}

#[test]
fn a_changed_anchor_is_refused() {
    let (_directory, path) = fresh();
    write_and_close(&path);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(RAW_ANCHOR).unwrap();
    let mut stored = table.get(&b"anchor"[..]).unwrap().unwrap().value().to_vec();
    stored[7] += 1;
    table.insert(&b"anchor"[..], &*stored).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(open_with(&path, 7, None), Err(OpenError::WrongKey { .. })));
}

/// Else removing the anchor would turn a store into a new, empty one without a word.
#[test]
fn a_store_without_its_anchor_is_not_taken_for_a_new_one() {
    let (_directory, path) = fresh();
    write_and_close(&path);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(RAW_ANCHOR).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(open_with(&path, 7, None), Err(OpenError::NoAnchor { .. })));
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let (_directory, path) = fresh();
    fs::write(&path, b"dear diary").unwrap();
    let opened = open_with(&path, 7, None);
    assert!(matches!(opened, Err(OpenError::Database { .. })));
    assert_eq!(message(opened, &path), "cannot open store PATH");
    assert_eq!(fs::read(&path).unwrap(), b"dear diary");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let (directory, _) = fresh();
    let path = directory.path().join("missing/kms.redb");
    let opened = open_with(&path, 7, None);
    assert!(matches!(opened, Err(OpenError::Create { .. })));
    assert_eq!(message(opened, &path), "cannot create store PATH");
}

#[test]
fn a_rolled_back_store_is_recognised_by_a_newer_anchor() {
    let (directory, path) = fresh();
    let old = write_and_close(&path);
    let copy = directory.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    let new = write_and_close(&path);
    open_with(&path, 7, Some(new)).unwrap().close_blocking();
    open_with(&path, 7, Some(old)).unwrap().close_blocking();
    fs::copy(&copy, &path).unwrap();
    open_with(&path, 7, Some(old)).unwrap().close_blocking();
    let opened = open_with(&path, 7, Some(new));
    assert!(matches!(opened, Err(OpenError::RolledBack { found: 1, expected: 2, .. })));
    assert_eq!(message(opened, &path), "store PATH was rolled back: it is at write 1, but 2 was seen");
}

#[test]
fn another_store_of_the_same_key_is_not_the_expected_one() {
    let ((_a, a), (_b, b)) = (fresh(), fresh());
    let expected = write_and_close(&a);
    write_and_close(&b);
    assert!(matches!(open_with(&b, 7, Some(expected)), Err(OpenError::OtherStore { .. })));
}

#[test]
fn an_expected_store_that_is_gone_is_not_made_anew() {
    let (directory, path) = fresh();
    let expected = write_and_close(&path);
    fs::remove_file(&path).unwrap();
    let opened = open_with(&path, 7, Some(expected));
    assert!(matches!(opened, Err(OpenError::Missing { .. })));
    assert_eq!(message(opened, &path), "store PATH is not there, but it was seen before");
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

#[test]
fn making_a_store_leaves_its_file_and_no_other() {
    let (directory, path) = fresh();
    open(&path).close_blocking();
    let files: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [path]);
}
