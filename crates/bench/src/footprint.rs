//! The release binary's size, and the memory of an idle `teehouse serve --dev`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::folder;
use crate::figure::{Figure, Report};

pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let program = program()?;
    let size = fs::metadata(&program)?.len() as f64 / 1e6;
    report.add(Figure::once("footprint", "release binary", "MB", size));
    let dir = folder()?;
    let mut server = serve(&program, dir.path())?;
    // Whatever is only needed for starting is over by then.
    std::thread::sleep(Duration::from_secs(2));
    let memory = Memory::of(&server);
    stop(&mut server)?;
    let Memory { rss, pss } = memory?;
    report.add(Figure::once("footprint", "idle serve --dev, RSS", "MB", rss));
    report.add(Figure::once("footprint", "idle serve --dev, PSS", "MB", pss));
    Ok(())
}

/// The `teehouse` that stands beside this program.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("teehouse");
    ensure!(program.exists(), "{} is missing: `cargo build --release -p teehouse` makes it", program.display());
    Ok(program)
}

/// Starts a server on free ports; returns when it serves.
pub(crate) fn serve(program: &Path, dir: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.args(["serve", "--dev", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let output = server.stdout.take().context("standard output is piped")?;
    // The first line of what it announces: every port answers.
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(!line.is_empty(), "the server ended");
    Ok(server)
}

pub(crate) fn stop(server: &mut Child) -> anyhow::Result<()> {
    kill_process(Pid::from_child(server), Signal::TERM)?;
    server.wait()?;
    Ok(())
}

/// Resident memory in MB: all of it, and its share where pages are shared.
struct Memory {
    rss: f64,
    pss: f64,
}

impl Memory {
    fn of(process: &Child) -> anyhow::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id()))?;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
            let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
            Ok(kib * 1024.0 / 1e6)
        };
        Ok(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
    }
}
