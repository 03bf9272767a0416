//! What a closure sees, what remains of it, and what its caller is told.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::path::PathBuf;

use crypto::SealingKey;
use serde::{Deserialize, Serialize};
use store::{NewestFirst, Options, Range, Records, Store, StoreError, Table};
use tempfile::TempDir;

const USERS: Table<String, User> = Table::new("users");
const OWNED: Table<(String, NewestFirst), u32> = Table::new("owned");

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    logins: u32,
}

fn user(name: &str, logins: u32) -> User {
    let name = name.to_owned();
    User { name, logins }
}

/// A service's own error, as the store's callers have them.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no")]
    Refused,
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Fixture {
    directory: TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        Self { directory, store }
    }

    fn reopen(self) -> Self {
        self.store.close_blocking();
        let store = open(&self.directory);
        Self { store, ..self }
    }

    fn get(&self, name: &'static str) -> Option<User> {
        self.store
            .read_blocking(|snapshot| snapshot.get(&USERS, name))
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    fn insert(&self, user: User) {
        let insert = move |tx: &mut store::Transaction<'_>| tx.insert(&USERS, &user.name, &user);
        self.store.write_blocking::<_, StoreError, _>(insert).unwrap();
    }
}

fn open(directory: &TempDir) -> Store {
    let path: PathBuf = directory.path().join("test.redb");
    Store::open(&path, &SealingKey::from_bytes([7; 32]), Options::default()).unwrap()
}

#[test]
fn a_write_is_seen_by_itself_by_later_ones_and_after_reopening() {
    let fixture = Fixture::new();
    let seen = fixture.store.write_blocking::<_, StoreError, _>(|tx| {
        assert!(!tx.contains(&USERS, "alice")?);
        tx.insert(&USERS, "alice", &user("alice", 1))?;
        assert!(tx.contains(&USERS, "alice")?);
        tx.update(&USERS, "alice", |alice| alice.logins += 1)?;
        tx.get(&USERS, "alice")
    });
    assert_eq!(seen.unwrap(), Some(user("alice", 2)));
    assert_eq!(fixture.get("alice"), Some(user("alice", 2)));
    let fixture = fixture.reopen();
    assert_eq!(fixture.get("alice"), Some(user("alice", 2)));
    assert_eq!(fixture.get("bob"), None);
}

#[test]
fn remove_returns_what_was_there_and_update_of_nothing_does_nothing() {
    let fixture = Fixture::new();
    fixture.insert(user("alice", 1));
    fixture
        .store
        .write_blocking::<_, StoreError, _>(|tx| {
            assert_eq!(tx.remove(&USERS, "alice")?, Some(user("alice", 1)));
            assert_eq!(tx.remove(&USERS, "alice")?, None);
            assert_eq!(tx.update(&USERS, "alice", |_| unreachable!("there is no alice"))?, None::<()>);
            Ok(())
        })
        .unwrap();
    assert_eq!(fixture.reopen().get("alice"), None);
}

#[test]
fn an_error_leaves_nothing_behind_and_comes_back_as_it_is() {
    let fixture = Fixture::new();
    fixture.insert(user("alice", 1));
    let before = fixture.store.anchor();
    let failed = fixture.store.write_blocking::<(), Failure, _>(|tx| {
        tx.remove(&USERS, "alice")?;
        tx.insert(&USERS, "bob", &user("bob", 1))?;
        Err(Failure::Refused)
    });
    assert!(matches!(failed, Err(Failure::Refused)));
    assert_eq!(fixture.get("alice"), Some(user("alice", 1)));
    assert_eq!(fixture.get("bob"), None);
    assert_eq!(fixture.store.anchor(), before, "nothing was committed");
}

#[test]
fn a_panic_is_an_error_to_its_caller_alone() {
    let fixture = Fixture::new();
    let panicked = fixture.store.write_blocking::<(), Failure, _>(|tx| {
        tx.insert(&USERS, "alice", &user("alice", 1))?;
        panic!("on purpose")
    });
    assert!(matches!(panicked, Err(Failure::Store(StoreError::Panicked))));
    assert_eq!(fixture.get("alice"), None);
    fixture.insert(user("bob", 1));
    assert_eq!(fixture.get("bob"), Some(user("bob", 1)));
}

#[tokio::test]
async fn async_reads_and_writes_do_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.write::<_, Failure, _>(|tx| Ok(tx.insert(&USERS, "alice", &user("alice", 1))?)).await.unwrap();
    let read = store.read::<_, Failure, _>(|snapshot| Ok(snapshot.get(&USERS, "alice")?)).await;
    assert_eq!(read.unwrap(), Some(user("alice", 1)));
    let panicked = store.read::<(), Failure, _>(|_| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(Failure::Store(StoreError::Panicked))));
    let failed = store.write::<(), Failure, _>(|_| Err(Failure::Refused)).await;
    assert!(matches!(failed, Err(Failure::Refused)));
}

