//! Whether this machine shares the server's disk, and where a ciphertext is on it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use types::id::FileId;

use super::FileError;

/// The file that tells one folder of ciphertext from all others.
const VOLUME: &str = ".volume";

/// More than a volume's name ever has, in bytes.
const VOLUME_LEN: u64 = 128;

/// Where a ciphertext is on a disk that this machine shares with the server; `None` when it shares none. A path of that
/// name on another disk is not it: the folder must be the very one that the server named.
pub(super) fn shared(file: &FileId, access_path: &str, volume: Option<&str>) -> Result<Option<PathBuf>, FileError> {
    let path = match access_path.contains("://") {
        true => return Ok(None),
        false => ciphertext_path(file, access_path)?,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let same = match volume {
        Some(volume) => read_volume(folder).is_some_and(|found| found == volume.as_bytes()),
        // A server that names none shares its disk with all its clients.
        None => folder.is_dir(),
    };
    Ok(same.then_some(path))
}

/// The same, if a file can be written there.
pub(super) fn shared_writable(
    file: &FileId,
    access_path: &str,
    volume: Option<&str>,
) -> Result<Option<PathBuf>, FileError> {
    let path = shared(file, access_path, volume)?;
    Ok(path.filter(|path| {
        path.parent().is_some_and(|folder| {
            rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
        })
    }))
}

fn read_volume(folder: &Path) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let path = folder.join(VOLUME);
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    File::open(path).ok()?.take(VOLUME_LEN).read_to_end(&mut name).ok()?;
    Some(name.trim_ascii_end().to_vec())
}

/// Where a ciphertext is: an absolute path that ends in the file's id. The server is attested; all the same it can't
/// make its users write to, or remove, files of other names.
fn ciphertext_path(file: &FileId, access_path: &str) -> Result<PathBuf, FileError> {
    let path = Path::new(access_path);
    let is_named_so = path.file_name().is_some_and(|name| name == file.as_str());
    match is_named_so && path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
        true => Ok(path.to_owned()),
        false => Err(FileError::BadPath { file: file.clone(), path: access_path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_that_end_in_the_id_are_ciphertext_paths() {
        let file = "0a9ca5ac".parse().unwrap();
        for good in ["/0a9ca5ac", "/tmp/0a9ca5ac", "/tmp/files/0a9ca5ac"] {
            assert_eq!(ciphertext_path(&file, good).unwrap(), Path::new(good));
        }
        for bad in ["", "0a9ca5ac", "./0a9ca5ac", "../0a9ca5ac", "/a/../0a9ca5ac", "/0a9ca5ac/..", "/etc/passwd", "/"] {
            assert!(ciphertext_path(&file, bad).is_err(), "{bad}");
        }
    }

    /// A folder of the right name on a disk of one's own is not the server's.
    #[test]
    fn a_disk_is_shared_when_it_is_the_very_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, path) = ("id".parse().unwrap(), dir.path().join("id"));
        let is_shared = |volume: Option<&str>| shared(&file, path.to_str().unwrap(), volume).unwrap().is_some();
        assert!(is_shared(None) && !is_shared(Some("a")));
        fs::write(dir.path().join(VOLUME), "a\n").unwrap();
        assert!(is_shared(Some("a")) && !is_shared(Some("b")) && !is_shared(Some("")));
        fs::remove_file(dir.path().join(VOLUME)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join(VOLUME)).unwrap();
        assert!(!is_shared(Some("a")));
        assert_eq!(shared(&file, "s3://bucket/prefix/id", None).unwrap(), None);
        assert_eq!(shared(&file, "/nowhere/at/all/id", None).unwrap(), None);
    }
}
