//! Opening a store after its process was killed while it wrote.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use crypto::SealingKey;
use store::{Options, Records as _, Store, StoreError, Table};

use crate::cluster::folder;
use crate::figure::{Figure, Report, Target};
use crate::stats::millis;

const RECORDS: Table<u64, String> = Table::new("records");
/// The size of the records that `spec/performance.md` counts, in bytes.
const RECORD_BYTES: usize = 300;
/// Records of one write while the store is filled.
const PIECE: u64 = 10_000;
/// How often the store is opened, killed again in between.
const KILLS: usize = 7;
const FILE: &str = "store.redb";
/// Keys that a measurement makes may be known.
const KEY: [u8; 32] = [7; 32];

pub(crate) async fn run(report: &mut Report, records: u64) -> anyhow::Result<()> {
    let dir = folder()?;
    let (mut opened, mut read) = (Vec::new(), Vec::new());
    for _ in 0..KILLS {
        kill_while_writing(dir.path(), records)?;
        let start = Instant::now();
        let store = open(dir.path())?;
        opened.push(start.elapsed());
        let start = Instant::now();
        let found: Result<Option<String>, StoreError> =
            store.read_blocking(|snapshot| snapshot.get(&RECORDS, scattered(records / 2)));
        read.push(start.elapsed());
        ensure!(found?.is_some(), "a record that was acknowledged is gone");
        store.close().await;
    }
    let size = std::fs::metadata(dir.path().join(FILE))?.len() as f64 / 1e9;
    let open = Figure::of_samples("store", format!("open {records} records after SIGKILL"), "ms", &millis(&opened));
    report.add(open.wanted(Target::AtMost(1000.0)).beside(format!("file of {size:.2} GB")));
    report.add(Figure::of_samples("store", "first read after that", "ms", &millis(&read)));
    Ok(())
}

fn open(dir: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(&dir.join(FILE), &SealingKey::from_bytes(KEY), Options::default())?)
}

/// Has another process fill the store and write on; kills it in the middle of that.
fn kill_while_writing(dir: &Path, records: u64) -> anyhow::Result<()> {
    /// Long enough for some commits, and never at the same point of one.
    const WRITES: Duration = Duration::from_millis(137);
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--fill").arg(dir).args(["--records", &records.to_string()]).stdout(Stdio::piped());
    let mut child = Killed(command.spawn()?);
    let output = child.0.stdout.take().context("standard output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(line.trim() == "filled", "the process that fills the store ended");
    std::thread::sleep(WRITES);
    Ok(())
}

/// A process that is killed, by SIGKILL, when this goes.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Whether it had ended already makes no difference.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other process: fills the store unless it is full, says so, and writes until it is killed.
pub(crate) fn fill(dir: &Path, records: u64) -> anyhow::Result<()> {
    let store = open(dir)?;
    let last = scattered(records.saturating_sub(1));
    let full: Result<bool, StoreError> = store.read_blocking(|snapshot| snapshot.contains(&RECORDS, last));
    if !full? {
        for from in (0..records).step_by(PIECE as usize) {
            write(&store, from..records.min(from + PIECE))?;
        }
    }
    println!("filled");
    for at in (0..records.max(1)).cycle() {
        write(&store, at..at + 1)?;
    }
    Ok(())
}

fn write(store: &Store, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let value = "x".repeat(RECORD_BYTES);
    let written: Result<(), StoreError> = store.write_blocking(move |tx| {
        numbers.clone().try_for_each(|number| tx.insert(&RECORDS, scattered(number), &value))
    });
    Ok(written?)
}

/// The key of the record of a number. Like ids of real records, keys are written in no order: an odd factor makes every
/// number another one (Fibonacci hashing).
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