#[tokio::test]
async fn every_handle_is_closed_once_one_closes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let other = store.clone();
    store.close().await;
    let written = other.write::<(), StoreError, _>(|_| Ok(())).await;
    assert!(matches!(written, Err(StoreError::Closed)));
    let read = other.read::<(), StoreError, _>(|_| Ok(())).await;
    assert!(matches!(read, Err(StoreError::Closed)));
    other.close().await;
    open(&directory).close().await;
}

#[test]
fn sequences_rise_over_errors_and_restarts() {
    let mut fixture = Fixture::new();
    let mut last = fixture.store.anchor().sequence;
    for round in 0..6 {
        let failed = fixture.store.write_blocking::<u64, Failure, _>(|_| Err(Failure::Refused));
        assert!(failed.is_err());
        let sequence = fixture.store.write_blocking::<_, StoreError, _>(|tx| Ok(tx.sequence())).unwrap();
        assert!(sequence > last, "{sequence} after {last}");
        assert_eq!(fixture.store.anchor().sequence, sequence);
        last = sequence;
        if round % 2 == 1 {
            fixture = fixture.reopen();
            assert_eq!(fixture.store.anchor().sequence, last);
        }
    }
}

#[test]
fn pages_of_the_newest_first_with_own_changes_merged() {
    let fixture = Fixture::new();
    let fill = |owner: &'static str, numbers: std::ops::Range<u64>| {
        fixture
            .store
            .write_blocking::<_, StoreError, _>(move |tx| {
                numbers.clone().try_for_each(|n| tx.insert(&OWNED, (owner, NewestFirst(n)), &(n as u32)))
            })
            .unwrap();
    };
    fill("alice", 0..10);
    fill("al", 0..3);
    fill("bob", 0..3);
    fixture
        .store
        .write_blocking::<_, StoreError, _>(|tx| {
            tx.remove(&OWNED, ("alice", NewestFirst(9)))?;
            tx.remove(&OWNED, ("alice", NewestFirst(7)))?;
            tx.insert(&OWNED, ("alice", NewestFirst(11)), &11)?;
            let mut pages = Vec::new();
            let mut range = Range::starting_with("alice");
            loop {
                let page = tx.scan(&OWNED, range.clone(), 4)?;
                let Some((last, _)) = page.last() else { break };
                range = range.after(last);
                pages.push(page.into_iter().map(|(_, value)| value).collect::<Vec<_>>());
            }
            assert_eq!(pages, [vec![11, 8, 6, 5], vec![4, 3, 2, 1], vec![0]]);
            assert_eq!(tx.scan(&OWNED, .., 0)?, []);
            assert_eq!(tx.scan(&OWNED, .., usize::MAX)?.len(), 15);
            assert_eq!(tx.scan(&OWNED, Range::starting_with("carol"), 9)?, []);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_snapshot_does_not_see_later_writes() {
    let fixture = Fixture::new();
    fixture.insert(user("alice", 1));
    fixture
        .store
        .read_blocking(|snapshot| {
            fixture.insert(user("alice", 2));
            assert_eq!(snapshot.get(&USERS, "alice")?, Some(user("alice", 1)));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(fixture.get("alice"), Some(user("alice", 2)));
}

#[test]
fn limits_at_and_past() {
    const BLOBS: Table<String, String> = Table::new("blobs");
    const VALUE_LIMIT: usize = 16 << 20;
    const KEY_LIMIT: usize = 1024;
    let fixture = Fixture::new();
    let check = |key_len: usize, value_len: usize, over: Option<usize>| {
        let written = fixture.store.write_blocking::<_, StoreError, _>(move |tx| {
            // Two bytes are the JSON string's quotes, and two the end of the key.
            tx.insert(&BLOBS, "k".repeat(key_len - 2), &"v".repeat(value_len - 2))
        });
        match (written, over) {
            (Ok(()), None) => {}
            (Err(StoreError::TooLarge { table: "blobs", limit }), Some(over)) => assert_eq!(limit, over),
            (other, _) => panic!("{key_len} {value_len}: {other:?}"),
        }
    };
    check(KEY_LIMIT, VALUE_LIMIT, None);
    check(KEY_LIMIT + 1, 9, Some(KEY_LIMIT));
    check(9, VALUE_LIMIT + 1, Some(VALUE_LIMIT));
}

#[test]
fn a_value_of_another_shape_is_told_without_its_content() {
    const AS_NUMBER: Table<String, u64> = Table::new("users");
    let fixture = Fixture::new();
    fixture.insert(user("alice", 1));
    let error = fixture.store.read_blocking::<_, StoreError, _>(|snapshot| snapshot.get(&AS_NUMBER, "alice"));
    let message = format!("{:?}", error.unwrap_err());
    assert_eq!(message, r#"Shape { table: "users" }"#);
}
