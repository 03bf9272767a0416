//! A folder as one tar archive, made while it is read.
//!
//! The same folder gives the same bytes: entries are sorted, nobody's name is in them, times are kept. Paths are relative
//! to the folder. Files, folders and links that stay inside are what an archive holds; anything else is refused before
//! the first byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, PipeReader, Read, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rustix::fs::OFlags;
use tar::{Builder, EntryType, Header};

use super::links::stays_inside;

/// Bytes that are written to the pipe at once: as many as a pipe of Linux holds.
const PIECE_LEN: usize = 64 << 10;

/// A folder that can't be an archive.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackError {
    #[error("{} can't be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is {what}, which no archive can hold", path.display())]
    Kind { path: PathBuf, what: &'static str },
    #[error("{} is a link to {}, which leads out of the folder", path.display(), target.display())]
    LeadsOut { path: PathBuf, target: PathBuf },
    #[error("{} changed while it was read", path.display())]
    Changed { path: PathBuf },
    #[error("the archive can't be passed on")]
    Write(#[source] io::Error),
}

impl PackError {
    /// What to do about it.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            PackError::Kind { .. } | PackError::LeadsOut { .. } => Some(
                "take it out of the folder, or bring an archive of your own: tar c DIR | teehouse file put - --name DIR.tar",
            ),
            PackError::Changed { .. } => Some("put it again when nobody writes to it"),
            PackError::Read { .. } | PackError::Write(_) => None,
        }
    }
}

/// A folder's archive, to be read to its end.
pub(super) struct Archive {
    pipe: PipeReader,
    packing: Option<JoinHandle<Result<(), PackError>>>,
}

/// Begins an archive of a folder, all of which was looked at when this returns.
pub(super) fn archive(folder: &Path) -> Result<Archive, PackError> {
    walk(folder, Path::new(""), &mut |_, _, _| Ok(()))?;
    let (pipe, to) = io::pipe().map_err(PackError::Write)?;
    let folder = folder.to_owned();
    // Reading the archive to its end joins the thread; whoever stops before closes the pipe, which ends it.
    let packing = thread::Builder::new().name("pack".into()).spawn(move || pack(&folder, to));
    Ok(Archive { pipe, packing: Some(packing.map_err(PackError::Write)?) })
}

impl Read for Archive {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(out)?;
        // The pipe ends in the same way whether all was written or not.
        if let Some(packing) = self.packing.take_if(|_| read == 0 && !out.is_empty()) {
            packing.join().map_err(|_| io::Error::other("packing it panicked"))?.map_err(io::Error::other)?;
        }
        Ok(read)
    }
}

/// What an entry is.
enum Kind {
    Folder,
    File,
    Link(PathBuf),
}

type Visit<'a> = dyn FnMut(&Path, &fs::Metadata, Kind) -> Result<(), PackError> + 'a;

/// Visits what is in a folder, by name, a folder before what is in it.
fn walk(root: &Path, folder: &Path, visit: &mut Visit<'_>) -> Result<(), PackError> {
    let at = root.join(folder);
    let unreadable = |source| PackError::Read { path: at.clone(), source };
    let entries = fs::read_dir(&at).map_err(unreadable)?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    names.sort_unstable();
    for name in names {
        let (path, inside) = (at.join(&name), folder.join(&name));
        let read = |source| PackError::Read { path: path.clone(), source };
        let found = fs::symlink_metadata(&path).map_err(read)?;
        let kind = kind(&path, &inside, &found)?;
        let is_folder = matches!(kind, Kind::Folder);
        visit(&inside, &found, kind)?;
        if is_folder {
            walk(root, &inside, visit)?;
        }
    }
    Ok(())
}

fn kind(path: &Path, inside: &Path, found: &fs::Metadata) -> Result<Kind, PackError> {
    let is = found.file_type();
    let what = match () {
        () if is.is_dir() => return Ok(Kind::Folder),
        () if is.is_file() => return Ok(Kind::File),
        () if is.is_symlink() => {
            let target = fs::read_link(path).map_err(|source| PackError::Read { path: path.to_owned(), source })?;
            return match stays_inside(inside, &target) {
                true => Ok(Kind::Link(target)),
                false => Err(PackError::LeadsOut { path: path.to_owned(), target }),
            };
        }
        () if is.is_socket() => "a socket",
        () if is.is_fifo() => "a pipe",
        () => "a device",
    };
    Err(PackError::Kind { path: path.to_owned(), what })
}

fn pack(folder: &Path, to: impl Write) -> Result<(), PackError> {
    let mut archive = Builder::new(BufWriter::with_capacity(PIECE_LEN, to));
    walk(folder, Path::new(""), &mut |inside, found, kind| match kind {
        Kind::Folder => {
            let mut header = header(found, EntryType::Directory, 0);
            archive.append_data(&mut header, inside.join(""), io::empty()).map_err(PackError::Write)
        }
        Kind::File => append(&mut archive, folder, inside),
        Kind::Link(target) => {
            let mut header = header(found, EntryType::Symlink, 0);
            archive.append_link(&mut header, inside, target).map_err(PackError::Write)
        }
    })?;
    let written = archive.into_inner().and_then(|mut to| to.flush());
    written.map_err(PackError::Write)
}

