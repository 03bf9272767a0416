//! Writes that wait together share a flush, and nothing else.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

mod disk;

use std::{
    collections::HashSet,
    future::Future,
    pin::{Pin, pin},
    sync::mpsc,
    task::{Context, Waker},
};

use crypto::SealingKey;
use store::{Options, Records, Store, StoreError, Table};

use crate::disk::Disk;

const COUNTERS: Table<String, u64> = Table::new("counters");

fn open(disk: &Disk) -> Store {
    Store::open_backend_for_tests(disk.clone(), &SealingKey::from_bytes([7; 32]), Options::default()).unwrap()
}

async fn increment(store: &Store, counter: &'static str) -> Result<u64, StoreError> {
    store
        .write(move |tx| {
            let next = tx.get(&COUNTERS, counter)?.unwrap_or(0) + 1;
            tx.insert(&COUNTERS, counter, &next)?;
            Ok(next)
        })
        .await
}

/// Puts a write into the queue: that is what its first poll does.
fn poll_once(write: Pin<&mut impl Future>) {
    assert!(write.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Keeps the writer busy until the sender is dropped, so that what is written meanwhile waits together.
fn hold_writer(store: &Store) -> (mpsc::Sender<()>, impl Future<Output = ()> + use<>) {
    let (release, held) = mpsc::channel::<()>();
    let (holding, is_held) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let store = store.clone();
    let hold = tokio::spawn(async move {
        let hold = store.write::<(), StoreError, _>(move |_| {
            holding.send(()).unwrap();
            let _ = held.lock().unwrap().recv();
            Ok(())
        });
        hold.await.unwrap();
    });
    is_held.recv().unwrap();
    (release, async { hold.await.unwrap() })
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_increments_are_all_counted_once() {
    const TASKS: u64 = 32;
    const EACH: u64 = 20;
    let store = open(&Disk::default());
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..EACH {
                    seen.push(increment(&store, "n").await.unwrap());
                }
                seen
            })
        })
        .collect();
    let mut seen = HashSet::new();
    for task in tasks {
        for value in task.await.unwrap() {
            assert!(seen.insert(value), "{value} was given out twice");
        }
    }
    assert_eq!(seen.len() as u64, TASKS * EACH);
    assert!(store.anchor().sequence >= TASKS * EACH);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_together_share_a_flush() {
    let disk = Disk::default();
    let store = open(&disk);
    let before = disk.flushes();
    increment(&store, "n").await.unwrap();
    let one_write = disk.flushes() - before;
    let (release, released) = hold_writer(&store);
    let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(increment(&store, "n"))).collect();
    waiting.iter_mut().for_each(|write| poll_once(write.as_mut()));
    let before = disk.flushes();
    drop(release);
    released.await;
    for write in waiting {
        write.await.unwrap();
    }
    let flushes = disk.flushes() - before;
    assert!(flushes <= 3 * one_write, "{flushes} flushes for 51 writes, {one_write} for one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_sees_the_writes_before_it_in_its_group() {
    let store = open(&Disk::default());
    let (release, released) = hold_writer(&store);
    let mut first = pin!(increment(&store, "n"));
    poll_once(first.as_mut());
    let mut scan = pin!(store.write::<_, StoreError, _>(|tx| tx.scan(&COUNTERS, .., 9)));
    poll_once(scan.as_mut());
    drop(release);
    released.await;
    assert_eq!(scan.await.unwrap(), [("n".to_owned(), 1)]);
    first.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_a_panicking_and_a_cancelled_write_leave_their_group_alone() {
    let store = open(&Disk::default());
    let (release, released) = hold_writer(&store);
    let queue = |fate: &'static str, key: &'static str| {
        let store = store.clone();
        let write = async move {
            let write = store.write::<(), StoreError, _>(move |tx| {
                tx.insert(&COUNTERS, key, &1)?;
                tx.update(&COUNTERS, "all", |all| *all += 1)?;
                match fate {
                    "ok" => Ok(()),
                    "error" => Err(StoreError::Closed),
                    _ => panic!("on purpose"),
                }
            });
            write.await
        };
        let mut write = Box::pin(write);
        poll_once(write.as_mut());
        write
    };
    let mut setup = pin!(increment(&store, "all"));
    poll_once(setup.as_mut());
    let first = queue("ok", "first");
    let failing = queue("error", "failing");
    let panicking = queue("panic", "panicking");
    drop(queue("ok", "cancelled"));
    let last = queue("ok", "last");
    drop(release);
    released.await;
    setup.await.unwrap();
    first.await.unwrap();
    assert!(matches!(failing.await, Err(StoreError::Closed)));
    assert!(matches!(panicking.await, Err(StoreError::Panicked)));
    last.await.unwrap();
    let found: Vec<(String, u64)> = store
        .read(|snapshot| snapshot.scan(&COUNTERS, .., 9))
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let expected = [("all", 4), ("cancelled", 1), ("first", 1), ("last", 1)];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_answers_what_was_queued_before() {
    let disk = Disk::default();
    let store = open(&disk);
    let (release, released) = hold_writer(&store);
    let mut queued = pin!(increment(&store, "n"));
    poll_once(queued.as_mut());
    let mut closing = pin!(store.clone().close());
    poll_once(closing.as_mut());
    drop(release);
    released.await;
    assert_eq!(queued.await.unwrap(), 1);
    closing.await;
    assert!(matches!(increment(&store, "n").await, Err(StoreError::Closed)));
    assert_eq!(increment(&open(&disk), "n").await.unwrap(), 2);
}
