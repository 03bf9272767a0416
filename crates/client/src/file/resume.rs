//! What a client remembers of an upload, so that the same command continues it after a cut connection or a kill.
//!
//! One small file for each, readable by its owner alone. It holds no key: that is asked for again. With the salt, the same
//! plaintext gives the same ciphertext, and parts that arrived need not be sent again; a source that changed since is
//! another plaintext, and begins anew.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crypto::file::stream::Header;
use crypto::hash::{Sha256, hex, parse_hex};
use serde::{Deserialize, Serialize};
use types::id::FileId;

use crate::disk::write_private;

/// Where unfinished uploads are remembered.
#[derive(Clone, Debug)]
pub(crate) struct Memory(pub(crate) PathBuf);

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    /// The file at the server.
    pub(crate) file_id: FileId,
    /// The header with which it is sealed, in hexadecimal.
    pub(crate) header: String,
    /// What the source was.
    pub(crate) source: Stamp,
}

impl Unfinished {
    /// What [`Slot::keep`] wrote; none when it is anything else.
    pub(crate) fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The header, if it is one.
    pub(crate) fn header(&self) -> Option<Header> {
        Header::parse(&parse_hex(&self.header).ok()?).ok()
    }
}

/// What tells that a file on this machine is the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
}

impl Stamp {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            changed_seconds: metadata.ctime(),
            changed_nanoseconds: metadata.ctime_nsec(),
        }
    }
}

/// One upload's place in the memory.
#[derive(Clone, Debug)]
pub(crate) struct Slot(PathBuf);

impl Memory {
    /// The place of an upload of this path by this user to this server.
    pub(crate) fn slot(&self, server: &str, user: &str, path: &Path) -> io::Result<Slot> {
        let path = fs::canonicalize(path)?;
        let mut hasher = Sha256::new();
        for part in [server.as_bytes(), user.as_bytes(), path.as_os_str().as_encoded_bytes()] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Ok(Slot(self.0.join(format!("{}.json", hex(&hasher.finish())))))
    }
}

impl Slot {
    /// What is remembered here of this very source.
    pub(crate) fn recall(&self, source: Stamp) -> Option<Unfinished> {
        let kept = Unfinished::from_json(&fs::read(&self.0).ok()?)?;
        (kept.source == source).then_some(kept)
    }

    /// Remembers.
    pub(crate) fn keep(&self, unfinished: &Unfinished) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        write_private(&self.0, &serde_json::to_vec(unfinished)?)
    }

    /// Forgets.
    pub(crate) fn clear(&self) {
        // One that can't be removed is found to be of a finished file the next time.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_remembered_for_its_source_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::write(&source, "a").unwrap();
        let stamp = || Stamp::of(&fs::metadata(&source).unwrap());
        let memory = Memory(dir.path().join("state/uploads"));
        let slot = memory.slot("host:1", "alice", &source).unwrap();
        let header = Header::for_size(1);
        let unfinished = Unfinished { file_id: "id".parse().unwrap(), header: hex(&header.encode()), source: stamp() };
        assert_eq!(slot.recall(stamp()), None);
        slot.keep(&unfinished).unwrap();
        assert_eq!(slot.recall(stamp()), Some(unfinished.clone()));
        assert_eq!(unfinished.header(), Some(header));
        for (server, user) in [("host:2", "alice"), ("host:1", "bob"), ("host:1a", "lice")] {
            assert_eq!(memory.slot(server, user, &source).unwrap().recall(stamp()), None);
        }
        fs::write(&source, "bb").unwrap();
        assert_eq!(slot.recall(stamp()), None, "another plaintext");
        slot.keep(&Unfinished { source: stamp(), ..unfinished }).unwrap();
        slot.clear();
        assert_eq!(slot.recall(stamp()), None);
    }
}
