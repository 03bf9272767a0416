//! What a host lends to a run: readable inputs and writable outputs, by number.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use crate::Scratch;

/// The files of one run. The host implements it; functions reach it only through an
/// [`Invocation`](crate::Invocation), which adds limits.
///
/// Streams are owned, so a function can hold any number of them open at once.
pub trait Files {
    /// How many inputs there are; they are numbered from 0 in the task's order.
    fn count(&self) -> usize;

    /// Plaintext bytes of an input. Functions plan with it; the end of the stream is what counts.
    fn size(&self, input: usize) -> u64;

    /// Opens an input at its start; may be called again for another pass.
    ///
    /// A host that has the whole plaintext in memory gives a reader whose `fill_buf` is all of it (a `Cursor` over
    /// anything `AsRef<[u8]>` is one); functions that need a slice then take it without a copy.
    ///
    /// What the stream yields was authenticated under the file's key, and every pass yields the same bytes or an
    /// error: functions act on it at once. That the whole file is the one that was consented to may be known only when
    /// all of it was read, so the host settles that after [`run`](crate::run), also for inputs that were not opened or
    /// not read to their end, and before anything of the run leaves it: result, outputs, or a failure in the
    /// function's words.
    fn open(&mut self, input: usize) -> io::Result<Box<dyn BufRead + Send>>;

    /// Starts an output; called at most once for each. Whatever was written counts only if
    /// [`run`](crate::run) succeeds.
    fn create(&mut self, output: Output) -> io::Result<Box<dyn Sink>>;

    /// An empty scratch space for this run alone, which is gone when the last of its clones is.
    ///
    /// # Errors
    /// When there is no place for one: as here, where the host does not say otherwise.
    fn scratch(&mut self) -> io::Result<Arc<dyn Scratch>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The host's end of an output. Dropped without `finish`, it leaves nothing behind.
pub trait Sink: Write + Send {
    /// Everything has been written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// One output of a run, named by who receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// For the creator of the task alone.
    Creator,
    /// For all participants.
    Shared,
    /// For the owner of the input with this number alone.
    Owner(usize),
}

impl Output {
    /// What an interface declares to be allowed to write it.
    pub fn kind(self) -> OutputKind {
        match self {
            Self::Creator => OutputKind::Creator,
            Self::Shared => OutputKind::Shared,
            Self::Owner(_) => OutputKind::Owner,
        }
    }
}

/// A kind of output, as an interface declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputKind {
    /// One file for the creator of the task.
    Creator,
    /// One file for all participants.
    Shared,
    /// Up to one file per input, for that input's owner.
    Owner,
}
