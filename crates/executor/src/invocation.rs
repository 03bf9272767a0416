//! What a function sees of the world.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::meter::Meter;
use crate::{Failure, Files, InputStream, Interface, Limit, Output, OutputStream, ResultText, ScratchSpace};

/// One call of one function: its payload, its inputs, its outputs.
pub struct Invocation<'a> {
    interface: &'a Interface,
    payload: Option<&'a str>,
    files: &'a mut dyn Files,
    created: BTreeSet<Output>,
    meter: Arc<Meter>,
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(
        interface: &'a Interface,
        payload: Option<&'a str>,
        files: &'a mut dyn Files,
        meter: Arc<Meter>,
    ) -> Self {
        Self { interface, payload, files, created: BTreeSet::new(), meter }
    }

    /// The payload, present or absent as the interface declares.
    pub fn payload(&self) -> Option<&'a str> {
        self.payload
    }

    /// How many inputs there are, within what the interface declares.
    pub fn input_count(&self) -> usize {
        self.files.count()
    }

    /// Bytes of an input; see [`Files::size`].
    pub fn input_size(&self, input: usize) -> u64 {
        self.files.size(input)
    }

    /// Opens an input, numbered from 0, at its start. May be called again for another pass.
    pub fn input(&mut self, input: usize) -> Result<InputStream, Failure> {
        self.checkpoint()?;
        self.refuse_unknown(input)?;
        let stream = self.files.open(input)?;
        Ok(InputStream::new(stream, self.files.size(input), self.meter.clone()))
    }

    /// Creates an output, once, of a kind that the interface declares.
    pub fn output(&mut self, output: Output) -> Result<OutputStream, Failure> {
        self.checkpoint()?;
        if !self.interface.outputs.contains(&output.kind()) {
            return Err(Failure::function("the function wrote an output that it does not declare"));
        }
        if let Output::Owner(input) = output {
            self.refuse_unknown(input)?;
        }
        if !self.created.insert(output) {
            return Err(Failure::function("the function created the same output twice"));
        }
        self.meter.count_created()?;
        Ok(OutputStream::new(self.files.create(output)?, self.meter.clone()))
    }

    /// Bytes of memory that the run may take for what it works on: [`Limits::memory`](crate::Limits::memory).
    pub fn memory_limit(&self) -> u64 {
        self.meter.memory()
    }

    /// A place to collect a result that is made of bytes, bounded as the result is.
    pub fn result(&self) -> ResultText {
        ResultText::new(self.meter.clone())
    }

    /// Fails once the function must stop. Long computations call it every few milliseconds; streams call it on
    /// every read and write.
    pub fn checkpoint(&self) -> Result<(), Failure> {
        self.meter.check()
    }

    /// Whether the run has a [minimum group](crate::Limits::group).
    pub fn has_minimum_group(&self) -> bool {
        self.meter.limits().group.is_some()
    }

    /// Fails when the result is about fewer records than the run's [minimum group](crate::Limits::group): none are fewer, too.
    /// What `records` are, the function's documentation says; where a result has several groups, the smallest counts. A
    /// function that [counts](Interface::counts) calls it before it finishes any output.
    ///
    /// # Errors
    /// [`Limit::Group`], which does not say how many there were.
    pub fn check_group(&self, records: u64) -> Result<(), Failure> {
        Ok(self.meter.check_group(records)?)
    }

    /// The name of the function that is called.
    pub(crate) fn name(&self) -> &'a str {
        &self.interface.name
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// The same for further threads of the function.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints(self.meter.clone())
    }

    /// A place for what does not fit into [memory](Self::memory).
    ///
    /// # Errors
    /// When the host has none.
    pub fn scratch(&mut self) -> Result<ScratchSpace, Failure> {
        self.checkpoint()?;
        Ok(ScratchSpace::new(self.files.scratch()?, self.meter.clone()))
    }

    /// Bytes of memory that the function's working set may take: [`Limits::memory`](crate::Limits::memory).
    pub fn memory(&self) -> u64 {
        self.meter.limits().memory
    }

    /// What a function fails with that can't keep to [`memory`](Self::memory).
    pub fn too_much_memory(&self) -> Failure {
        Limit::Memory(self.memory()).into()
    }

    /// Threads that the function may work on, this one among them. Each calls [`contain`](crate::contain) first.
    pub fn threads(&self) -> NonZeroUsize {
        self.meter.limits().threads
    }

    fn refuse_unknown(&self, input: usize) -> Result<(), Failure> {
        if input < self.files.count() {
            return Ok(());
        }
        Err(Failure::function("the function named an input that is not there"))
    }
}

/// [`Invocation::checkpoint`] for further threads of a function.
#[derive(Clone, Debug)]
pub struct Checkpoints(Arc<Meter>);

impl Checkpoints {
    /// Fails once the function must stop; see [`Invocation::checkpoint`].
    ///
    /// # Errors
    /// [`Failure::Stopped`].
    pub fn check(&self) -> Result<(), Failure> {
        self.0.check()
    }
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("function", &self.interface.reference())
            .field("payload", &self.payload.map(|_| "[redacted]"))
            .finish_non_exhaustive()
    }
}
