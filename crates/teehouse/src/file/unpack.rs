//! A tar archive as a new folder: all of it, or nothing.
//!
//! Files go to a fresh folder beside, which takes its name at the end. Nothing can be written outside of it: paths have
//! no `..` and no root, and links are made last, when nothing is written through them any more.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{Archive, Entry, EntryType};

use super::links::stays_inside;

/// An archive that can't become a folder. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("{} can't be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("it is no tar archive")]
    NoArchive(#[source] io::Error),
    #[error("the archive is damaged after {} entries", after)]
    Damaged { after: u64, source: io::Error },
    #[error("the archive's entry `{}` would lead out of the folder", path.escape_debug())]
    LeadsOut { path: String },
    #[error("the archive's entry `{}` is no file, folder or link", path.escape_debug())]
    Kind { path: String },
    #[error("the archive has two entries `{}`", path.escape_debug())]
    Twice { path: String },
}

impl UnpackError {
    /// What to do about it.
    pub(super) fn help(&self) -> &'static str {
        match self {
            UnpackError::Write { .. } => "see that there is room and that you may write there",
            _ => "get it as it is, without --extract, and look at it with tools of your own",
        }
    }
}

/// What is in a new folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Makes a folder of an archive. The folder is new, or was empty, and readable by its owner alone.
pub(super) fn unpack(archive: impl Read, to: &Path) -> Result<Unpacked, UnpackError> {
    let write = |source| UnpackError::Write { path: to.to_owned(), source };
    let mut draft = tempfile::Builder::new();
    let draft = draft.prefix(".").suffix(".part").permissions(Permissions::from_mode(0o700));
    let draft = draft.tempdir_in(parent(to)).map_err(write)?;
    let mut folder = Folder::new(draft.path());
    folder.fill(archive)?;
    let unpacked = folder.finish()?;
    fs::rename(draft.path(), to).map_err(write)?;
    let _ = draft.keep();
    Ok(unpacked)
}

/// The folder that a path is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A folder on its way.
struct Folder<'a> {
    root: &'a Path,
    unpacked: Unpacked,
    entries: u64,
    /// Made last.
    links: Vec<(PathBuf, PathBuf)>,
    /// Set last, since what is made in a folder changes its time.
    times: BTreeMap<PathBuf, SystemTime>,
}

impl<'a> Folder<'a> {
    fn new(root: &'a Path) -> Self {
        Folder { root, unpacked: Unpacked::default(), entries: 0, links: Vec::new(), times: BTreeMap::new() }
    }

    fn fill(&mut self, archive: impl Read) -> Result<(), UnpackError> {
        let mut archive = Archive::new(archive);
        for entry in archive.entries().map_err(UnpackError::NoArchive)? {
            let entry = entry.map_err(|source| self.damaged(source))?;
            self.take(entry)?;
            self.entries += 1;
        }
        Ok(())
    }

    fn take(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let inside = inside(&entry).ok_or_else(|| UnpackError::LeadsOut { path: path.clone() })?;
        let header = entry.header();
        let time = header.mtime().ok().and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        match header.entry_type() {
            EntryType::Directory => {
                self.make_folder(&inside, path)?;
                self.times.extend(time.filter(|_| inside != Path::new("")).map(|time| (inside, time)));
            }
            EntryType::Regular => self.write(&inside, path, time, &mut entry)?,
            EntryType::Symlink => {
                let target = entry.link_name().map_err(|source| self.damaged(source))?.unwrap_or_default().into_owned();
                if inside == Path::new("") || !stays_inside(&inside, &target) {
                    return Err(UnpackError::LeadsOut { path: format!("{path} -> {}", target.display()) });
                }
                self.links.push((inside, target));
            }
            // What is said of all entries: nothing that is needed here.
            EntryType::XGlobalHeader => {}
            _ => return Err(UnpackError::Kind { path }),
        }
        Ok(())
    }

