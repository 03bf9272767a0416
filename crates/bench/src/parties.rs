//! Files of several parties on a disk, a function over them in a process of its own, and the floor under its time.

use std::fs::{self, File};
use std::io::{BufRead as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crypto::FileKey;
use crypto::file::stream::{Header, Reader, Writer};
use crypto::hash::Sha256;
use executor::{Function, Limits};
use fns::alone::{self, StoredFile};
use types::digest::Digest;
use types::file::Format;

/// A party's file: where it is, and what opens it.
pub(crate) struct PartyFile {
    key: FileKey,
    stored: StoredFile,
}

impl PartyFile {
    /// Seals what is written, in chunks.
    pub(crate) fn create(
        path: &Path,
        size: u64,
        content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> anyhow::Result<Self> {
        let key = FileKey::generate();
        let mut writer =
            Hashing { to: Writer::new(File::create(path)?, &key, Header::for_size(size))?, sha256: Sha256::new() };
        content(&mut writer)?;
        writer.to.finish()?;
        let stored = StoredFile {
            path: path.to_owned(),
            key: alone::to_travel(&key),
            size,
            sha256: Digest::new(writer.sha256.finish()),
            format: Format::Chunked,
        };
        Ok(PartyFile { key, stored })
    }

    /// Reads, opens and hashes it.
    fn read(&self) -> anyhow::Result<()> {
        let reader = Reader::new(File::open(&self.stored.path)?, &self.key, self.stored.size)?;
        let mut reader = reader.expect_sha256(*self.stored.sha256.as_bytes());
        loop {
            match reader.fill_buf()?.len() {
                0 => return Ok(()),
                read => reader.consume(read),
            }
        }
    }
}

struct Hashing<W> {
    to: W,
    sha256: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write_all(bytes)?;
        self.sha256.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How long all files take to be read, opened and hashed, each by a thread.
pub(crate) fn floor(files: &[PartyFile]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = files.iter().map(|file| scope.spawn(|| file.read())).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a thread panicked")?)
    })?;
    Ok(start.elapsed())
}

/// How long a built-in takes from the files to its stored outputs, which are removed.
pub(crate) fn run(name: &str, files: &[PartyFile], folder: &Path, limits: &Limits) -> anyhow::Result<Duration> {
    let function = built_in(name)?;
    let inputs: Vec<&StoredFile> = files.iter().map(|file| &file.stored).collect();
    let start = Instant::now();
    let outputs = alone::run(&*function, &inputs, folder, limits)?;
    let took = start.elapsed();
    for (_, output) in outputs {
        fs::remove_file(output.path)?;
    }
    Ok(took)
}

fn built_in(name: &str) -> anyhow::Result<Arc<dyn Function>> {
    let found = functions::builtins().into_iter().find(|function| function.interface().name == name);
    found.context("no such built-in")
}

/// This process's peak of memory so far, in MiB.
pub(crate) fn peak() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
