//! How much one run may take.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use thiserror::Error;

/// Bounds of one run. A run may reach each; going past one is a [`Failure`](crate::Failure) that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from start to end.
    pub wall: Duration,
    /// Bytes of all outputs together.
    pub output_bytes: u64,
    /// Outputs created.
    pub outputs: usize,
    /// Bytes of the result string.
    pub result_bytes: usize,
    /// Bytes of one input that a function may have as one slice: see [`InputStream::rest`](crate::InputStream::rest).
    pub whole_bytes: u64,
    /// Bytes of memory for what a run works on: linear memory and tables of user code, working sets of built-ins that
    /// spill.
    pub memory: u64,
    /// Bytes that a run may keep in its scratch space, all together.
    pub scratch: u64,
    /// Threads that a built-in may work on.
    pub threads: NonZeroUsize,
    /// Time that user code may compute, without the time that it waits for the host.
    pub cpu: Duration,
    /// The fewest records that a result may be about, where there is a minimum: [`Invocation::check_group`] says what each
    /// function counts.
    ///
    /// [`Invocation::check_group`]: crate::Invocation::check_group
    pub group: Option<u64>,
}

/// Ten times the slowest trial in `spec/performance.md` (a naive psi of 2 × 2²⁴ records: 32 s).
const WALL: Duration = Duration::from_secs(320);
/// The largest file whose size the reference's 32-bit `file_size` can say, plus one byte.
const OUTPUT_BYTES: u64 = 1 << 32;
/// Each open output costs its host a 64 KiB chunk buffer: these come to 16 MiB.
const OUTPUTS: usize = 256;
/// The largest request to a function node: a payload that came in can be echoed.
const RESULT_BYTES: usize = 16 << 20;
/// The largest file in one message that services take unless configured otherwise: it is in memory whole anyway.
const WHOLE_BYTES: u64 = 2 << 30;

/// What a laptop can spare for one task.
const MEMORY: u64 = 512 << 20;
/// What a psi of four files of 32 GiB spills, twice.
const SCRATCH: u64 = 128 << 30;

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: WALL,
            output_bytes: OUTPUT_BYTES,
            outputs: OUTPUTS,
            result_bytes: RESULT_BYTES,
            whole_bytes: WHOLE_BYTES,
            memory: MEMORY,
            scratch: SCRATCH,
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            cpu: WALL,
            group: None,
        }
    }
}

/// The limit that a function went past. (Time has its own: [`Stopped::Deadline`](crate::Stopped::Deadline).)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Limit {
    /// [`Limits::output_bytes`].
    #[error("the function's outputs are larger than the limit of {0} bytes")]
    OutputBytes(u64),
    /// [`Limits::outputs`].
    #[error("the function has more outputs than the limit of {0}")]
    Outputs(usize),
    /// [`Limits::result_bytes`].
    #[error("the function's result is larger than the limit of {0} bytes")]
    ResultBytes(usize),
    /// [`Limits::whole_bytes`].
    #[error("the function needs a whole file in memory, and this one is larger than the limit of {0} bytes")]
    WholeBytes(u64),
    /// [`Limits::memory`].
    #[error("the function needs more memory than the limit of {0} bytes")]
    Memory(u64),
    /// [`Limits::scratch`].
    #[error("the function needs more scratch space than the limit of {0} bytes")]
    Scratch(u64),
    /// [`Limits::cpu`].
    #[error("the function computed for longer than the limit of {0:?}")]
    Cpu(Duration),
    /// [`Limits::group`]. How many there were is told to nobody: none can't be told from too few.
    #[error("the result would be about fewer records than the task's minimum group of {0}")]
    Group(u64),
}