    fn make_folder(&self, inside: &Path, path: String) -> Result<(), UnpackError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.root.join(inside));
        made.map_err(|source| self.unwritten(path, source))
    }

    fn write(
        &mut self,
        inside: &Path,
        path: String,
        time: Option<SystemTime>,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        self.make_folder(inside.parent().unwrap_or(Path::new("")), path.clone())?;
        let mode = 0o600 | entry.header().mode().unwrap_or(0) & 0o100;
        let at = self.root.join(inside);
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&at);
        let mut file = opened.map_err(|source| self.unwritten(path.clone(), source))?;
        let size = entry.size();
        let written = copy(entry, &mut file).map_err(|failed| match failed {
            Copy::Read(source) => self.damaged(source),
            Copy::Write(source) => self.unwritten(path.clone(), source),
        })?;
        if written != size {
            return Err(self.damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(time) = time {
            file.set_modified(time).map_err(|source| self.unwritten(path, source))?;
        }
        self.unpacked = Unpacked { files: self.unpacked.files + 1, bytes: self.unpacked.bytes + written };
        Ok(())
    }

    /// Makes the links and sets the folders' times.
    fn finish(self) -> Result<Unpacked, UnpackError> {
        for (inside, target) in &self.links {
            let path = inside.to_string_lossy().into_owned();
            self.make_folder(inside.parent().unwrap_or(Path::new("")), path.clone())?;
            symlink(target, self.root.join(inside)).map_err(|source| self.unwritten(path, source))?;
        }
        // Deepest first: a folder's own time is not touched by what is set in it, but by what is made.
        for (inside, time) in self.times.iter().rev() {
            let set = File::open(self.root.join(inside)).and_then(|folder| folder.set_modified(*time));
            set.map_err(|source| self.unwritten(inside.to_string_lossy().into_owned(), source))?;
        }
        Ok(self.unpacked)
    }

    fn damaged(&self, source: io::Error) -> UnpackError {
        match self.entries {
            0 => UnpackError::NoArchive(source),
            after => UnpackError::Damaged { after, source },
        }
    }

    /// In a fresh folder, what is there already came out of the same archive.
    fn unwritten(&self, path: String, source: io::Error) -> UnpackError {
        match source.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => UnpackError::Twice { path },
            _ => UnpackError::Write { path: path.into(), source },
        }
    }
}

/// An entry's path, if it leads nowhere but into the folder; empty for the folder itself.
fn inside(entry: &Entry<'_, impl Read>) -> Option<PathBuf> {
    let path = entry.path().ok()?;
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    let is_folder = entry.header().entry_type() == EntryType::Directory;
    (is_folder || inside != Path::new("")).then_some(inside)
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
}

