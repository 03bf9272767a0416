//! Files on this machine: read whole while they are hashed, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crypto::file::{MAX_PLAINTEXT_LEN, Plaintext, TAG_LEN};
use crypto::hash::{Sha256, hex};
use crypto::random;
use zeroize::Zeroizing;

/// Bytes read or written between two calls of a progress callback.
const PIECE_LEN: usize = 1 << 20;

/// Permissions of what only its owner should read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Permissions of what the server reads too; the process's mask narrows them.
pub(crate) const SHARED: u32 = 0o666;

/// Reads a file whole.
pub(crate) fn read(path: &Path) -> io::Result<Plaintext> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len();
    read_all(file, expected)
}

/// Writes a file that its owner alone can read: whole and on disk, or not at all. What was there before is replaced.
///
/// # Errors
/// When the file can't be written; then it is as it was before.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, PRIVATE, |_, _| {})
}

/// Writes a file that others on this machine may read: whole and on disk, or not at all. What was there before is
/// replaced.
///
/// # Errors
/// When the file can't be written; then it is as it was before.
pub fn write_shared(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, SHARED, |_, _| {})
}

/// Writes a file whole: first under another name beside it, then, once it is on disk, under its own.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, mut progress: impl FnMut(u64, u64)) -> io::Result<()> {
    let (mut draft, mut done) = (Draft::create(path, mode)?, 0);
    for piece in bytes.chunks(PIECE_LEN) {
        draft.write_all(piece)?;
        done += piece.len() as u64;
        progress(done, bytes.len() as u64);
    }
    draft.finish()
}

/// A file that is being written under another name beside its own. Dropped unfinished, it leaves nothing.
pub(crate) struct Draft {
    file: File,
    draft: Option<PathBuf>,
    path: PathBuf,
}

impl Draft {
    /// Begins a file.
    pub(crate) fn create(path: &Path, mode: u32) -> io::Result<Self> {
        let draft = beside(path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        Ok(Draft { file, draft: Some(draft), path: path.to_owned() })
    }

    /// Puts it in its place, in which it is on disk when this returns.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(draft) = &self.draft {
            fs::rename(draft, &self.path)?;
        }
        self.draft = None;
        // The new name is on disk once its folder is.
        File::open(parent(&self.path))?.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            let _ = fs::remove_file(draft);
        }
    }
}

/// The SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Sha256::new(), Zeroizing::new(vec![0; PIECE_LEN]));
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Reads all there is; `expected` is a guess at how much.
pub(crate) fn read_all(mut from: impl Read, expected: u64) -> io::Result<Plaintext> {
    let mut memory = Memory::default();
    memory.reserve(usize::try_from(expected).map_err(|_| io::ErrorKind::OutOfMemory)?.saturating_add(TAG_LEN))?;
    io::copy(&mut from.by_ref().take(MAX_PLAINTEXT_LEN + 1), &mut memory)?;
    if memory.0.len() as u64 > MAX_PLAINTEXT_LEN {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(memory.into_plaintext())
}

/// Reads the first bytes, so many at most; what is left when there are more.
pub(crate) fn read_start(
    mut from: Box<dyn Read + Send>,
    limit: u64,
) -> io::Result<(Plaintext, Option<Box<dyn Read + Send>>)> {
    let mut memory = Memory::default();
    let read = io::copy(&mut from.by_ref().take(limit + 1), &mut memory)?;
    Ok((memory.into_plaintext(), (read > limit).then_some(from)))
}

/// A plaintext that grows in memory; wherever it lay before it grew is wiped.
#[derive(Default)]
pub(crate) struct Memory(Zeroizing<Vec<u8>>);

impl Memory {
    pub(crate) fn into_plaintext(mut self) -> Plaintext {
        std::mem::take(&mut *self.0).into()
    }

    /// Makes room for so many more bytes.
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        let needed = self.0.len().checked_add(more).ok_or(io::ErrorKind::OutOfMemory)?;
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::new());
            larger.try_reserve_exact(needed.max(self.0.capacity().saturating_mul(2)))?;
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        Ok(())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reserve(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fresh name in the same folder.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}.part", hex(&random::bytes::<4>())));
    Ok(path.with_file_name(draft))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for length in [0, 1, PIECE_LEN - 1, PIECE_LEN, PIECE_LEN + 1] {
            let bytes = vec![7; length];
            let mut seen = Vec::new();
            write(&path, &bytes, PRIVATE, |done, total| seen.push((done, total))).unwrap();
            assert_eq!(seen.last().copied().unwrap_or((0, 0)), (length as u64, length as u64));
            assert_eq!(&*read(&path).unwrap(), &bytes[..]);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_take_its_name_is_not_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("folder");
        fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(write(&taken, b"x", PRIVATE, |_, _| {}).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "before").unwrap();
        let mut draft = Draft::create(&path, PRIVATE).unwrap();
        draft.write_all(b"after").unwrap();
        drop(draft);
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_start_of_a_stream_tells_whether_there_is_more() {
        for length in [0, 9, 10, 11, 12, 5000] {
            let (start, rest) = read_start(Box::new(io::Cursor::new(vec![3; length])), 10).unwrap();
            assert_eq!((start.len(), rest.is_some()), (length.min(11), length > 10), "{length}");
            let mut all = start.to_vec();
            if let Some(mut rest) = rest {
                rest.read_to_end(&mut all).unwrap();
            }
            assert_eq!(all, vec![3; length]);
        }
    }

    #[test]
    fn folders_and_missing_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).is_err());
        assert!(read(&dir.path().join("missing")).is_err());
    }
}
