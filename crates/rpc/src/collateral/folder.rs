//! The folder of collateral: one JSON document in each `*.json`, written by people or by the keeper.
//!
//! Whoever replaces a file writes the new one beside it and renames it, as the keeper does. A file that can't be read is
//! logged, and what it said before stays.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use attest::collateral::{BadCollateral, Collateral, MAX_COLLATERAL_BYTES, Part};

/// How many files are looked at: each is for one kind of machine.
const FILES: usize = 256;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

struct Known {
    stamp: Stamp,
    part: Option<Part>,
}

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
enum BadFile {
    #[error("it can't be read")]
    Io(#[from] io::Error),
    #[error("it is no collateral")]
    Collateral(#[from] BadCollateral),
}

/// A folder as it was last looked at.
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, Known>,
    /// What could not be written.
    unwritten: Collateral,
}

impl Folder {
    /// A folder that need not be there yet.
    pub(super) fn at(path: PathBuf) -> Self {
        Folder { path, files: BTreeMap::new(), unwritten: Collateral::default() }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks for what has changed. Says whether anything has.
    pub(super) fn look(&mut self) -> bool {
        let found = self.list();
        let gone = self.files.len();
        self.files.retain(|path, _| found.contains_key(path));
        let mut changed = gone != self.files.len();
        for (path, stamp) in found {
            if self.files.get(&path).is_none_or(|known| known.stamp != stamp) {
                self.read(path, stamp);
                changed = true;
            }
        }
        changed
    }

    /// Has a document count that can't be written, for as long as this process lives.
    pub(super) fn remember(&mut self, part: Part) {
        self.unwritten = std::mem::take(&mut self.unwritten).with(part);
    }

    /// All that it says; of two files for the same machines the newer counts.
    pub(super) fn collateral(&self) -> Collateral {
        let parts = self.files.values().filter_map(|known| known.part.clone());
        parts.fold(self.unwritten.clone(), Collateral::with)
    }

    /// Writes a document, whole or not at all, under the name of what it is for.
    pub(super) fn write(&self, part: &Part) -> io::Result<()> {
        let need = part.need().ok_or(io::ErrorKind::InvalidInput)?;
        let name = format!("{}.json", need.to_string().replace(':', "-").to_lowercase());
        fs::create_dir_all(&self.path)?;
        // Services on one data directory may write at the same time.
        let draft = self.path.join(format!(".{name}.{}", std::process::id()));
        let mut file = File::create(&draft)?;
        file.write_all(&part.to_json())?;
        file.sync_all()?;
        fs::rename(draft, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }

    fn list(&self) -> BTreeMap<PathBuf, Stamp> {
        // A folder that is not there has nothing.
        let entries = fs::read_dir(&self.path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let json = entries.filter(|path| path.extension() == Some(OsStr::new("json")));
        json.take(FILES).filter_map(|path| stamp(&path).map(|stamp| (path, stamp))).collect()
    }

    fn read(&mut self, path: PathBuf, stamp: Stamp) {
        let read = read(&path).map_err(|error| {
            let error = anyhow::Error::from(error);
            tracing::warn!(file = %path.display(), error = format!("{error:#}"), "collateral is not taken over");
        });
        let before = self.files.remove(&path).and_then(|known| known.part);
        self.files.insert(path, Known { stamp, part: read.ok().or(before) });
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Stamp { modified: data.modified().ok(), bytes: data.len(), inode: data.ino() })
}

fn read(path: &Path) -> Result<Part, BadFile> {
    let mut json = Vec::new();
    // One byte more than is accepted, so that what is too long is seen to be.
    File::open(path)?.take(MAX_COLLATERAL_BYTES as u64 + 1).read_to_end(&mut json)?;
    Ok(Part::from_json(&json)?)
}