/// Copies to the end, and tells which side failed.
fn copy(from: &mut impl Read, to: &mut File) -> Result<u64, Copy> {
    let (mut buffer, mut done) = (vec![0; 64 << 10], 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(Copy::Write)?;
                done += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Copy::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use tar::{Builder, Header};

    use super::*;

    /// An archive whose paths and targets are written as they are, whatever they say.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (kind, path, content) in entries {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o777);
            header.set_mtime(1_700_000_000);
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            let content = if is_link {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
                ""
            } else {
                content
            };
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    const FILE: EntryType = EntryType::Regular;
    const FOLDER: EntryType = EntryType::Directory;
    const LINK: EntryType = EntryType::Symlink;

    #[test]
    fn folders_files_and_links_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("new");
        let bytes = archive(&[
            (FOLDER, "./", ""),
            (FOLDER, "d/", ""),
            (LINK, "d/link", "../a"),
            (FILE, "./a", "one"),
            (FILE, "d/e/f", "two"),
        ]);
        assert_eq!(unpack(&bytes[..], &to).unwrap(), Unpacked { files: 2, bytes: 6 });
        assert_eq!(fs::read(to.join("d/link")).unwrap(), b"one");
        assert_eq!(fs::read(to.join("d/e/f")).unwrap(), b"two");
        for name in ["a", "d"] {
            let found = fs::metadata(to.join(name)).unwrap();
            assert_eq!((found.mode() & 0o777, found.mtime()), (0o700, 1_700_000_000), "{name}");
        }
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_gets_out_and_nothing_is_left() {
        let check = |entries: &[(EntryType, &str, &str)], text: &str| {
            let dir = tempfile::tempdir().unwrap();
            let error = unpack(&archive(entries)[..], &dir.path().join("a/new")).unwrap_err();
            assert!(matches!(error, UnpackError::Write { .. }), "{error}");
            let error = unpack(&archive(entries)[..], &dir.path().join("new")).unwrap_err();
            assert!(error.to_string().contains(text), "{entries:?}: {error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{entries:?}");
        };
        let out = "would lead out of the folder";
        check(&[(FILE, "/etc/x", "x")], out);
        check(&[(FILE, "../x", "x")], out);
        check(&[(FILE, "d/../../x", "x")], out);
        check(&[(FOLDER, "..", "")], out);
        check(&[(FILE, "./", "x")], out);
        check(&[(LINK, "l", "/etc")], out);
        check(&[(LINK, "l", "..")], out);
        check(&[(LINK, "d/e/up", "../.."), (LINK, "m", "d/e/up/..")], out);
        check(&[(LINK, "l", "d"), (FILE, "l/x", "x")], "two entries");
        check(&[(FILE, "x", "1"), (FILE, "x", "2")], "two entries");
        check(&[(FILE, "x", "1"), (FILE, "x/y", "2")], "two entries");
        check(&[(FILE, "x", "1"), (LINK, "x", "y")], "two entries");
        check(&[(EntryType::Link, "x", "/etc/passwd")], "is no file, folder or link");
        check(&[(EntryType::Fifo, "x", "")], "is no file, folder or link");
        check(&[(EntryType::Char, "x", "")], "is no file, folder or link");
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("new");
        let bytes = archive(&[(FILE, "x", "new")]);
        fs::create_dir(&to).unwrap();
        unpack(&bytes[..], &to).unwrap();
        fs::write(to.join("x"), "old").unwrap();
        assert!(unpack(&bytes[..], &to).is_err());
        assert_eq!(fs::read(to.join("x")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn other_files_are_no_archives() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b"id,name\n"[..], &[7; 512], &[7; 5000]] {
            let error = unpack(bytes, &dir.path().join("new")).unwrap_err();
            assert!(matches!(error, UnpackError::NoArchive(_)), "{error}");
        }
        let whole = archive(&[(FILE, "a", "one"), (FILE, "b", &"two".repeat(500))]);
        let error = unpack(&whole[..2000], &dir.path().join("new")).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged { after: 1, .. }), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_changed_header_gets_out_or_panics() {
        let whole = archive(&[(FOLDER, "d/", ""), (FILE, "d/a", "one"), (LINK, "d/l", "a")]);
        // The starts of name, mode, size, time, kind, target and magic, in each of the three headers.
        let fields = [0..4, 100..108, 124..136, 136..148, 156..160, 257..265];
        for header in [0, 512, 1536] {
            for position in fields.clone().into_iter().flatten() {
                let dir = tempfile::tempdir().unwrap();
                let mut bytes = whole.clone();
                bytes[header + position] ^= 1 << (position % 8);
                // The checksum is right again, or the change would be seen by that alone.
                let mut changed = Header::new_gnu();
                changed.as_mut_bytes().copy_from_slice(&bytes[header..header + 512]);
                changed.set_cksum();
                bytes[header..header + 512].copy_from_slice(changed.as_bytes());
                let _ = unpack(&bytes[..], &dir.path().join("new"));
                let mut left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
                assert!(left.all(|name| name == "new"), "{header} + {position}");
            }
        }
    }
}
