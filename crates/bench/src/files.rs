//! Files put and got through the client, beside what they are made of: AEAD, SHA-256 and the disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use client::{Contents, Teehouse};
use crypto::FileKey;
use crypto::file::{Reader, TAG_LEN, seal};
use crypto::hash::Sha256;

use crate::cluster::{Cluster, folder};
use crate::figure::{Figure, Report};
use crate::stats::median;

const MIB: usize = 1 << 20;
/// Sizes with how often each is put and got.
const SIZES: [(usize, usize); 2] = [(1, 100), (256, 5)];

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let user = cluster.user("user").await?;
    for (mib, times) in SIZES {
        let dir = folder()?;
        let source = dir.path().join("source");
        std::fs::write(&source, crypto::random::bytes::<4096>().repeat(mib * MIB / 4096))?;
        let parts = Parts::measure(mib * MIB, times, dir.path())?;
        let (put, got) = transfer(&user, &source, mib * MIB, times).await?;
        let name = |verb: &str| format!("{verb} {mib} MiB");
        report.add(Figure::of_rounds("files", name("put"), "MB/s", &put).beside(parts.of_put()));
        report.add(Figure::of_rounds("files", name("get"), "MB/s", &got).beside(parts.of_get()));
    }
    cluster.stop().await;
    Ok(())
}

/// MB/s of puts and gets; the first of each only warms up.
async fn transfer(user: &Teehouse, source: &Path, size: usize, times: usize) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (mut puts, mut gets) = (Vec::new(), Vec::new());
    for _ in 0..=times {
        let start = Instant::now();
        let stored =
            user.put_file(Contents::File(source.to_owned()), client::Put::named("file".parse()?), |_, _| {}).await?;
        puts.push(rate(size, start.elapsed()));
        let start = Instant::now();
        let (_, plaintext) = user.get_file(&stored.file_id, |_, _| {}).await?;
        gets.push(rate(size, start.elapsed()));
        ensure!(plaintext.len() == size, "a file came back with another size");
        user.delete_file(&stored.file_id).await?;
    }
    Ok((puts.split_off(1), gets.split_off(1)))
}

/// MB/s of a file's parts, each alone.
struct Parts {
    aead: f64,
    sha256: f64,
    open: f64,
    write: f64,
    read: f64,
}

impl Parts {
    fn measure(size: usize, times: usize, dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("part");
        let (mut aead, mut sha256, mut open) = (Vec::new(), Vec::new(), Vec::new());
        let (mut write, mut read) = (Vec::new(), Vec::new());
        let mut bytes = vec![7; size];
        for _ in 0..times {
            let start = Instant::now();
            let digest = Sha256::digest(&bytes);
            sha256.push(rate(size, start.elapsed()));
            let key = FileKey::generate();
            let same_key = FileKey::new(key.key(), key.nonce(), key.ad())?;
            bytes.reserve_exact(TAG_LEN);
            let start = Instant::now();
            let sealed = seal(bytes, key)?;
            aead.push(rate(size, start.elapsed()));
            let start = Instant::now();
            write_durably(&path, &sealed)?;
            write.push(rate(size, start.elapsed()));
            let start = Instant::now();
            bytes = std::fs::read(&path)?;
            read.push(rate(size, start.elapsed()));
            bytes.truncate(size);
            let start = Instant::now();
            Reader::new(&same_key, size as u64, digest).open(sealed)?;
            open.push(rate(size, start.elapsed()));
        }
        let [aead, sha256, open, write, read] = [aead, sha256, open, write, read].map(|rates| median(&rates));
        Ok(Parts { aead, sha256, open, write, read })
    }

    fn of_put(&self) -> String {
        let Parts { aead, sha256, write, .. } = self;
        format!("alone: SHA-256 {sha256:.0}, AES-256-GCM seal {aead:.0}, write + fsync {write:.0}")
    }

    fn of_get(&self) -> String {
        let Parts { read, open, .. } = self;
        format!("alone: read {read:.0}, GCM open + SHA-256 + wipe {open:.0}")
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn rate(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}
