//! The disk fails at every call it gets, and the power goes: what was acknowledged is there, nothing is half there.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

mod disk;

use std::thread;

use crypto::SealingKey;
use store::{OpenError, Options, Records, Store, StoreError, Table};

use crate::disk::{Disk, Fault};

const NUMBERS: Table<u64, String> = Table::new("numbers");
const COUNT: Table<String, u64> = Table::new("count");

/// Long enough that a few records fill a page.
const FILLER_LEN: usize = 300;

fn open(disk: &Disk) -> Result<Store, OpenError> {
    Store::open_backend_for_tests(disk.clone(), &SealingKey::from_bytes([7; 32]), Options::default())
}

/// A disk with an empty store on it; faults are counted from here.
fn formatted() -> Disk {
    let disk = Disk::default();
    open(&disk).unwrap().close_blocking();
    disk
}

/// One write that touches two tables: the number itself, and how many there are.
fn add(store: &Store, number: u64) -> Result<(), StoreError> {
    store.write_blocking(move |tx| {
        tx.insert(&NUMBERS, number, &"x".repeat(FILLER_LEN))?;
        let count = tx.get(&COUNT, "count")?.unwrap_or(0);
        tx.insert(&COUNT, "count", &(count + 1))
    })
}

/// Adds 1, 2, … up to `last` until the disk fails; returns those that were acknowledged.
fn add_until_failure(disk: &Disk, last: u64) -> Vec<u64> {
    let Ok(store) = open(disk) else {
        return Vec::new();
    };
    let mut acknowledged = Vec::new();
    for number in 1..=last {
        match add(&store, number) {
            Ok(()) => acknowledged.push(number),
            Err(error) => {
                assert!(matches!(error, StoreError::Storage(_)), "{error:?}");
                check_stopped(&store, number + 1);
                break;
            }
        }
    }
    store.close_blocking();
    acknowledged
}

/// After a failed commit nothing is served, even if the disk works again.
fn check_stopped(store: &Store, number: u64) {
    let written = add(store, number);
    assert!(matches!(written, Err(StoreError::Stopped(_))), "{written:?}");
    let read: Result<bool, StoreError> = store.read_blocking(|snapshot| snapshot.contains(&COUNT, "count"));
    assert!(matches!(read, Err(StoreError::Stopped(_))), "{read:?}");
}

/// Opens what a power cut left: all acknowledged numbers, and the count that belongs to the numbers that are there.
fn check_after_power_cut(disk: &Disk, acknowledged: &[u64], chance: impl FnMut() -> bool, story: &str) -> usize {
    let store = open(&disk.after_power_cut(chance)).unwrap_or_else(|error| panic!("{story}: {error:?}"));
    let (numbers, count) = store
        .read_blocking::<_, StoreError, _>(|snapshot| {
            let numbers = snapshot.scan(&NUMBERS, .., usize::MAX)?;
            Ok((numbers, snapshot.get(&COUNT, "count")?.unwrap_or(0)))
        })
        .unwrap();
    let numbers: Vec<u64> = numbers.into_iter().map(|(number, _)| number).collect();
    assert!(acknowledged.iter().all(|number| numbers.contains(number)), "{story}: {acknowledged:?} {numbers:?}");
    assert_eq!(count, numbers.len() as u64, "{story}: {numbers:?}");
    add(&store, 1_000).unwrap_or_else(|error| panic!("{story}: {error:?}"));
    store.close_blocking();
    numbers.len()
}

/// A repeatable coin (SplitMix64).
fn coin(mut seed: u64) -> impl FnMut() -> bool {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

fn check_every_call(fault: Fault, writes: u64) {
    let undisturbed = formatted();
    let formatting = undisturbed.calls();
    assert_eq!(add_until_failure(&undisturbed, writes).len() as u64, writes);
    let calls = undisturbed.calls() - formatting;
    assert!(calls > 8 * writes, "{calls}: the faults would not reach the writes");
    for call in 1..=calls {
        let disk = formatted();
        disk.fail_at(call, fault);
        let acknowledged = add_until_failure(&disk, writes);
        for (arrived, chance) in [("none", false), ("all", true)] {
            let story = format!("{fault:?} at call {call}, {arrived} of the rest arrived");
            check_after_power_cut(&disk, &acknowledged, || chance, &story);
        }
        for seed in 0..3 {
            let story = format!("{fault:?} at call {call}, seed {seed}");
            check_after_power_cut(&disk, &acknowledged, coin(call * 100 + seed), &story);
        }
    }
}

#[test]
fn a_call_that_fails_once() {
    check_every_call(Fault::Once, 6);
}

#[test]
fn a_disk_that_goes_away() {
    check_every_call(Fault::Gone, 6);
}

#[test]
fn a_torn_write() {
    check_every_call(Fault::Torn, 6);
}

/// Writers share commits here, so that a fault meets groups: all of a group or nothing of it.
#[test]
fn faults_under_concurrent_writers() {
    const THREADS: u64 = 4;
    for round in 0..60 {
        let disk = formatted();
        let store = open(&disk).unwrap();
        disk.fail_at(5 + round * 3, Fault::Torn);
        let acknowledged: Vec<u64> = thread::scope(|scope| {
            let write = |thread| {
                let store = &store;
                scope.spawn(move || {
                    let numbers = (1..=8).map(move |i| i * THREADS + thread);
                    numbers.take_while(|number| add(store, *number).is_ok()).collect::<Vec<_>>()
                })
            };
            let threads: Vec<_> = (0..THREADS).map(write).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        store.close_blocking();
        check_after_power_cut(&disk, &acknowledged, coin(round), &format!("round {round}"));
    }
}

/// The test above can fail: a disk that says it flushed and did not loses acknowledged writes.
#[test]
fn a_lying_disk_is_noticed_by_these_tests() {
    let disk = formatted();
    assert_eq!(add_until_failure(&disk, 3), [1, 2, 3]);
    assert_eq!(check_after_power_cut(&disk, &[1, 2, 3], || false, "honest"), 3);
    let lost = thread::spawn(move || check_after_power_cut(&Disk::default(), &[1, 2, 3], || false, "lying"));
    assert!(lost.join().is_err());
}
