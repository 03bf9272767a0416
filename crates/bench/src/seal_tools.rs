//! The same from file to file, beside `rage` (age) and `openssl`, where they are installed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use crypto::FileKey;
use crypto::file::stream::{Header, open_parallel, seal_parallel};

use crate::cluster::folder;
use crate::figure::{Figure, Report};
use crate::seal::{rate, threads};

const ROUNDS: usize = 3;

/// `size` in bytes.
pub(crate) fn run(report: &mut Report, size: usize) -> anyhow::Result<()> {
    let dir = folder()?;
    let [plain, sealed, opened] = ["plain", "sealed", "opened"].map(|name| dir.path().join(name));
    std::fs::write(&plain, crypto::random::bytes::<4096>().repeat(size / 4096))?;
    let tools = Tools::find(dir.path());
    for many in [1, 2] {
        let mut speeds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            ours(&plain, &sealed, &opened, size, many, &mut speeds)?;
        }
        for (verb, speeds) in ["seal", "open"].into_iter().zip(speeds) {
            let what = format!("{verb} file to file with SHA-256, threads: {many}");
            report.add(Figure::of_rounds("seal", what, "GB/s", &speeds));
        }
    }
    tools.report(report, size, &plain, &sealed, &opened)
}

fn ours(
    plain: &Path,
    sealed: &Path,
    opened: &Path,
    size: usize,
    many: usize,
    speeds: &mut [Vec<f64>; 2],
) -> anyhow::Result<()> {
    let (key, many, len) = (FileKey::generate(), threads(many), size as u64);
    remove([sealed, opened]);
    let start = Instant::now();
    let (from, to) = (File::open(plain)?, File::create(sealed)?);
    let digest = seal_parallel(&key, Header::for_size(len), len, many, from, to)?;
    speeds[0].push(rate(size, start.elapsed()));
    let start = Instant::now();
    open_parallel(&key, len, digest, many, File::open(sealed)?, File::create(opened)?)?;
    speeds[1].push(rate(size, start.elapsed()));
    Ok(())
}

/// A fresh file each time: overwriting one is cheaper.
fn remove(paths: [&Path; 2]) {
    for path in paths {
        let _ = std::fs::remove_file(path);
    }
}

/// Other programs that seal files.
struct Tools {
    /// The identity that `rage` seals for, and its public half.
    rage: Option<(PathBuf, String)>,
    openssl: bool,
}

impl Tools {
    fn find(dir: &Path) -> Self {
        let runs = |name: &str| quiet(Command::new(name).arg("version")).is_ok();
        Tools { rage: rage_identity(dir).ok(), openssl: runs("openssl") }
    }

    fn report(
        &self,
        report: &mut Report,
        size: usize,
        plain: &Path,
        sealed: &Path,
        opened: &Path,
    ) -> anyhow::Result<()> {
        if let Some((identity, recipient)) = &self.rage {
            let mut seal = Command::new("rage");
            seal.args(["-e", "-r", recipient, "-o"]).args([sealed, plain]);
            let mut open = Command::new("rage");
            open.args(["-d", "-i"]).arg(identity).arg("-o").args([opened, sealed]);
            report.add(tool(size, "rage -e, file to file, no SHA-256", &mut seal, [sealed, opened])?);
            report.add(tool(size, "rage -d, file to file, no SHA-256", &mut open, [opened, opened])?);
        }
        if self.openssl {
            let mut seal = Command::new("openssl");
            let zeros = "0".repeat(32);
            seal.args(["enc", "-aes-256-ctr", "-K", &zeros.repeat(2), "-iv", &zeros, "-bufsize", "65536", "-in"]);
            seal.arg(plain).arg("-out").arg(sealed);
            report.add(tool(
                size,
                "openssl enc -aes-256-ctr, which authenticates nothing",
                &mut seal,
                [sealed, opened],
            )?);
            report.add(openssl_speed()?);
        }
        Ok(())
    }
}

fn tool(size: usize, what: &str, command: &mut Command, fresh: [&Path; 2]) -> anyhow::Result<Figure> {
    let mut speeds = Vec::new();
    for _ in 0..ROUNDS {
        remove(fresh);
        let start = Instant::now();
        quiet(command)?;
        speeds.push(rate(size, start.elapsed()));
    }
    Ok(Figure::of_rounds("seal", what, "GB/s", &speeds))
}

/// Its own measure of AES-256-GCM in a buffer of 64 KiB, which stays in the cache.
fn openssl_speed() -> anyhow::Result<Figure> {
    let arguments = ["speed", "-elapsed", "-mr", "-seconds", "3", "-bytes", "65536", "-evp", "aes-256-gcm"];
    let output = Command::new("openssl").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.starts_with("+F:")).context("openssl speed prints its figure")?;
    let bytes: f64 = line.rsplit(':').next().context("a figure")?.parse()?;
    Ok(Figure::once("seal", "openssl speed aes-256-gcm, 64 KiB in the cache", "GB/s", bytes / 1e9))
}

fn rage_identity(dir: &Path) -> anyhow::Result<(PathBuf, String)> {
    let path = dir.join("identity");
    quiet(Command::new("rage-keygen").arg("-o").arg(&path))?;
    let text = std::fs::read_to_string(&path)?;
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).context("a public key")?;
    Ok((path, recipient.to_owned()))
}

fn quiet(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
