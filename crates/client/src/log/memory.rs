//! What a client remembers of logs: one file per deployment, readable by its owner alone, replaced as a whole.
//!
//! It holds no secret. It has the checkpoint as it was signed, with the signer's evidence, so that it can show to others
//! what the server showed. A file that can't be read is an error and never the same as none: whoever could make a client
//! forget could show it another history.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use attest::identity::Deployment;
use consent::log::checkpoint::Checkpoint;
use consent::log::reader::Remembered;
use serde::{Deserialize, Serialize};
use types::consent::Signer;
use types::user::UserId;
use types::wire::tms_log::LogHead;

use crate::disk::write_private;

/// The version of the file's format.
const SCHEMA: u32 = 1;

/// What is remembered can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file can't be read or written.
    #[error("what is remembered of the log, in {path}, can't be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("what is remembered of the log, in {0}, is not what was written there")]
    Damaged(PathBuf),
}

/// What is remembered of one deployment's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    schema: u32,
    checkpoint: String,
    signer: Signer,
    /// The last entry that was seen of each user's.
    #[serde(default)]
    seen: BTreeMap<String, u64>,
}

/// Where it is remembered.
#[derive(Clone, Debug)]
pub(crate) enum Memory {
    /// In a folder, from one process to the next.
    Folder(PathBuf),
    /// In this process alone.
    Process(Arc<Mutex<BTreeMap<Deployment, Kept>>>),
}

impl Memory {
    /// A memory in a state folder; without one, in this process.
    pub(crate) fn new(state: Option<&Path>) -> Self {
        state.map_or_else(|| Memory::Process(Arc::default()), |state| Memory::Folder(state.join("log")))
    }

    /// The checkpoint that is remembered.
    pub(crate) fn load(&self, deployment: &Deployment) -> Result<Option<Remembered>, MemoryError> {
        self.kept(deployment)?.map(|kept| self.remembered(deployment, &kept)).transpose()
    }

    /// Remembers a head, unless a later one is remembered by now.
    pub(crate) fn keep(
        &self,
        deployment: &Deployment,
        head: &LogHead,
        accepted: &Remembered,
    ) -> Result<(), MemoryError> {
        self.change(deployment, |kept| {
            let before = kept.as_ref().map(|kept| self.remembered(deployment, kept)).transpose()?;
            if before.is_some_and(|before| before.checkpoint.size >= accepted.checkpoint.size) {
                return Ok(None);
            }
            let seen = kept.map(|kept| kept.seen).unwrap_or_default();
            let (checkpoint, signer) = (head.checkpoint.clone(), head.signer.clone());
            Ok(Some(Kept { schema: SCHEMA, checkpoint, signer, seen }))
        })
    }

    /// The last entry of a user's that was seen.
    pub(crate) fn last_seen(&self, deployment: &Deployment, user: &UserId) -> Result<Option<u64>, MemoryError> {
        Ok(self.kept(deployment)?.and_then(|kept| kept.seen.get(user.as_str()).copied()))
    }

    /// Remembers the last entry of a user's that was seen, unless a later one is remembered by now.
    pub(crate) fn keep_seen(&self, deployment: &Deployment, user: &UserId, last: u64) -> Result<(), MemoryError> {
        self.change(deployment, |kept| {
            let later = kept.filter(|kept| kept.seen.get(user.as_str()).is_none_or(|seen| *seen < last));
            Ok(later.map(|mut kept| {
                kept.seen.insert(user.as_str().to_owned(), last);
                kept
            }))
        })
    }

    fn remembered(&self, deployment: &Deployment, kept: &Kept) -> Result<Remembered, MemoryError> {
        let key = kept.signer.key.0.clone();
        let checkpoint = Checkpoint::open(&kept.checkpoint, deployment, &key);
        let checkpoint = checkpoint.map_err(|_| MemoryError::Damaged(self.path(deployment)))?;
        Ok(Remembered { key, checkpoint })
    }

    fn path(&self, deployment: &Deployment) -> PathBuf {
        match self {
            Memory::Folder(folder) => folder.join(format!("{deployment}.json")),
            Memory::Process(_) => PathBuf::from("memory"),
        }
    }

