//! Files on this machine: read whole while they are hashed, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crypto::file::{MAX_PLAINTEXT_LEN, Plaintext, TAG_LEN};
use crypto::hash::{Sha256, hex};
use crypto::random;

/// Bytes read or written between two calls of a progress callback.
const PIECE_LEN: usize = 1 << 20;

/// Permissions of what only its owner should read.
const PRIVATE: u32 = 0o600;

/// Permissions of what the server reads too; the process's mask narrows them.
pub(crate) const SHARED: u32 = 0o666;

/// Reads a file whole; `progress` hears how many bytes of how many were read.
pub(crate) fn read(path: &Path, mut progress: impl FnMut(u64, u64)) -> io::Result<(Plaintext, [u8; 32])> {
    let mut file = File::open(path)?;
    let expected = file.metadata()?.len();
    if expected > MAX_PLAINTEXT_LEN {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut buffer = Vec::new();
    let outcome = fill(&mut file, expected, &mut buffer, &mut progress);
    // Wiped when dropped from here on, also when reading failed.
    let plaintext = Plaintext::from(buffer);
    Ok((plaintext, outcome?))
}

fn fill(
    file: &mut File,
    expected: u64,
    buffer: &mut Vec<u8>,
    progress: &mut impl FnMut(u64, u64),
) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    // Room for the tag, so that sealing moves nothing.
    let room = usize::try_from(expected).map_err(|_| io::ErrorKind::OutOfMemory)?.saturating_add(TAG_LEN);
    buffer.try_reserve_exact(room)?;
    loop {
        let start = buffer.len();
        if io::Read::by_ref(file).take(PIECE_LEN as u64).read_to_end(buffer)? == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[start..]);
        let done = buffer.len() as u64;
        progress(done, expected.max(done));
    }
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
    let draft = beside(path)?;
    let outcome = write_draft(&draft, bytes, mode, &mut progress).and_then(|()| fs::rename(&draft, path));
    if outcome.is_err() {
        let _ = fs::remove_file(&draft);
        return outcome;
    }
    // The new name is on disk once its folder is.
    File::open(parent(path))?.sync_all()
}

fn write_draft(draft: &Path, bytes: &[u8], mode: u32, progress: &mut impl FnMut(u64, u64)) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(draft)?;
    let mut done = 0;
    for piece in bytes.chunks(PIECE_LEN) {
        file.write_all(piece)?;
        done += piece.len() as u64;
        progress(done, bytes.len() as u64);
    }
    file.sync_all()
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
            let mut seen = 0;
            let (read, digest) = read(&path, |done, _| seen = done).unwrap();
            assert_eq!((&*read, digest, seen), (&bytes[..], Sha256::digest(&bytes), length as u64));
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
    fn folders_and_missing_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path(), |_, _| {}).is_err());
        assert!(read(&dir.path().join("missing"), |_, _| {}).is_err());
    }
}
