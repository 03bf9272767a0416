//! A folder that was opened once: names are resolved in it without following links, and only regular files are opened.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::error::Reason;

/// Finished ciphertext is for everybody who may enter the folder; drafts lie in a folder that only the server enters.
const FILE_MODE: u32 = 0o644;

/// An open folder.
pub(super) struct Folder(OwnedFd);

/// What lies under a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) regular: bool,
    pub(super) len: u64,
    pub(super) modified: SystemTime,
    /// Device and inode: two names with the same are one file.
    pub(super) file: (u64, u64),
}

impl Folder {
    /// The folder at a path that an operator chose; links in it are the operator's.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Folder(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A folder in this one, made with this mode if there is none.
    pub(super) fn inner(&self, name: &str, mode: u32) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Folder(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// A regular file for reading, and `None` when nothing has this name.
    pub(super) fn read(&self, name: &str) -> Result<Option<File>, Reason> {
        self.existing(name, OFlags::RDONLY)
    }

    /// A regular file for reading and writing, and `None` when nothing has this name.
    pub(super) fn write(&self, name: &str) -> Result<Option<File>, Reason> {
        self.existing(name, OFlags::RDWR)
    }

    fn existing(&self, name: &str, access: OFlags) -> Result<Option<File>, Reason> {
        // Opening a FIFO would otherwise wait for somebody at its other end.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(fd) => regular(fd).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(Reason::NotAFile),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A new file for reading and writing; an error when the name is taken.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(FILE_MODE))?.into())
    }

    /// What lies under a name, itself and not what it points to.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<Found>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Found::from(stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// As [`find`](Self::find), and an error for what is no regular file.
    pub(super) fn find_file(&self, name: &str) -> Result<Option<Found>, Reason> {
        match self.find(name)? {
            Some(found) if !found.regular => Err(Reason::NotAFile),
            found => Ok(found),
        }
    }

    /// Removes a name; `false` when there was none.
    pub(super) fn remove(&self, name: &str) -> Result<bool, Reason> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(Errno::ISDIR) => Err(Reason::NotAFile),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Gives a file a name in another folder; [`Reason::Exists`] when that name is taken, and nothing is replaced.
    pub(super) fn rename(&self, name: &str, to: &Folder, new: &str) -> Result<(), Reason> {
        match rustix::fs::renameat_with(&self.0, name, &to.0, new, RenameFlags::NOREPLACE) {
            // File systems that can't do this can link.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.link(name, to, new),
            result => named(result),
        }
    }

    fn link(&self, name: &str, to: &Folder, new: &str) -> Result<(), Reason> {
        named(rustix::fs::linkat(&self.0, name, &to.0, new, AtFlags::empty()))?;
        self.remove(name).map(drop)
    }

    /// Makes the folder's names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Its names, in the system's order.
    pub(super) fn names(&self) -> io::Result<rustix::fs::Dir> {
        Ok(rustix::fs::Dir::read_from(&self.0)?)
    }
}

fn regular(fd: OwnedFd) -> Result<File, Reason> {
    match Found::from(rustix::fs::fstat(&fd)?).regular {
        true => Ok(fd.into()),
        false => Err(Reason::NotAFile),
    }
}

fn named(result: rustix::io::Result<()>) -> Result<(), Reason> {
    result.map_err(|errno| match errno {
        Errno::EXIST => Reason::Exists,
        Errno::NOENT => Reason::Missing,
        errno => errno.into(),
    })
}

impl From<Stat> for Found {
    fn from(stat: Stat) -> Self {
        // Times before 1970 are nobody's last activity.
        let since_1970 =
            Duration::new(stat.st_mtime.try_into().unwrap_or(0), stat.st_mtime_nsec.try_into().unwrap_or(0));
        Found {
            regular: FileType::from_raw_mode(stat.st_mode).is_file(),
            len: stat.st_size.try_into().unwrap_or(0),
            modified: SystemTime::UNIX_EPOCH + since_1970,
            file: (stat.st_dev, stat.st_ino),
        }
    }
}