    fn kept(&self, deployment: &Deployment) -> Result<Option<Kept>, MemoryError> {
        match self {
            Memory::Folder(_) => read(&self.path(deployment)),
            Memory::Process(held) => Ok(held.lock().unwrap_or_else(PoisonError::into_inner).get(deployment).cloned()),
        }
    }

    /// Replaces what is remembered by what `change` makes of it, if anything; nobody else does so meanwhile.
    fn change(
        &self,
        deployment: &Deployment,
        change: impl FnOnce(Option<Kept>) -> Result<Option<Kept>, MemoryError>,
    ) -> Result<(), MemoryError> {
        match self {
            Memory::Folder(folder) => {
                let path = self.path(deployment);
                let failed = |source| MemoryError::Io { path: path.clone(), source };
                let _lock = lock(folder).map_err(failed)?;
                let Some(kept) = change(read(&path)?)? else { return Ok(()) };
                let json = serde_json::to_vec(&kept).map_err(|error| failed(error.into()))?;
                write_private(&path, &json).map_err(failed)
            }
            Memory::Process(held) => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                let changed = change(held.get(deployment).cloned())?;
                changed.into_iter().for_each(|kept| drop(held.insert(deployment.clone(), kept)));
                Ok(())
            }
        }
    }
}

/// Holds the folder's lock until it is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn read(path: &Path) -> Result<Option<Kept>, MemoryError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MemoryError::Io { path: path.to_owned(), source }),
    };
    let kept: Option<Kept> = serde_json::from_slice(&bytes).ok();
    let kept = kept.filter(|kept| kept.schema == SCHEMA);
    kept.map(Some).ok_or_else(|| MemoryError::Damaged(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use consent::log::checkpoint::origin;
    use consent::log::note;
    use crypto::sign::Ed25519KeyPair;
    use types::bytes::Base64;
    use types::time::UnixMillis;

    use super::*;

    fn house() -> Deployment {
        "house".parse().unwrap()
    }

    fn known(memory: &Memory) -> Option<u64> {
        memory.load(&house()).unwrap().map(|remembered| remembered.checkpoint.size)
    }

    fn head(size: u64) -> (LogHead, Remembered) {
        let (pair, checkpoint) = (Ed25519KeyPair::from_seed(&[7; 32]), Checkpoint { size, root: [5; 32] });
        let (text, key) = (checkpoint.text(&house()), pair.public_key().to_vec());
        let note = note::write(&text, &origin(&house()), &key, &pair.sign(text.as_bytes()));
        let signer = Signer { key: Base64(key.clone()), evidence: Base64(Vec::new()), at_ms: UnixMillis(0) };
        (LogHead { checkpoint: note, signer, consistency: None }, Remembered { key, checkpoint })
    }

    fn check_remembers(memory: &Memory) {
        let (alice, bob): (UserId, UserId) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        assert_eq!(known(memory), None);
        for (size, remembered) in [(5, 5), (4, 5), (9, 9), (8, 9)] {
            let (head, accepted) = head(size);
            memory.keep(&house(), &head, &accepted).unwrap();
            assert_eq!(known(memory), Some(remembered));
            memory.keep_seen(&house(), &alice, size - 1).unwrap();
            assert_eq!(memory.last_seen(&house(), &alice).unwrap(), Some(remembered - 1));
        }
        assert_eq!(memory.load(&house()).unwrap(), Some(head(9).1));
        assert_eq!(memory.last_seen(&house(), &bob).unwrap(), None);
        assert_eq!(memory.load(&"other".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn the_later_checkpoint_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        check_remembers(&Memory::new(Some(&dir.path().join("state"))));
        check_remembers(&Memory::new(None));
        assert_eq!(known(&Memory::new(Some(&dir.path().join("state")))), Some(9));
    }

    #[test]
    fn a_damaged_memory_is_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(Some(dir.path()));
        let (head, accepted) = head(5);
        memory.keep(&house(), &head, &accepted).unwrap();
        let path = memory.path(&house());
        let good = fs::read_to_string(&path).unwrap();
        for bad in ["", "{}", &good.replace("\"schema\":1", "\"schema\":2"), &good.replace("\\n5\\n", "\\n4\\n")] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(memory.load(&house()), Err(MemoryError::Damaged(_))), "{bad}");
            assert!(memory.keep(&house(), &head, &accepted).is_err());
        }
    }
}
