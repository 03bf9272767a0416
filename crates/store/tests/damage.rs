//! A file that was damaged anywhere gives right answers or errors: never a wrong value, never a crash of the service.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::{fs, path::Path, sync::mpsc, thread, time::Duration};

use crypto::SealingKey;
use store::{Options, Records, Store, StoreError, Table};

const NUMBERS: Table<u64, String> = Table::new("numbers");
const RECORDS: u64 = 40;

fn open(path: &Path) -> Option<Store> {
    Store::open(path, &SealingKey::from_bytes([7; 32]), Options::default()).ok()
}

fn value_of(number: u64) -> String {
    format!("{number:>200}")
}

fn add(store: &Store, number: u64) -> Result<(), StoreError> {
    store.write_blocking(move |tx| tx.insert(&NUMBERS, number, &value_of(number)))
}

/// Whether the damaged store answered everything.
fn use_damaged(path: &Path) -> bool {
    let Some(store) = open(path) else {
        return false;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut all_good = true;
    for number in 0..RECORDS {
        match runtime.block_on(store.read::<_, StoreError, _>(move |snapshot| snapshot.get(&NUMBERS, number))) {
            Ok(Some(value)) => assert_eq!(value, value_of(number)),
            Ok(None) | Err(_) => all_good = false,
        }
    }
    all_good &= add(&store, RECORDS).is_ok();
    store.close_blocking();
    all_good
}

#[test]
fn damage_anywhere_is_an_error_or_without_effect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.redb");
    let store = open(&path).unwrap();
    for number in 0..RECORDS {
        add(&store, number).unwrap();
    }
    store.close_blocking();
    let undamaged = fs::read(&path).unwrap();
    let used: Vec<usize> = (0..undamaged.len()).filter(|i| undamaged[*i] != 0).collect();
    let mut noticed = 0;
    // A prime stride visits every kind of page; the first 512 bytes are the header, where every byte counts.
    for at in used.iter().copied().filter(|at| *at < 512).chain(used.iter().copied().step_by(211)) {
        let mut damaged = undamaged.clone();
        damaged[at] ^= 0x11;
        fs::write(&path, &damaged).unwrap();
        let (done, answer) = mpsc::channel();
        let path = path.clone();
        thread::spawn(move || done.send(use_damaged(&path)));
        let good = answer.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        noticed += usize::from(!good);
    }
    assert!(noticed > 20, "{noticed}: the damage was where nobody looks");
}
