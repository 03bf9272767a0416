//! Opening and asking by path.

use wasmtime::Caller;

use super::super::bindings::wasi::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};
use super::super::host::Host;
use super::abi::{Guest, Refusal};
use super::{descriptors, split};

type Done = Result<(), Refusal>;

/// `rights`: reading and writing, which is how programs say what they open a file for.
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

/// How a program opens: `oflags`, `rights` and `fdflags`.
pub(super) struct How {
    pub(super) how: u32,
    pub(super) rights: u64,
    pub(super) flags: u32,
}

impl How {
    fn open_flags(&self) -> OpenFlags {
        let flags = [OpenFlags::CREATE, OpenFlags::DIRECTORY, OpenFlags::EXCLUSIVE, OpenFlags::TRUNCATE];
        (0..)
            .zip(flags)
            .filter(|(bit, _)| self.how >> bit & 1 == 1)
            .fold(OpenFlags::empty(), |all, (_, flag)| all | flag)
    }

    fn descriptor_flags(&self) -> DescriptorFlags {
        let flags = [(READ, DescriptorFlags::READ), (WRITE, DescriptorFlags::WRITE)];
        let asked = flags.into_iter().filter(|(right, _)| self.rights & right != 0);
        asked.fold(DescriptorFlags::empty(), |all, (_, flag)| all | flag)
    }
}

/// Opens a path and puts its number at `at`.
pub(super) async fn open(
    caller: &mut Caller<'_, Host>,
    fd: u32,
    (text, length): (u32, u32),
    how: How,
    at: u32,
) -> Done {
    let (guest, host) = split(caller).map_err(super::FileFault::End)?;
    let path = guest.text(text, length)?.to_owned();
    let from = host.fds.node(fd)?;
    host.fds.check_room()?;
    let descriptor = host.open(from, &path, how.open_flags(), how.descriptor_flags()).await?;
    let (mut guest, host) = split(caller).map_err(super::FileFault::End)?;
    let fd = host.fds.add(descriptor, descriptors::appends(how.flags));
    guest.put_u32(at, fd)
}

impl Host {
    pub(super) fn path_filestat_get(
        &mut self,
        guest: &mut Guest<'_>,
        fd: u32,
        _: u32,
        text: u32,
        length: u32,
        at: u32,
    ) -> Done {
        let from = self.fds.node(fd)?;
        let node = self.tree.find(from, guest.text(text, length)?)?;
        guest.put(at, &self.filestat(node))
    }

    pub(super) fn path_create_directory(&mut self, guest: &mut Guest<'_>, fd: u32, text: u32, length: u32) -> Done {
        let from = self.fds.node(fd)?;
        let there = self.tree.find(from, guest.text(text, length)?).is_ok();
        Err(if there { ErrorCode::Exist } else { ErrorCode::NotPermitted }.into())
    }

    #[allow(clippy::too_many_arguments, reason = "preview 1 has them")]
    pub(super) fn path_readlink(
        &mut self,
        guest: &mut Guest<'_>,
        fd: u32,
        text: u32,
        length: u32,
        _: u32,
        _: u32,
        _: u32,
    ) -> Done {
        let from = self.fds.node(fd)?;
        self.tree.find(from, guest.text(text, length)?)?;
        Err(ErrorCode::Invalid.into())
    }
}
