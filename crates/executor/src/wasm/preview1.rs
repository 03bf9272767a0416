//! WASI preview 1: the same files, clocks and streams as in 0.2, as 46 functions over the guest's memory.
//!
//! Not through wasmtime's adapter, which takes a page of the guest's memory before the guest's allocator has looked at
//! it: programs linked with the wasi-libc of 2022, which Debian ships, take that page for theirs.

mod abi;
mod descriptors;
mod paths;
mod process;

use wasmtime::{Caller, Extern, Linker};

use super::fault::FileFault;
use super::host::Host;
use crate::Failure;
use abi::{Guest, Refusal};
pub(super) use descriptors::Table;

/// The name of the module that programs import.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

/// Defines functions that answer at once, and lists them.
macro_rules! at_once {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        const AT_ONCE: &[&str] = &[$(stringify!($name)),*];

        fn define_at_once(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(linker.func_wrap(MODULE, stringify!($name), |mut caller: Caller<'_, Host>, $($arg: $ty),*| {
                let (mut guest, host) = split(&mut caller)?;
                errno(host.$name(&mut guest, $($arg),*))
            })?;)*
            Ok(())
        }
    };
}

at_once! {
    args_get(pointers: u32, text: u32);
    args_sizes_get(count: u32, bytes: u32);
    environ_get(pointers: u32, text: u32);
    environ_sizes_get(count: u32, bytes: u32);
    clock_res_get(clock: u32, at: u32);
    clock_time_get(clock: u32, precision: u64, at: u32);
    fd_advise(fd: u32, offset: u64, length: u64, advice: u32);
    fd_allocate(fd: u32, offset: u64, length: u64);
    fd_close(fd: u32);
    fd_datasync(fd: u32);
    fd_fdstat_get(fd: u32, at: u32);
    fd_fdstat_set_flags(fd: u32, flags: u32);
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
    fd_filestat_get(fd: u32, at: u32);
    fd_filestat_set_size(fd: u32, size: u64);
    fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
    fd_prestat_get(fd: u32, at: u32);
    fd_prestat_dir_name(fd: u32, text: u32, length: u32);
    fd_pwrite(fd: u32, pieces: u32, count: u32, offset: u64, at: u32);
    fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, at: u32);
    fd_renumber(from: u32, to: u32);
    fd_seek(fd: u32, offset: i64, whence: u32, at: u32);
    fd_sync(fd: u32);
    fd_tell(fd: u32, at: u32);
    fd_write(fd: u32, pieces: u32, count: u32, at: u32);
    path_create_directory(fd: u32, text: u32, length: u32);
    path_filestat_get(fd: u32, flags: u32, text: u32, length: u32, at: u32);
    path_readlink(fd: u32, text: u32, length: u32, buffer: u32, room: u32, at: u32);
    poll_oneoff(subscriptions: u32, events: u32, count: u32, at: u32);
    random_get(buffer: u32, length: u32);
    sched_yield();
}

/// Defines functions that refuse whatever they are asked, and lists them.
macro_rules! never {
    ($($name:ident($($ty:ty),*) = $errno:ident;)*) => {
        const NEVER: &[&str] = &[$(stringify!($name)),*];

        fn define_never(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(linker.func_wrap(MODULE, stringify!($name), |$(_: $ty),*| $errno)?;)*
            Ok(())
        }
    };
}

/// Nothing but outputs changes, and these only grow.
const NOT_PERMITTED: u32 = 63;
/// There are no signals.
const NO_SUCH_FUNCTION: u32 = 52;
/// Nothing is a socket.
const NOT_A_SOCKET: u32 = 57;

never! {
    path_filestat_set_times(u32, u32, u32, u32, u64, u64, u32) = NOT_PERMITTED;
    path_link(u32, u32, u32, u32, u32, u32, u32) = NOT_PERMITTED;
    path_remove_directory(u32, u32, u32) = NOT_PERMITTED;
    path_rename(u32, u32, u32, u32, u32, u32) = NOT_PERMITTED;
    path_symlink(u32, u32, u32, u32, u32) = NOT_PERMITTED;
    path_unlink_file(u32, u32, u32) = NOT_PERMITTED;
    proc_raise(u32) = NO_SUCH_FUNCTION;
    sock_accept(u32, u32, u32) = NOT_A_SOCKET;
    sock_recv(u32, u32, u32, u32, u32, u32) = NOT_A_SOCKET;
    sock_send(u32, u32, u32, u32, u32) = NOT_A_SOCKET;
    sock_shutdown(u32, u32) = NOT_A_SOCKET;
}

/// Those that may have to open an input or an output, and the one that does not come back.
const OTHERS: [&str; 4] = ["fd_pread", "fd_read", "path_open", "proc_exit"];

/// Whether preview 1 has a function of this name.
pub(super) fn has(name: &str) -> bool {
    AT_ONCE.contains(&name) || NEVER.contains(&name) || OTHERS.contains(&name)
}

/// Defines all of preview 1.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    define_at_once(linker)?;
    define_never(linker)?;
    linker.func_wrap_async(MODULE, "fd_read", |mut caller: Caller<'_, Host>, args: (u32, u32, u32, u32)| {
        Box::new(async move {
            let (fd, pieces, count, at) = args;
            errno(descriptors::read(&mut caller, fd, None, (pieces, count), at).await)
        })
    })?;
    linker.func_wrap_async(MODULE, "fd_pread", |mut caller: Caller<'_, Host>, args: (u32, u32, u32, u64, u32)| {
        Box::new(async move {
            let (fd, pieces, count, offset, at) = args;
            errno(descriptors::read(&mut caller, fd, Some(offset), (pieces, count), at).await)
        })
    })?;
    type Open = (u32, u32, u32, u32, u32, u64, u64, u32, u32);
    linker.func_wrap_async(MODULE, "path_open", |mut caller: Caller<'_, Host>, args: Open| {
        Box::new(async move {
            let (fd, _, text, length, how, rights, _, flags, at) = args;
            errno(paths::open(&mut caller, fd, (text, length), paths::How { how, rights, flags }, at).await)
        })
    })?;
    linker.func_wrap(MODULE, "proc_exit", |status: u32| process::exit(status))?;
    Ok(())
}

/// The guest's memory and the host's state.
fn split<'a>(caller: &'a mut Caller<'_, Host>) -> wasmtime::Result<(Guest<'a>, &'a mut Host)> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(Failure::function("the function exports no memory").into());
    };
    let (bytes, host) = memory.data_and_store_mut(caller);
    Ok((Guest(bytes), host))
}

/// The number that the guest gets, or the end of the run.
fn errno(done: Result<(), Refusal>) -> wasmtime::Result<u32> {
    match done {
        Ok(()) => Ok(0),
        Err(Refusal::Errno(errno)) => Ok(u32::from(errno)),
        Err(Refusal::Fault(FileFault::Code(code))) => Ok(u32::from(abi::number(code))),
        Err(Refusal::Fault(FileFault::End(error))) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_all_there() {
        let engine = wasmtime::Engine::default();
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).expect("no name twice");
        assert_eq!(AT_ONCE.len() + NEVER.len() + OTHERS.len(), 46);
        assert!(has("fd_read") && has("fd_write") && !has("fd_fly"));
    }
}
