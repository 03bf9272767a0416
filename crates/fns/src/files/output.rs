//! What a function writes: in memory while it is small, else in the spool.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::file::Plaintext;
use crypto::hash::Sha256;
use executor::{Output, Sink};
use types::digest::Digest;
use zeroize::Zeroizing;

use super::spool::{Spool, Spooled, Spooling, Storage};

/// Up to what size an output stays in memory, in bytes.
const SMALL_BYTES: u64 = 8 << 20;

/// How much of a run's outputs stays in memory, in bytes.
const SMALL_BYTES_OF_ALL: u64 = 32 << 20;

/// What an output holds.
pub(crate) enum Content {
    Memory(Plaintext),
    Spooled(Spooled),
}

impl Content {
    /// Plaintext bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Content::Memory(plaintext) => plaintext.len() as u64,
            Content::Spooled(spooled) => spooled.size(),
        }
    }

    /// SHA-256 of the plaintext.
    pub(crate) fn sha256(&self) -> Digest {
        match self {
            Content::Memory(plaintext) => Digest::new(Sha256::digest(plaintext)),
            Content::Spooled(spooled) => spooled.sha256(),
        }
    }
}

/// Outputs that a function finished, in the order of the task's parties.
pub(crate) type Outputs = BTreeMap<Output, Content>;

/// The outputs of one run.
pub(crate) struct Collected {
    spool: Arc<dyn Spool>,
    /// Bytes in memory.
    held: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    finished: Outputs,
    /// Why the spool failed first.
    problem: Option<io::Error>,
}

impl Collected {
    /// Nothing yet.
    pub(crate) fn new(spool: Arc<dyn Spool>) -> Arc<Self> {
        Arc::new(Collected { spool, held: AtomicU64::new(0), state: Mutex::default() })
    }

    /// What was finished.
    ///
    /// # Errors
    /// When the spool failed, whatever the function made of it.
    pub(crate) fn take(&self) -> io::Result<Outputs> {
        let mut state = self.state();
        match state.problem.take() {
            None => Ok(mem::take(&mut state.finished)),
            Some(problem) => Err(problem),
        }
    }

    /// A place on the spool.
    pub(super) fn place(&self) -> io::Result<Box<dyn Storage>> {
        self.spool.create()
    }

    /// A place for one output.
    pub(crate) fn sink(self: &Arc<Self>, output: Output) -> Box<dyn Sink> {
        Box::new(OutputSink { output, all: self.clone(), place: Place::Memory(Held::nothing(self.clone())) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function hears that writing failed; why, is kept for whoever reports it.
    pub(super) fn failed(&self, problem: io::Error) -> io::Error {
        self.state().problem.get_or_insert(problem);
        io::Error::other("an output failed")
    }
}

/// Bytes in memory, counted among all that the run holds.
struct Held {
    content: Zeroizing<Vec<u8>>,
    all: Arc<Collected>,
    counted: u64,
}

impl Held {
    fn nothing(all: Arc<Collected>) -> Self {
        Held { content: Zeroizing::default(), all, counted: 0 }
    }

    /// Takes bytes if they may stay in memory.
    fn try_extend(&mut self, bytes: &[u8]) -> bool {
        let more = bytes.len() as u64;
        let small = self.counted.saturating_add(more) <= SMALL_BYTES;
        let fits = |held: u64| held.checked_add(more).filter(|held| *held <= SMALL_BYTES_OF_ALL);
        let admitted = small && self.all.held.fetch_update(Relaxed, Relaxed, fits).is_ok();
        if admitted {
            self.counted += more;
            self.content.extend_from_slice(bytes);
        }
        admitted
    }

    /// The bytes, which stay counted: they stay in memory.
    fn keep(mut self) -> Plaintext {
        self.counted = 0;
        Plaintext::from(mem::take(&mut *self.content))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.held.fetch_sub(self.counted, Relaxed);
    }
}

struct OutputSink {
    output: Output,
    all: Arc<Collected>,
    place: Place,
}

enum Place {
    Memory(Held),
    Spool(Box<Spooling>),
}

impl OutputSink {
    fn spool(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Place::Memory(held) = &self.place {
            let mut spooling = Spooling::begin(&*self.all.spool)?;
            spooling.write_all(&held.content)?;
            self.place = Place::Spool(Box::new(spooling));
        }
        match &mut self.place {
            Place::Spool(spooling) => spooling.write_all(bytes),
            Place::Memory(_) => Ok(()),
        }
    }
}

impl Write for OutputSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &mut self.place {
            Place::Memory(held) => held.try_extend(bytes),
            Place::Spool(_) => false,
        };
        if !taken {
            self.spool(bytes).map_err(|problem| self.all.failed(problem))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for OutputSink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let OutputSink { output, all, place } = *self;
        let content = match place {
            Place::Memory(held) => Content::Memory(held.keep()),
            Place::Spool(spooling) => Content::Spooled(spooling.finish().map_err(|problem| all.failed(problem))?),
        };
        all.state().finished.insert(output, content);
        Ok(())
    }
}
