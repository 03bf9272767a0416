//! Compiled code between one life of the node and the next: files in the data directory's `code`, sealed.
//!
//! What comes out of here runs as machine code. So each file is sealed in the chunked format under a key of its own,
//! derived from the node's sealing key for exactly this code, engine and kind of processor: what somebody else wrote,
//! altered or moved is as good as nothing.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crypto::file::stream::{ChunkLen, Error as StreamError, Header, Layout, Reader, Salt, Writer};
use crypto::{FileKey, Label, SealingKey};
use executor::wasm::{CodeCache, CodeKey};

/// Most that one file may hold, in bytes.
const LARGEST: u64 = 512 << 20;

/// Most that all files hold together, in bytes; beyond it the oldest go.
const ALL: u64 = 2 << 30;

/// The sealed cache of one folder.
pub struct CompiledCode {
    folder: PathBuf,
    key: SealingKey,
}

impl CompiledCode {
    /// The cache in a folder, which is made when it is needed, under a key that nobody has who may not run code here.
    pub fn new(folder: PathBuf, key: SealingKey) -> Self {
        CompiledCode { folder, key }
    }

    fn file_key(&self, name: &str) -> FileKey {
        let secret: SealingKey = self.key.derive(Label::CompiledCode, name.as_bytes());
        FileKey::new(secret.danger_expose(), &[0; FileKey::NONCE_LEN], &[0; FileKey::AD_LEN]).expect("its lengths")
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = File::open(self.folder.join(name))?;
        let length = file.metadata()?.len();
        let layout = Layout::of_sealed(ChunkLen::DEFAULT, length).filter(|layout| layout.size() <= LARGEST);
        let size = layout.ok_or(io::ErrorKind::InvalidData)?.size();
        let mut compiled = Vec::new();
        compiled.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
        let mut reader = Reader::new(file, &self.file_key(name), size).map_err(into_io)?;
        reader.read_to_end(&mut compiled)?;
        Ok(compiled)
    }

    fn write(&self, name: &str, compiled: &[u8]) -> io::Result<()> {
        const OWNER_ALONE: u32 = 0o700;
        DirBuilder::new().recursive(true).mode(OWNER_ALONE).create(&self.folder)?;
        let draft = self.folder.join(format!("draft-{}", crypto::hash::hex(&crypto::random::bytes::<8>())));
        let written =
            self.write_draft(&draft, name, compiled).and_then(|()| fs::rename(&draft, self.folder.join(name)));
        if written.is_err() {
            // Best effort: the first error is the one to tell.
            let _ = fs::remove_file(&draft);
        }
        written?;
        self.make_room()
    }

    fn write_draft(&self, path: &Path, name: &str, compiled: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let header = Header::new(ChunkLen::DEFAULT, Salt::generate());
        let mut writer = Writer::new(file, &self.file_key(name), header).map_err(into_io)?;
        writer.write_all(compiled)?;
        writer.finish().map_err(into_io)?;
        Ok(())
    }

    /// Removes the oldest files while there is too much.
    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let facts = entry.metadata()?;
            files.push((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len(), entry.path()));
        }
        files.sort();
        let mut all: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if all <= ALL {
                break;
            }
            fs::remove_file(path)?;
            all -= length;
        }
        Ok(())
    }
}

impl fmt::Debug for CompiledCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledCode({})", self.folder.display())
    }
}

impl CodeCache for CompiledCode {
    fn get(&self, key: &CodeKey) -> Option<Vec<u8>> {
        let name = key.to_string();
        match self.read(&name) {
            Ok(compiled) => Some(compiled),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, code = name, "compiled code that was kept is not what was kept; it is compiled anew");
                None
            }
        }
    }

    fn put(&self, key: &CodeKey, compiled: &[u8]) {
        if compiled.len() as u64 > LARGEST {
            return;
        }
        if let Err(error) = self.write(&key.to_string(), compiled) {
            tracing::warn!(%error, "compiled code can't be kept; it is compiled again after a restart");
        }
    }
}

fn into_io(error: StreamError) -> io::Error {
    match error {
        StreamError::Read(error) | StreamError::Write(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(dir: &Path) -> CompiledCode {
        CompiledCode::new(dir.join("code"), SealingKey::from_bytes([5; 32]))
    }

    #[test]
    fn what_was_kept_comes_back_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, code) = (sealed(dir.path()), vec![0xc3; 300_000]);
        cache.write("one", &code).unwrap();
        cache.write("two", b"").unwrap();
        assert_eq!(cache.read("one").unwrap(), code);
        assert_eq!(cache.read("two").unwrap(), b"");
        assert!(cache.read("three").is_err());
        let other = CompiledCode::new(dir.path().join("code"), SealingKey::from_bytes([6; 32]));
        assert!(other.read("one").is_err(), "another node's key");
    }

    #[test]
    fn altered_cut_and_moved_code_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = sealed(dir.path());
        cache.write("one", &[7; 100_000]).unwrap();
        let (path, stored) = (dir.path().join("code/one"), fs::read(dir.path().join("code/one")).unwrap());
        for at in [0, 8, 40, 70_000, stored.len() - 1] {
            let mut altered = stored.clone();
            altered[at] ^= 1;
            fs::write(&path, altered).unwrap();
            assert!(cache.read("one").is_err(), "byte {at}");
        }
        for length in [0, 1, 39, 65_600, stored.len() - 1] {
            fs::write(&path, &stored[..length]).unwrap();
            assert!(cache.read("one").is_err(), "{length} bytes");
        }
        fs::write(dir.path().join("code/other"), &stored).unwrap();
        assert!(cache.read("other").is_err(), "the code of another function");
        fs::write(&path, &stored).unwrap();
        assert!(cache.read("one").is_ok());
    }
}
