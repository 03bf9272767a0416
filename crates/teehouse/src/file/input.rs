//! What is put: a file, a folder or standard input, and what it is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use client::Contents;
use types::file::{BadFileName, FileName};

use super::pack::{self, PackError};
use crate::exit::Complaint;

/// One of the things that are put.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) name: FileName,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, or something that ends as one does.
    File,
    /// Put as one archive.
    Folder,
    /// `-`.
    Standard,
}

impl Input {
    pub(super) fn new(path: PathBuf, name: Option<FileName>) -> anyhow::Result<Self> {
        let kind = match fs::metadata(&path) {
            _ if path == Path::new("-") => Kind::Standard,
            Ok(found) if found.is_dir() => Kind::Folder,
            // Whether it is there at all is found out when it is read.
            _ => Kind::File,
        };
        let name = name.map_or_else(|| name_of(&path, kind), Ok)?;
        Ok(Input { path, name, kind })
    }

    /// What is to be sealed; a folder's archive is begun.
    pub(super) fn contents(&self, lines: bool) -> anyhow::Result<Contents> {
        let path = self.path.clone();
        Ok(match self.kind {
            Kind::Standard if lines => Contents::Lines("/dev/stdin".into()),
            Kind::Standard => Contents::Stream("standard input", Box::new(io::stdin())),
            Kind::Folder => Contents::Stream("the folder", Box::new(pack::archive(&path).map_err(complain)?)),
            Kind::File if lines => Contents::Lines(path),
            Kind::File => Contents::File(path),
        })
    }
}

fn complain(error: PackError) -> Complaint {
    let complaint = Complaint::new(error.to_string());
    let complaint = match error.help() {
        Some(help) => complaint.help(help),
        None => complaint,
    };
    complaint.because(error)
}

fn name_of(path: &Path, kind: Kind) -> anyhow::Result<FileName> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match kind {
        // `.` and `..` have a name elsewhere.
        Kind::Folder => last(path).or_else(|| last(&fs::canonicalize(path).ok()?)).map(|name| format!("{name}.tar")),
        Kind::File | Kind::Standard => last(path),
    };
    let named = Complaint::usage(format!("{} gives no usable file name", path.display()));
    let complain = |error: BadFileName| named.help("name it yourself: --name NAME").because(error).into();
    name.unwrap_or_default().parse().map_err(complain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_a_name() {
        let check = |path: &str, kind: Kind, name: &str| {
            assert_eq!(name_of(Path::new(path), kind).unwrap().as_str(), name);
        };
        check("/a/b.txt", Kind::File, "b.txt");
        check("-", Kind::Standard, "-");
        check("/a/b/", Kind::Folder, "b.tar");
        let here = std::env::current_dir().unwrap();
        check(".", Kind::Folder, &format!("{}.tar", here.file_name().unwrap().display()));
        assert!(name_of(Path::new("a\nb"), Kind::File).is_err());
    }
}
