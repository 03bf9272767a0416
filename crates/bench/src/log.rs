//! The log: appending, its checkpoint and inclusion proofs, with few entries and with --entries.
//!
//! It is filled by the code that the tms appends with, many entries to a transaction; what is timed afterwards goes to
//! the disk and comes from it as in service.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use consent::log::checkpoint::Checkpoint;
use consent::log::reader;
use consent::signing::Statements;
use crypto::SealingKey;
use rpc::deployment::DevDeployment;
use store::{Options, Store};
use tms::Log;
use types::log::Event;
use types::service::Role;
use types::time::UnixMillis;
use types::user::UserId;

use crate::cluster::folder;
use crate::figure::{Figure, Report, Target};
use crate::stats::millis;

/// Entries in one transaction while the log is filled.
const PIECE: u64 = 5000;
/// How often each thing is measured.
const TIMES: u64 = 500;
/// Users whose tasks the entries are about; each entry concerns two of them.
const USERS: u64 = 1000;
/// Keys that a measurement makes may be known.
const KEY: [u8; 32] = [7; 32];

pub(crate) async fn run(report: &mut Report, entries: u64) -> anyhow::Result<()> {
    for size in [1000, entries] {
        let dir = folder()?;
        let log = open(dir.path())?;
        let start = Instant::now();
        fill(&log, size).await?;
        eprintln!("  {size} entries appended in {:.0} s", start.elapsed().as_secs_f64());
        measure(report, &log, size).await?;
    }
    Ok(())
}

fn open(dir: &Path) -> anyhow::Result<Log> {
    let deployment = DevDeployment::open_or_create(dir)?;
    let (house, key) = (deployment.trust()?.deployment, SealingKey::from_bytes(KEY));
    let statements = Statements::new(house, &key, deployment.attester(Role::Tms), UnixMillis::now())?;
    Ok(Log::new(Store::open(&dir.join("log.redb"), &key, Options::default())?, Arc::new(statements)))
}

fn user(number: u64) -> anyhow::Result<UserId> {
    Ok(format!("user{}", number % USERS).parse()?)
}

fn event(number: u64) -> anyhow::Result<(Vec<UserId>, Event)> {
    let task_id = format!("5ef0cfc7-11e9-445a-8c46-{number:012}").parse()?;
    let manifest = Some(types::digest::Digest::new([5; 32]));
    Ok((vec![user(number)?, user(number + 1)?], Event::Ready { task_id, manifest }))
}

async fn fill(log: &Log, size: u64) -> anyhow::Result<()> {
    let mut number = 0;
    while number < size {
        let piece = (number..size.min(number + PIECE)).map(event).collect::<anyhow::Result<_>>()?;
        log.append(UnixMillis(number), piece).await?;
        number += PIECE;
    }
    Ok(())
}

async fn measure(report: &mut Report, log: &Log, size: u64) -> anyhow::Result<()> {
    let (mut appended, mut heads, mut proofs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..TIMES {
        appended.push(timed(log.append(UnixMillis(round), vec![event(size + round)?])).await?.0);
        let (took, head) = timed(log.head(None)).await?;
        heads.push(took);
        // Entries from all over the log.
        let index = round * (size / TIMES).max(1) % size;
        let (took, found) = timed(log.entry(user(index)?, index, None)).await?;
        proofs.push(took);
        let key = &head.signer.key.0;
        let house = head.checkpoint.lines().next().and_then(|origin| origin.rsplit('/').next()).unwrap_or_default();
        let checkpoint = Checkpoint::open(&found.head.checkpoint, &house.parse()?, key)?;
        ensure!(reader::included(&checkpoint, &found.entry).is_ok(), "entry {index} is not proven");
    }
    let mut figure = |what: &str, times: &[Duration], target: Option<f64>| {
        let figure = Figure::of_samples("log", format!("{what}, {size} entries"), "ms", &millis(times));
        report.add(match target {
            Some(bound) => figure.wanted(Target::AtMost(bound)),
            None => figure,
        });
    };
    figure("durable append of one", &appended, None);
    figure("signed checkpoint", &heads, Some(1.0));
    figure("entry with inclusion proof and checkpoint", &proofs, Some(1.0));
    Ok(())
}

async fn timed<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<(Duration, T), E> {
    let start = Instant::now();
    let done = work.await?;
    Ok((start.elapsed(), done))
}
