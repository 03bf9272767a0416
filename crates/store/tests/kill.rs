//! A process that writes is killed at random instants: what it acknowledged is there, and the store opens at once.
//!
//! The child is this test binary, asked to run the one ignored test.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crypto::{SealingKey, random};
use store::{Options, Range, Records, Store, StoreError, Table};

const NUMBERS: Table<u64, String> = Table::new("numbers");
const COUNT: Table<String, u64> = Table::new("count");

const STORE_VARIABLE: &str = "TEEHOUSE_KILL_TEST_STORE";
const FIRST_VARIABLE: &str = "TEEHOUSE_KILL_TEST_FIRST";

const WRITERS: u64 = 4;

fn open(path: &Path) -> Store {
    Store::open(path, &SealingKey::from_bytes([7; 32]), Options::default()).unwrap()
}

fn value_of(number: u64) -> String {
    format!("{number:>300}")
}

/// Adds numbers and counts them, all in one write.
fn add(store: &Store, numbers: std::ops::Range<u64>) {
    store
        .write_blocking::<_, StoreError, _>(move |tx| {
            for number in numbers.clone() {
                tx.insert(&NUMBERS, number, &value_of(number))?;
            }
            let count = tx.get(&COUNT, "count")?.unwrap_or(0);
            tx.insert(&COUNT, "count", &(count + numbers.end - numbers.start))
        })
        .unwrap();
}

/// Writes for ever, and prints each number once it is acknowledged.
#[test]
fn child() {
    let Some(path) = env::var_os(STORE_VARIABLE) else {
        return;
    };
    let first: u64 = env::var(FIRST_VARIABLE).unwrap().parse().unwrap();
    let store = open(Path::new(&path));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for i in 0.. {
                    let number = first + i * WRITERS + writer;
                    add(store, number..number + 1);
                    let mut out = std::io::stdout().lock();
                    write!(out, "\nack {number}\n").and_then(|()| out.flush()).unwrap();
                }
            });
        }
    });
}

fn start_child(path: &Path, first: u64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(STORE_VARIABLE, path)
        .env(FIRST_VARIABLE, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The next acknowledged number; none once the child is gone. A line that the kill cut short does not count.
fn next_acknowledged(output: &mut impl BufRead) -> Option<u64> {
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some(number) = line.strip_prefix("ack ").and_then(|rest| rest.strip_suffix('\n')) {
            return Some(number.parse().unwrap());
        }
        line.clear();
    }
    None
}

/// Lets a child write for `time` after its first acknowledgement, kills it (SIGKILL), returns what it acknowledged.
fn write_and_kill(path: &Path, first: u64, time: Duration) -> Vec<u64> {
    let (mut child, mut output) = start_child(path, first);
    let mut acknowledged = vec![next_acknowledged(&mut output).unwrap()];
    let killer = thread::spawn(move || {
        thread::sleep(time);
        child.kill().unwrap();
        child.wait().unwrap();
    });
    acknowledged.extend(std::iter::from_fn(|| next_acknowledged(&mut output)));
    killer.join().unwrap();
    acknowledged
}

#[test]
fn everything_acknowledged_survives_every_kill() {
    const ROUNDS: u64 = 25;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("killed.redb");
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let [random] = random::bytes::<1>();
        let time = Duration::from_micros(u64::from(random) * 200);
        acknowledged.extend(write_and_kill(&path, round * 1_000_000, time));
        check(&path, &acknowledged);
    }
    assert!(acknowledged.len() as u64 > ROUNDS, "{}: the kills came too early", acknowledged.len());
}

/// A redb file whose making was interrupted can never be opened: the store must not leave one under its own name.
#[test]
fn a_kill_while_the_store_is_made_leaves_nothing_in_the_way() {
    for round in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.redb");
        let (mut child, _output) = start_child(&path, 0);
        while directory.path().read_dir().unwrap().next().is_none() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(round * 50));
        child.kill().unwrap();
        child.wait().unwrap();
        open(&path).close_blocking();
    }
}

fn check(path: &Path, acknowledged: &BTreeSet<u64>) {
    let store = open(path);
    let found: Result<_, StoreError> =
        store.read_blocking(|snapshot| Ok((snapshot.scan(&NUMBERS, .., usize::MAX)?, snapshot.get(&COUNT, "count")?)));
    let (numbers, count) = found.unwrap();
    assert!(numbers.iter().all(|(number, value)| *value == value_of(*number)));
    assert_eq!(count, Some(numbers.len() as u64), "a write is there in part");
    let found: BTreeSet<u64> = numbers.into_iter().map(|(number, _)| number).collect();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
    store.close_blocking();
}

/// Without quick repair redb walks the whole file here: seconds, and more with every record.
#[test]
fn a_large_store_opens_at_once_after_a_kill() {
    const RECORDS: u64 = 200_000;
    const BATCH: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.redb");
    let store = open(&path);
    for first in (0..RECORDS).step_by(usize::try_from(BATCH).unwrap()) {
        add(&store, first..first + BATCH);
    }
    store.close_blocking();
    write_and_kill(&path, RECORDS, Duration::from_millis(50));
    check_needs_no_repair(&path);
    let started = Instant::now();
    let store = open(&path);
    let took = started.elapsed();
    // A debug build of redb walks the file all the same, to check itself.
    assert!(took < Duration::from_secs(1) || cfg!(debug_assertions), "{took:?}");
    let page: Result<_, StoreError> =
        store.read_blocking(|snapshot| snapshot.scan(&NUMBERS, Range::between(RECORDS - 2..), 3));
    let numbers: Vec<u64> = page.unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers[..2], [RECORDS - 2, RECORDS - 1]);
}

/// Opens a copy with redb, refusing it the walk.
fn check_needs_no_repair(path: &Path) {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).unwrap();
    let mut builder = redb::Builder::new();
    builder.set_repair_callback(|session| session.abort());
    builder.open(&copy).unwrap();
}
