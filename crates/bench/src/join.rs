//! `private_join_and_compute` over three parties' encrypted files, beside DuckDB and Polars over the plain ones.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use executor::Limits;

use crate::cluster::folder;
use crate::figure::{Figure, Report, Target};
use crate::parties::{PartyFile, run};
use crate::stats::median;

const PARTIES: u64 = 3;
const LINES: u64 = 10_000_000;
const ROUNDS: usize = 3;

/// What people have to compare with; Python packages that may not be there.
const PEERS: [&str; 2] = ["duckdb", "polars"];

pub(crate) fn bench(report: &mut Report) -> anyhow::Result<()> {
    let dir = folder()?;
    let files = (0..PARTIES).map(|number| party(dir.path(), number)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut ours, mut peers) = (Vec::new(), [const { Vec::new() }; PEERS.len()]);
    for round in 0..=ROUNDS {
        let took = run("private_join_and_compute", &files, dir.path(), &Limits::default())?.as_secs_f64();
        let others = PEERS.map(|peer| measure(peer, dir.path()));
        if round == 0 {
            continue;
        }
        ours.push(took);
        for (times, other) in peers.iter_mut().zip(others) {
            times.extend(other?);
        }
    }
    let seconds: Vec<f64> = peers.iter().filter(|times| !times.is_empty()).map(|times| median(times)).collect();
    let beside: Vec<_> = PEERS.iter().zip(&peers).map(|(peer, times)| described(peer, times)).collect();
    let what = format!("{PARTIES} parties, {LINES} lines each");
    report.add(Figure::of_rounds("join", what.clone(), "s", &ours).beside(beside.join(", ")));
    if let Some(fastest) = seconds.into_iter().reduce(f64::min) {
        let ratios: Vec<f64> = ours.iter().map(|took| took / fastest).collect();
        let figure = Figure::of_rounds("join", format!("{what}, of the faster one's time"), "×", &ratios);
        report.add(figure.wanted(Target::AtMost(0.4)));
    }
    Ok(())
}

fn described(peer: &str, times: &[f64]) -> String {
    if times.is_empty() { format!("{peer} is not there") } else { format!("{peer} {:.1} s", median(times)) }
}

/// A party's lines, plain for the peers and sealed for us; three quarters of the identities are those of the next party.
fn party(dir: &Path, number: u64) -> anyhow::Result<PartyFile> {
    let mut text = Vec::new();
    for at in 0..LINES {
        let identity = at * 7_368_787 % LINES + number * LINES / 4;
        writeln!(text, "user{identity:09}:{}", at % 1000)?;
    }
    fs::write(dir.join(format!("{number}.txt")), &text)?;
    PartyFile::create(&dir.join(format!("party{number}")), text.len() as u64, |to| to.write_all(&text))
}

/// Seconds that a peer takes; `None` where it is not installed.
fn measure(peer: &str, dir: &Path) -> anyhow::Result<Option<f64>> {
    let python = std::env::var_os("TEEHOUSE_PEERS_PYTHON").unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", &format!("import {peer}")]).output();
    if !has.is_ok_and(|has| has.status.success()) {
        return Ok(None);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/join.py");
    let ran = Command::new(python).args([script, peer]).arg(dir).args([&PARTIES.to_string(), &threads]).output()?;
    ensure!(ran.status.success(), "{peer}: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(Some(String::from_utf8(ran.stdout)?.trim().parse()?))
}
