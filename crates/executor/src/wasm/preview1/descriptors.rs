//! Descriptors by number: reading, writing, seeking, asking.

use std::collections::BTreeMap;

use wasmtime::Caller;

use super::super::bindings::wasi::filesystem::types::ErrorCode;
use super::super::descriptor::Descriptor;
use super::super::host::{HANDLES, Host};
use super::super::streams::{Source, Target};
use super::super::tree::Node;
use super::abi::{self, Guest, MFILE, Refusal};
use super::split;

/// All rights: what a path or a descriptor does not allow is refused when it is tried.
const RIGHTS: u64 = (1 << 30) - 1;
/// `fdflags`: writes go to the end.
const APPEND: u32 = 1;
/// `IOV_MAX` of Linux.
const MOST_PIECES: u32 = 1024;

type Done = Result<(), Refusal>;

/// What is open.
pub(in super::super) struct Table(BTreeMap<u32, Entry>);

enum Entry {
    Stdin,
    Stdout,
    Stderr,
    File(Open),
}

/// A file or directory, and where in it the guest is.
struct Open {
    descriptor: Descriptor,
    position: u64,
    append: bool,
}

impl Table {
    /// The standard streams, and the root as the directory that paths start from.
    pub(in super::super) fn new() -> Self {
        let root = Open { descriptor: Descriptor::directory(Node::Root), position: 0, append: false };
        Self(
            [Entry::Stdin, Entry::Stdout, Entry::Stderr, Entry::File(root)]
                .into_iter()
                .zip(0..)
                .map(|(e, n)| (n, e))
                .collect(),
        )
    }

