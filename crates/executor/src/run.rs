//! One run from start to end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::meter::Meter;
use crate::panics::contain;
use crate::{Failure, Files, Function, Invocation, Limits, Mismatch, StopSignal};

/// What a run that finished leaves, besides its outputs.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The function's result.
    pub result: String,
    /// How long it took.
    pub wall: Duration,
    /// Bytes of all outputs together.
    pub output_bytes: u64,
    /// What user code took; `None` for a built-in.
    pub usage: Option<Usage>,
}

/// What user code took of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Bytes of linear memory and tables, at their most.
    pub memory: u64,
    /// Instructions, roughly one each; the same in every run of the same code on the same data. `None` unless the
    /// engine [counts them](crate::wasm::EngineOptions::fuel).
    pub fuel: Option<u64>,
}

/// Runs a function once, on this thread; the time limit counts from here.
///
/// After a failure the outputs mean nothing, finished or not: the host discards them.
pub fn run(
    function: &dyn Function,
    payload: Option<&str>,
    files: &mut dyn Files,
    limits: &Limits,
    stop: &StopSignal,
) -> Result<Outcome, Failure> {
    let interface = function.interface();
    interface.check(payload, files.count())?;
    if limits.group.is_some() && !interface.counts {
        return Err(Mismatch::Uncounted.into());
    }
    let meter = Arc::new(Meter::start(limits.clone(), stop.clone()));
    meter.check()?;
    let mut invocation = Invocation::new(interface, payload, files, meter.clone());
    let result = contain(|| function.run(&mut invocation))?;
    meter.check_result(result.len())?;
    if !meter.all_finished() {
        return Err(Failure::function("the function left an output unfinished"));
    }
    if !meter.group_was_checked() {
        return Err(Failure::function("the function did not count what its result is about"));
    }
    Ok(Outcome { result, wall: meter.elapsed(), output_bytes: meter.written(), usage: meter.usage() })
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("result", &"[redacted]")
            .field("wall", &self.wall)
            .field("output_bytes", &self.output_bytes)
            .field("usage", &self.usage)
            .finish()
    }
}
