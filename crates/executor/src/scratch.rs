//! Where a function puts what does not fit into its memory: blocks that it appends and reads back.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::Failure;
use crate::meter::Meter;

/// The host's end of a scratch space; several threads use it at once. Nothing of it outlives the run.
///
/// A host that puts blocks on a disk seals them, and reads back what was appended or fails.
pub trait Scratch: Send + Sync {
    /// Keeps a block and says where it is.
    ///
    /// # Errors
    /// When there is no room, or the place failed.
    fn append(&self, block: &[u8]) -> io::Result<u64>;

    /// Reads the whole block that was appended there, which has exactly this length.
    ///
    /// # Errors
    /// When no such block is there, or not the one that was appended.
    fn read(&self, position: u64, block: &mut [u8]) -> io::Result<()>;
}

/// A run's scratch space, from [`Invocation::scratch`](crate::Invocation::scratch). Clones share it.
#[derive(Clone)]
pub struct ScratchSpace {
    scratch: Arc<dyn Scratch>,
    meter: Arc<Meter>,
}

impl ScratchSpace {
    pub(crate) fn new(scratch: Arc<dyn Scratch>, meter: Arc<Meter>) -> Self {
        Self { scratch, meter }
    }

    /// Keeps a block and says where it is.
    ///
    /// # Errors
    /// [`Limit::Scratch`](crate::Limit::Scratch) when the run's blocks would be more bytes than that; once the function
    /// must stop; when the host fails.
    pub fn append(&self, block: &[u8]) -> Result<u64, Failure> {
        self.meter.check()?;
        self.meter.count_scratch(block.len())?;
        Ok(self.scratch.append(block)?)
    }

    /// Reads the whole block that was appended there.
    ///
    /// # Errors
    /// Once the function must stop; when the host fails or has no such block of this length.
    pub fn read(&self, position: u64, block: &mut [u8]) -> Result<(), Failure> {
        self.meter.check()?;
        Ok(self.scratch.read(position, block)?)
    }
}

impl fmt::Debug for ScratchSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScratchSpace [redacted]")
    }
}