    fn entry(&mut self, fd: u32) -> Result<&mut Entry, Refusal> {
        self.0.get_mut(&fd).ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    fn open(&mut self, fd: u32) -> Result<&mut Open, Refusal> {
        match self.entry(fd)? {
            Entry::File(open) => Ok(open),
            _ => Err(ErrorCode::InvalidSeek.into()),
        }
    }

    pub(super) fn node(&mut self, fd: u32) -> Result<Node, Refusal> {
        match self.entry(fd)? {
            Entry::File(open) => Ok(open.descriptor.node()),
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Whether one more can be opened.
    pub(super) fn check_room(&self) -> Done {
        if self.0.len() < HANDLES { Ok(()) } else { Err(MFILE) }
    }

    /// The lowest free number for what was opened.
    pub(super) fn add(&mut self, descriptor: Descriptor, append: bool) -> u32 {
        let fd = (0..).zip(self.0.keys()).find(|(number, taken)| number != *taken);
        let fd = fd.map_or(u32::try_from(self.0.len()).unwrap_or(u32::MAX), |(number, _)| number);
        self.0.insert(fd, Entry::File(Open { descriptor, position: 0, append }));
        fd
    }
}

impl Entry {
    fn source(&self, host: &Host, offset: Option<u64>) -> Result<Source, Refusal> {
        match (self, offset) {
            (Self::Stdin, None) => Ok(Source::Payload),
            (Self::File(open), offset) => Ok(host.source_of(&open.descriptor, offset.unwrap_or(open.position))?),
            (Self::Stdin, Some(_)) => Err(ErrorCode::InvalidSeek.into()),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    fn target(&self, offset: Option<u64>) -> Result<Target, Refusal> {
        match (self, offset) {
            (Self::Stdout, None) => Ok(Target::Result),
            (Self::Stderr, None) => Ok(Target::Errors),
            (Self::File(open), offset) => {
                let output = open.descriptor.output()?;
                let position = offset.or((!open.append).then_some(open.position));
                Ok(Target::Output { output, position })
            }
            (Self::Stdout | Self::Stderr, Some(_)) => Err(ErrorCode::InvalidSeek.into()),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }
}

/// Reads into pieces of the guest's memory: what there is of the first ones, at least something unless it is the end.
pub(super) async fn read(
    caller: &mut Caller<'_, Host>,
    fd: u32,
    offset: Option<u64>,
    (pieces, count): (u32, u32),
    at: u32,
) -> Done {
    check_count(count)?;
    let host = caller.data_mut();
    let entry = host.fds.0.get(&fd).ok_or(ErrorCode::BadDescriptor)?;
    let mut source = entry.source(host, offset)?;
    if let Source::Input { reader, position } = &source {
        let door = host.door.clone();
        reader.seek(*position, &door).await?;
    }
    let (mut guest, host) = split(caller).map_err(super::FileFault::End)?;
    let mut read = 0;
    for index in 0..count {
        let (address, length) = guest.piece(pieces, index)?;
        let there = host.copy(&mut source, guest.bytes_mut(address, length)?)?;
        read += there;
        if there < length as usize {
            break;
        }
    }
    if let (Entry::File(open), None) = (host.fds.entry(fd)?, offset) {
        open.position += read as u64;
    }
    guest.put_u32(at, u32::try_from(read).unwrap_or(u32::MAX))
}

impl Host {
    /// Fills `into` as far as the source goes.
    fn copy(&mut self, source: &mut Source, into: &mut [u8]) -> Result<usize, Refusal> {
        match source {
            Source::Payload => Ok(copy_slice(&self.payload, &mut self.stdin, into)),
            Source::Script { content, position } => Ok(copy_slice(content, position, into)),
            Source::Input { reader, .. } => Ok(reader.copy(into)?),
        }
    }

    fn write_pieces(
        &mut self,
        guest: &mut Guest<'_>,
        mut target: Target,
        pieces: (u32, u32),
        at: u32,
    ) -> Result<u32, Refusal> {
        check_count(pieces.1)?;
        let mut written = 0_u32;
        for index in 0..pieces.1 {
            let (address, length) = guest.piece(pieces.0, index)?;
            target = self.write_to(target, guest.bytes(address, length)?)?;
            written = written.saturating_add(length);
        }
        guest.put_u32(at, written)?;
        Ok(written)
    }

    pub(super) fn fd_write(&mut self, guest: &mut Guest<'_>, fd: u32, pieces: u32, count: u32, at: u32) -> Done {
        let target = self.fds.entry(fd)?.target(None)?;
        let written = self.write_pieces(guest, target, (pieces, count), at)?;
        let end = match target {
            Target::Output { output, .. } => self.tree.size(Node::Output(output)),
            _ => 0,
        };
        if let Entry::File(open) = self.fds.entry(fd)? {
            open.position = if open.append { end } else { open.position + u64::from(written) };
        }
        Ok(())
    }

    pub(super) fn fd_pwrite(
        &mut self,
        guest: &mut Guest<'_>,
        fd: u32,
        pieces: u32,
        count: u32,
        offset: u64,
        at: u32,
    ) -> Done {
        let target = self.fds.entry(fd)?.target(Some(offset))?;
        self.write_pieces(guest, target, (pieces, count), at).map(drop)
    }

    pub(super) fn fd_close(&mut self, _: &mut Guest<'_>, fd: u32) -> Done {
        self.fds.0.remove(&fd).map(drop).ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    pub(super) fn fd_renumber(&mut self, _: &mut Guest<'_>, from: u32, to: u32) -> Done {
        self.fds.entry(to)?;
        let entry = self.fds.0.remove(&from).ok_or(ErrorCode::BadDescriptor)?;
        self.fds.0.insert(to, entry);
        Ok(())
    }

    pub(super) fn fd_seek(&mut self, guest: &mut Guest<'_>, fd: u32, offset: i64, whence: u32, at: u32) -> Done {
        let open = self.fds.open(fd)?;
        let from = match whence {
            0 => 0,
            1 => open.position,
            2 => self.tree.size(open.descriptor.node()),
            _ => return Err(ErrorCode::Invalid.into()),
        };
        open.position = from.checked_add_signed(offset).ok_or(ErrorCode::Invalid)?;
        guest.put_u64(at, open.position)
    }

    pub(super) fn fd_tell(&mut self, guest: &mut Guest<'_>, fd: u32, at: u32) -> Done {
        let position = self.fds.open(fd)?.position;
        guest.put_u64(at, position)
    }

    pub(super) fn fd_advise(&mut self, _: &mut Guest<'_>, fd: u32, _: u64, _: u64, _: u32) -> Done {
        self.fds.open(fd).map(drop)
    }

    pub(super) fn fd_allocate(&mut self, _: &mut Guest<'_>, fd: u32, _: u64, _: u64) -> Done {
        self.fds.open(fd)?;
        Err(ErrorCode::Unsupported.into())
    }

    pub(super) fn fd_datasync(&mut self, _: &mut Guest<'_>, fd: u32) -> Done {
        self.fds.entry(fd).map(drop)
    }

    pub(super) fn fd_sync(&mut self, _: &mut Guest<'_>, fd: u32) -> Done {
        self.fds.entry(fd).map(drop)
    }

    pub(super) fn fd_fdstat_get(&mut self, guest: &mut Guest<'_>, fd: u32, at: u32) -> Done {
        let mut record = [0; 24];
        if let Entry::File(open) = self.fds.entry(fd)? {
            record[0] = abi::filetype(open.descriptor.node());
            record[2] = u8::from(open.append);
        }
        record[8..16].copy_from_slice(&RIGHTS.to_le_bytes());
        record[16..].copy_from_slice(&RIGHTS.to_le_bytes());
        guest.put(at, &record)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, _: &mut Guest<'_>, fd: u32, flags: u32) -> Done {
        if let Entry::File(open) = self.fds.entry(fd)? {
            open.append = appends(flags);
        }
        Ok(())
    }

    pub(super) fn fd_fdstat_set_rights(&mut self, _: &mut Guest<'_>, fd: u32, _: u64, _: u64) -> Done {
        self.fds.entry(fd).map(drop)
    }

    pub(super) fn fd_filestat_get(&mut self, guest: &mut Guest<'_>, fd: u32, at: u32) -> Done {
        let record = match self.fds.entry(fd)? {
            Entry::File(open) => {
                let node = open.descriptor.node();
                self.filestat(node)
            }
            _ => [0; 64],
        };
        guest.put(at, &record)
    }

    /// What `stat` tells of a place.
    pub(super) fn filestat(&self, node: Node) -> [u8; 64] {
        let mut record = [0; 64];
        let (upper, lower) = node.inode();
        record[8..16].copy_from_slice(&(upper << 48 | lower).to_le_bytes());
        record[16] = abi::filetype(node);
        record[24] = 1;
        record[32..40].copy_from_slice(&self.tree.size(node).to_le_bytes());
        record
    }

    pub(super) fn fd_filestat_set_size(&mut self, _: &mut Guest<'_>, fd: u32, size: u64) -> Done {
        let output = self.fds.open(fd)?.descriptor.output()?;
        let same = self.tree.size(Node::Output(output)) == size;
        if same { Ok(()) } else { Err(ErrorCode::NotPermitted.into()) }
    }

    pub(super) fn fd_filestat_set_times(&mut self, _: &mut Guest<'_>, fd: u32, _: u64, _: u64, _: u32) -> Done {
        self.fds.open(fd)?;
        Err(ErrorCode::NotPermitted.into())
    }

    pub(super) fn fd_prestat_get(&mut self, guest: &mut Guest<'_>, fd: u32, at: u32) -> Done {
        if fd != 3 {
            return Err(ErrorCode::BadDescriptor.into());
        }
        guest.put(at, &[0, 0, 0, 0, 1, 0, 0, 0])
    }

    pub(super) fn fd_prestat_dir_name(&mut self, guest: &mut Guest<'_>, fd: u32, text: u32, length: u32) -> Done {
        match (fd, length) {
            (3, 1..) => guest.put(text, b"/"),
            (3, 0) => Err(ErrorCode::NameTooLong.into()),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    pub(super) fn fd_readdir(
        &mut self,
        guest: &mut Guest<'_>,
        fd: u32,
        buffer: u32,
        length: u32,
        cookie: u64,
        at: u32,
    ) -> Done {
        let node = self.fds.node(fd)?;
        if !node.is_directory() {
            return Err(ErrorCode::NotDirectory.into());
        }
        let mut records = Vec::new();
        let skipped = usize::try_from(cookie).unwrap_or(usize::MAX);
        for (next, (name, node)) in (1_u64..).zip(self.tree.list(node)).skip(skipped) {
            if records.len() >= length as usize {
                break;
            }
            records.extend_from_slice(&dirent(next, &name, node));
        }
        // The last one is cut off where the buffer ends; the guest asks again with a larger one.
        records.truncate(length as usize);
        guest.put(buffer, &records)?;
        guest.put_u32(at, u32::try_from(records.len()).unwrap_or(u32::MAX))
    }
}

/// POSIX systems take no more pieces at once; each costs the host more than the guest.
fn check_count(pieces: u32) -> Done {
    if pieces <= MOST_PIECES { Ok(()) } else { Err(ErrorCode::Invalid.into()) }
}

/// Whether `fdflags` ask for writing at the end.
pub(super) fn appends(flags: u32) -> bool {
    flags & APPEND != 0
}

fn dirent(next: u64, name: &str, node: Node) -> Vec<u8> {
    let (upper, lower) = node.inode();
    let mut record = Vec::with_capacity(24 + name.len());
    record.extend_from_slice(&next.to_le_bytes());
    record.extend_from_slice(&(upper << 48 | lower).to_le_bytes());
    record.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(&[abi::filetype(node), 0, 0, 0]);
    record.extend_from_slice(name.as_bytes());
    record
}

fn copy_slice(content: &[u8], position: &mut u64, into: &mut [u8]) -> usize {
    let start = usize::try_from(*position).unwrap_or(usize::MAX).min(content.len());
    let bytes = into.len().min(content.len() - start);
    into[..bytes].copy_from_slice(&content[start..start + bytes]);
    *position += bytes as u64;
    bytes
}
