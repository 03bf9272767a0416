//! `psi` from encrypted files to encrypted answers, beside the floor: reading, opening and hashing the same files.
//!
//! Every case runs in a process of its own, so that its peak of memory is its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use crypto::hash::Sha256;
use executor::Limits;
use serde::{Deserialize, Serialize};

use crate::cluster::folder;
use crate::figure::{Figure, Report, Target};
use crate::parties::{PartyFile, floor, peak, run};
use crate::stats::median;

/// Rounds after the first, which warms up.
const ROUNDS: usize = 5;

/// One case: how many records each file has, and in how much memory.
#[derive(Clone, Copy)]
struct Case {
    log2: u32,
    memory_mib: u64,
    most: f64,
}

const CASES: [Case; 4] = [
    Case { log2: 20, memory_mib: 1024, most: 2.5 },
    Case { log2: 20, memory_mib: 256, most: 3.2 },
    Case { log2: 24, memory_mib: 1024, most: 2.5 },
    Case { log2: 24, memory_mib: 256, most: 3.2 },
];

/// What one case's process measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    /// Seconds of each round.
    floors: Vec<f64>,
    /// Seconds of each round.
    runs: Vec<f64>,
    /// MiB before the first run, and at the most.
    before: f64,
    peak: f64,
}

pub(crate) fn bench(report: &mut Report) -> anyhow::Result<()> {
    for case in CASES {
        let Case { log2, memory_mib, most } = case;
        let child = Command::new(std::env::current_exe()?).args(["--psi", &format!("{log2}:{memory_mib}")]).output()?;
        ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let measured: Measured = serde_json::from_slice(&child.stdout)?;
        let ratios: Vec<f64> = measured.runs.iter().zip(&measured.floors).map(|(run, floor)| run / floor).collect();
        let what = format!("2^{log2} records each, within {memory_mib} MiB, of the floor");
        let beside = format!(
            "{:.3} s, floor {:.3} s; peak {:.0} MiB, {:.0} before",
            median(&measured.runs),
            median(&measured.floors),
            measured.peak,
            measured.before
        );
        report.add(Figure::of_rounds("psi", what, "×", &ratios).wanted(Target::AtMost(most)).beside(beside));
    }
    Ok(())
}

/// What a case's process does: `LOG2:MIB`.
pub(crate) fn child(case: &str) -> anyhow::Result<()> {
    let (log2, memory_mib) = case.split_once(':').context("LOG2:MIB")?;
    let (log2, memory_mib): (u32, u64) = (log2.parse()?, memory_mib.parse()?);
    let dir = folder()?;
    let files = [party(dir.path(), log2, 0)?, party(dir.path(), log2, 1)?];
    let limits = Limits { memory: memory_mib << 20, ..Limits::default() };
    let mut measured = Measured { floors: Vec::new(), runs: Vec::new(), before: peak()?, peak: 0.0 };
    for round in 0..=ROUNDS {
        let (floor, took) = (floor(&files)?, run("psi", &files, dir.path(), &limits)?);
        if round > 0 {
            measured.floors.push(floor.as_secs_f64());
            measured.runs.push(took.as_secs_f64());
        }
    }
    measured.peak = peak()?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// A party's file: half of its records are the other's too, in an order of no pattern.
fn party(dir: &Path, log2: u32, number: u64) -> anyhow::Result<PartyFile> {
    let count = 1_u64 << log2;
    PartyFile::create(&dir.join(format!("party{number}")), count * 32, |to| {
        // An odd factor makes a permutation of the numbers.
        (0..count).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) & (count - 1)).try_for_each(|at| {
            let own = if at < count / 2 { at } else { at + (number + 1) * count };
            to.write_all(&Sha256::digest(&own.to_le_bytes()))
        })
    })
}
