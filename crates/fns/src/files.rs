//! A task's files: ciphertext in places that nobody trusts, plaintext in memory that nobody else sees.
//!
//! ```text
//! source (disk | store) ─▶ input (memory: verified first | stream: pass + ledger) ─▶ function
//! function ─▶ output (memory | spool, sealed) ─▶ place (disk | store), sealed for its owner
//! ```
//!
//! A file in one message is opened in memory; so are small files in chunks. Larger ones are streams, and what they hold
//! is the declared plaintext for certain only once all of it was read. So a run is [settled](RunFiles::settle) before
//! anything of it leaves the node.

mod error;
mod input;
mod ledger;
mod output;
mod pass;
mod place;
mod remote;
mod scratch;
mod send;
mod source;
mod spool;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead};
use std::sync::Arc;

use executor::{Files, Output, Scratch, Sink, Stopped};

pub(crate) use self::error::ReadError;
pub(crate) use self::input::{Declared, Input, Room};
use self::output::Collected;
pub(crate) use self::output::{Content, Outputs};
pub(crate) use self::place::{Place, Sealing};
pub(crate) use self::remote::{Renew, Store};
use self::scratch::SealedScratch;
pub(crate) use self::send::{SendError, send};
pub(crate) use self::source::Source;
pub(crate) use self::spool::{Folder, Spool};

/// One run's files.
pub(crate) struct RunFiles {
    inputs: Vec<Input>,
    outputs: Arc<Collected>,
}

/// Why nothing of a run may leave the node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    #[error("input {input}")]
    Input { input: usize, source: ReadError },
    #[error("the spool")]
    Spool(#[source] io::Error),
}

impl RunFiles {
    pub(crate) fn new(inputs: Vec<Input>, spool: Arc<dyn Spool>) -> Self {
        RunFiles { inputs, outputs: Collected::new(spool) }
    }

    /// Sees to it that every input is wholly what was declared, whatever the function read of it, and gives the
    /// finished outputs.
    ///
    /// # Errors
    /// [`Unsettled`]; also when `check`, which is asked before each block, fails.
    pub(crate) fn settle(mut self, check: &dyn Fn() -> Result<(), Stopped>) -> Result<Outputs, Unsettled> {
        for (number, input) in self.inputs.iter_mut().enumerate() {
            input.settle(check).map_err(|source| Unsettled::Input { input: number, source })?;
        }
        self.outputs.take().map_err(Unsettled::Spool)
    }
}

impl Files for RunFiles {
    fn count(&self) -> usize {
        self.inputs.len()
    }

    fn size(&self, input: usize) -> u64 {
        self.inputs[input].size()
    }

    fn open(&mut self, input: usize) -> io::Result<Box<dyn BufRead + Send>> {
        self.inputs.get_mut(input).ok_or(io::ErrorKind::NotFound)?.read()
    }

    fn create(&mut self, output: Output) -> io::Result<Box<dyn Sink>> {
        Ok(self.outputs.sink(output))
    }

    fn scratch(&mut self) -> io::Result<Arc<dyn Scratch>> {
        let storage = self.outputs.place().map_err(|problem| self.outputs.failed(problem))?;
        Ok(Arc::new(SealedScratch::new(storage, self.outputs.clone())))
    }
}