fn append(archive: &mut Builder<impl Write>, folder: &Path, inside: &Path) -> Result<(), PackError> {
    let path = folder.join(inside);
    let read = |source| PackError::Read { path: path.clone(), source };
    // What has become a link or a pipe since it was looked at is neither followed nor waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&path).map_err(read)?;
    let found = file.metadata().map_err(read)?;
    if !found.is_file() {
        return Err(PackError::Changed { path });
    }
    let mut contents = Contents { file, left: found.len(), failed: None };
    let mut header = header(&found, EntryType::Regular, found.len());
    let appended = archive.append_data(&mut header, inside, &mut contents);
    match contents.failed.take() {
        Some(source) if source.kind() == io::ErrorKind::UnexpectedEof => Err(PackError::Changed { path }),
        Some(source) => Err(read(source)),
        None if contents.has_more().map_err(read)? => Err(PackError::Changed { path }),
        None => appended.map_err(PackError::Write),
    }
}

/// As many bytes of a file as its header says; what fails is kept, to tell it from what fails in writing.
struct Contents {
    file: File,
    left: u64,
    failed: Option<io::Error>,
}

impl Contents {
    fn has_more(&mut self) -> io::Result<bool> {
        Ok(self.left == 0 && self.file.read(&mut [0])? > 0)
    }
}

impl Read for Contents {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        match self.file.read(&mut out[..most]) {
            Ok(0) if most > 0 => self.failed = Some(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.left -= read as u64;
                return Ok(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => self.failed = Some(error),
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// An entry's header without its path: permissions and time are kept, owners are not.
fn header(found: &fs::Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(found.mode() & 0o777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/empty")).unwrap();
        fs::write(dir.path().join("b/two"), vec![7; 200_000]).unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        symlink("../a", dir.path().join("b/link")).unwrap();
        for name in ["a", "b/two", "b/empty", "b"] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            File::open(dir.path().join(name)).unwrap().set_modified(at).unwrap();
        }
        dir
    }

    fn packed(folder: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        archive(folder).map_err(io::Error::other)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn entries_are_sorted_and_name_nobody() {
        let dir = folder();
        let bytes = packed(dir.path()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!((header.username().unwrap(), header.groupname().unwrap()), (Some(""), Some("")));
                if header.entry_type() != EntryType::Symlink {
                    assert_eq!(header.mtime().unwrap(), 1_700_000_000);
                }
                (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), entry.size())
            })
            .collect();
        let expected = [("a", 3), ("b/", 0), ("b/empty/", 0), ("b/link", 0), ("b/two", 200_000)];
        assert_eq!(entries, expected.map(|(path, size)| (path.to_owned(), size)));
    }

    #[test]
    fn the_same_folder_gives_the_same_bytes() {
        let (one, two) = (folder(), folder());
        fs::remove_file(one.path().join("b/link")).unwrap();
        fs::remove_file(two.path().join("b/link")).unwrap();
        for dir in [&one, &two] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
            File::open(dir.path().join("b")).unwrap().set_modified(at).unwrap();
        }
        assert_eq!(packed(one.path()).unwrap(), packed(two.path()).unwrap());
    }

    #[test]
    fn what_no_archive_can_hold_is_refused_before_the_first_byte() {
        let check = |make: &dyn Fn(&Path), text: &str| {
            let dir = folder();
            make(&dir.path().join("b/z"));
            let error = archive(dir.path()).err().unwrap();
            assert_eq!(error.to_string(), format!("{}/b/z {text}", dir.path().display()));
            assert!(error.help().is_some());
        };
        check(&|path| drop(UnixListener::bind(path).unwrap()), "is a socket, which no archive can hold");
        check(&|path| symlink("/etc", path).unwrap(), "is a link to /etc, which leads out of the folder");
        check(&|path| symlink("../../x", path).unwrap(), "is a link to ../../x, which leads out of the folder");
    }

    #[test]
    fn a_failure_while_packing_is_no_end() {
        let dir = folder();
        let path = dir.path().join("c");
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        // What is read goes into c, and all that waits between is less than c: its end is not read yet when it is cut.
        let mut archive = archive(dir.path()).unwrap();
        let mut start = [0; 210_000];
        archive.read_exact(&mut start).unwrap();
        fs::write(&path, vec![1; 1 << 10]).unwrap();
        let error = archive.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("{} changed while it was read", path.display()));
    }

    #[test]
    fn a_reader_that_stops_ends_the_thread() {
        let dir = folder();
        let Archive { pipe, packing } = archive(dir.path()).unwrap();
        drop(pipe);
        assert!(matches!(packing.unwrap().join().unwrap(), Err(PackError::Write(_))));
    }

    #[test]
    fn long_paths_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let name = "n".repeat(200);
        fs::create_dir(dir.path().join(&name)).unwrap();
        fs::write(dir.path().join(&name).join(&name), "x").unwrap();
        let bytes = packed(dir.path()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let last = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).last();
        assert_eq!(last.unwrap(), Path::new(&name).join(&name));
    }
}
