//! Files over the network: 1 GiB through the two programs that people run, beside what a bare rustls stream carries, with
//! the memory that each of them takes; and many small files by many clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use client::{Contents, Put, Teehouse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report, Target};
use crate::footprint::{program, serve, stop};
use crate::plain_tls::Plain;

const GIB: u64 = 1 << 30;

/// Rounds of the large file.
const ROUNDS: usize = 5;

/// Small files, and who puts them at once.
const SMALL_FILES: u64 = 100_000;
const CLIENTS: usize = 16;

/// Bytes of a bare stream that are written at once.
const PIECE: usize = 64 << 10;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    large(report).await?;
    small(report).await
}

/// Put and get through child processes, between rounds of the bare stream.
async fn large(report: &mut Report) -> anyhow::Result<()> {
    let (program, dir) = (program()?, folder()?);
    let source = dir.path().join("source");
    fs::write(&source, crypto::random::bytes::<65536>().repeat((GIB / 65536) as usize))?;
    let (plain, data) = (Plain::start_sink().await?, dir.path().join("data"));
    let mut server = serve(&program, &data)?;
    let user = User::add(&program, &data)?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = peak(server.id())?;
    let mut rounds = Rounds::default();
    for round in 0..=ROUNDS {
        let bare = rate(GIB, bare_stream(&plain).await?);
        let (put, file) = user.put(&source)?;
        let got = user.get(&file, &dir.path().join("back"))?;
        user.remove(&file)?;
        // The first only warms up.
        if round > 0 {
            rounds.add(bare, &put, &got);
        }
    }
    let (grown, idle_client) = (peak(server.id())? - idle, user.idle_memory()?);
    stop(&mut server)?;
    let Rounds { bare, puts, gets, both, client } = rounds;
    let beside = format!("bare rustls stream: {:.0} MB/s", crate::stats::median(&bare));
    report.add(Figure::of_rounds("transfer", "put 1 GiB", "MB/s", &puts).beside(beside.clone()));
    report.add(Figure::of_rounds("transfer", "get 1 GiB", "MB/s", &gets).beside(beside));
    let share = Figure::of_rounds("transfer", "put + get, of a bare stream's rate", "×", &both);
    report.add(share.wanted(Target::AtLeast(0.6)));
    let memory = |what: &str, mib: f64| {
        Figure::once("transfer", format!("peak memory of the {what} above idle"), "MiB", mib)
            .wanted(Target::AtMost(64.0))
    };
    report.add(memory("server", grown));
    report.add(memory("client", client - idle_client));
    Ok(())
}

#[derive(Default)]
struct Rounds {
    bare: Vec<f64>,
    puts: Vec<f64>,
    gets: Vec<f64>,
    both: Vec<f64>,
    client: f64,
}

impl Rounds {
    fn add(&mut self, bare: f64, put: &Done, got: &Done) {
        self.bare.push(bare);
        self.puts.push(rate(GIB, put.took));
        self.gets.push(rate(GIB, got.took));
        self.both.push(rate(2 * GIB, put.took + got.took) / bare);
        self.client = self.client.max(put.peak).max(got.peak);
    }
}

/// How long one stream over rustls takes for as much, from the first byte to the word that the last one arrived.
async fn bare_stream(plain: &Plain) -> anyhow::Result<Duration> {
    let (mut stream, piece) = (plain.connect().await?, vec![7; PIECE]);
    let start = Instant::now();
    for _ in 0..GIB / PIECE as u64 {
        stream.write_all(&piece).await?;
    }
    stream.shutdown().await?;
    ensure!(stream.read(&mut [0]).await? == 0, "the server only ends");
    Ok(start.elapsed())
}

/// One user of the child server, with the program itself.
struct User {
    program: PathBuf,
    data: PathBuf,
    token: String,
}

/// One run of the program.
struct Done {
    took: Duration,
    /// Most memory that it had, in MiB.
    peak: f64,
    out: String,
}

impl User {
    fn add(program: &Path, data: &Path) -> anyhow::Result<Self> {
        let user = User { program: program.to_owned(), data: data.to_owned(), token: String::new() };
        let token = user.run(&["user", "add", "bench"])?.out;
        Ok(User { token, ..user })
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Done> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("TEEHOUSE_DATA_DIR", &self.data).env("TEEHOUSE_USER", "bench");
        command.env("TEEHOUSE_TOKEN", &self.token).env("XDG_STATE_HOME", self.data.join("state"));
        let start = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let peak = watch(&mut child)?;
        let took = start.elapsed();
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(Done { took, peak, out: String::from_utf8(output.stdout)?.trim().to_owned() })
    }

    fn put(&self, path: &Path) -> anyhow::Result<(Done, String)> {
        let done = self.run(&["file", "put", "--always-send", path.to_str().context("a path in UTF-8")?])?;
        let file = done.out.clone();
        Ok((done, file))
    }

    fn get(&self, file: &str, to: &Path) -> anyhow::Result<Done> {
        let done = self.run(&["file", "get", file, "--always-send", "-o", to.to_str().context("a path in UTF-8")?])?;
        ensure!(fs::metadata(to)?.len() == GIB, "another size comes back");
        fs::remove_file(to)?;
        Ok(done)
    }

    fn remove(&self, file: &str) -> anyhow::Result<()> {
        self.run(&["file", "rm", file]).map(drop)
    }

    /// What the program takes for a request without a file.
    fn idle_memory(&self) -> anyhow::Result<f64> {
        Ok(self.run(&["file", "list"])?.peak)
    }
}

/// Looks at a process's peak of memory until it ends.
fn watch(child: &mut Child) -> anyhow::Result<f64> {
    let mut most = 0.0;
    while child.try_wait()?.is_none() {
        if let Ok(now) = peak(child.id()) {
            most = now.max(most);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(most)
}

/// A process's peak of memory so far, in MiB.
fn peak(process: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Small files, each durable when its client hears of it: on the shared disk, and over the network.
async fn small(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    for (place, always_send) in [("on the shared disk", false), ("over the network", true)] {
        let user = cluster.user_with(&format!("small-{always_send}"), always_send).await?;
        put_many(&user, SMALL_FILES / 50).await?;
        let took = put_many(&user, SMALL_FILES).await?;
        let per_second = SMALL_FILES as f64 / took.as_secs_f64();
        let figure =
            Figure::once("transfer", format!("100,000 files of 1 KiB, 16 clients, {place}"), "files/s", per_second);
        report.add(figure.wanted(Target::AtLeast(1000.0)));
    }
    cluster.stop().await;
    Ok(())
}

async fn put_many(user: &Teehouse, count: u64) -> anyhow::Result<Duration> {
    let (next, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let workers = (0..CLIENTS).map(|_| {
        let (user, next) = (user.clone(), next.clone());
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let content = crypto::random::bytes::<1024>().to_vec();
                user.put_file(Contents::Bytes(content.into()), Put::named("small".parse()?), |_, _| {}).await?;
            }
            anyhow::Ok(())
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(start.elapsed())
}

fn rate(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}
