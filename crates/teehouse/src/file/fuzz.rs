//! Entry points for fuzz targets: files that a user got from somebody else, on the user's own machine.

use std::fs;
use std::path::Path;

use super::{check, unpack};

/// A tar archive, unpacked into a new folder inside `dir`, which is empty before and after.
///
/// # Panics
/// When anything of it is outside of the folder, leads out of it, or stays after a refusal: bugs, all three.
pub fn archive(bytes: &[u8], dir: &Path) {
    let to = dir.join("new");
    let unpacked = unpack::unpack(bytes, &to);
    let beside: Vec<_> = entries(dir).collect();
    assert_eq!(beside, unpacked.is_ok().then(|| to.clone()).into_iter().collect::<Vec<_>>(), "{unpacked:?}");
    let Ok(unpacked) = unpacked else { return };
    assert_eq!(files_in(&to, &to), unpacked.files, "as many files as were told of");
    fs::remove_dir_all(&to).expect("the folder");
}

/// How many files a folder has, none of which may lead out of `root`.
fn files_in(folder: &Path, root: &Path) -> u64 {
    let count = |path: std::path::PathBuf| {
        let found = fs::symlink_metadata(&path).expect("an entry");
        if found.is_symlink() {
            let leads_out = path.canonicalize().is_ok_and(|target| !target.starts_with(real(root)));
            assert!(!leads_out, "{} leads out", path.display());
        }
        if found.is_dir() { files_in(&path, root) } else { u64::from(found.is_file()) }
    };
    entries(folder).map(count).sum()
}

fn entries(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
}

fn real(path: &Path) -> std::path::PathBuf {
    path.canonicalize().expect("it is there")
}

/// A table as CSV or Parquet, looked at before it is put, and a list of columns.
///
/// # Panics
/// When a table does not fit its own columns, or columns are read otherwise than they are written: bugs, both.
pub fn table(bytes: &[u8]) {
    check::fuzz(bytes);
}
