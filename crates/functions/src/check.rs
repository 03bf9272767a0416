//! Runs a function on files in memory, whole and in small pieces, and compares everything it leaves.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use executor::memory::{MemoryFiles, MemoryScratch};
use executor::{Failure, Function, Limits, Output, Scratch, StopSignal, run};

/// Result or failure, and all outputs, are exactly these; and the same however the inputs arrive.
pub(crate) fn check(
    function: &dyn Function,
    payload: Option<&str>,
    inputs: &[&[u8]],
    expected: Result<&str, &str>,
    outputs: &[(Output, &[u8])],
) {
    let outputs = outputs.iter().map(|(output, content)| (*output, content.to_vec())).collect();
    let expected = (expected.map(str::to_owned).map_err(str::to_owned), outputs);
    for chunk in [None, Some(1), Some(33), Some(4096)] {
        assert_eq!(outcome(function, payload, inputs, (chunk, None)), expected, "chunk {chunk:?}");
    }
}

/// The result is about so many records: with that as the minimum all is as without one, with one more there is nothing,
/// and whoever reads why learns the minimum alone.
pub(crate) fn check_group(function: &dyn Function, payload: Option<&str>, inputs: &[&[u8]], records: u64) {
    for chunk in [None, Some(33)] {
        let free = outcome(function, payload, inputs, (chunk, None));
        assert!(free.0.is_ok(), "{free:?}");
        if records > 0 {
            assert_eq!(outcome(function, payload, inputs, (chunk, Some(records))), free);
        }
        for least in [records + 1, u64::MAX] {
            let refused = format!("the result would be about fewer records than the task's minimum group of {least}");
            let expected = (Err(refused), BTreeMap::new());
            assert_eq!(outcome(function, payload, inputs, (chunk, Some(least))), expected);
        }
    }
}

/// The function fails in its own words.
pub(crate) fn fails(function: &dyn Function, inputs: &[&[u8]], message: &str) {
    let mut files = MemoryFiles::new(inputs.iter().copied());
    match run(function, None, &mut files, &Limits::default(), &StopSignal::new()) {
        Err(Failure::Function(said)) => assert_eq!(said, message),
        other => panic!("{other:?} instead of {message:?}"),
    }
}

/// The invocation does not have the function's shape.
pub(crate) fn refused(function: &dyn Function, payload: Option<&str>, inputs: &[&[u8]], message: &str) {
    let mut files = MemoryFiles::new(inputs.iter().copied());
    match run(function, payload, &mut files, &Limits::default(), &StopSignal::new()) {
        Err(Failure::Mismatch(mismatch)) => assert_eq!(mismatch.to_string(), message),
        other => panic!("{other:?} instead of {message:?}"),
    }
}

type Everything = (Result<String, String>, BTreeMap<Output, Vec<u8>>);

fn outcome(
    function: &dyn Function,
    payload: Option<&str>,
    inputs: &[&[u8]],
    (chunk, group): (Option<usize>, Option<u64>),
) -> Everything {
    let mut files = MemoryFiles::new(inputs.iter().copied());
    if let Some(bytes) = chunk {
        files = files.in_chunks_of(bytes);
    }
    let limits = Limits { group, ..Limits::default() };
    let outcome = run(function, payload, &mut files, &limits, &StopSignal::new());
    (outcome.map(|outcome| outcome.result).map_err(|failure| failure.to_string()), files.into_outputs())
}

/// Scratch that fails, or raises a stop signal, at one of its calls.
struct Fragile {
    held: MemoryScratch,
    calls: AtomicUsize,
    fails_at: usize,
    stop: Option<StopSignal>,
}

impl Fragile {
    fn call(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Relaxed);
        match &self.stop {
            Some(stop) if call == self.fails_at => stop.stop("the test"),
            None if call == self.fails_at => return Err(io::ErrorKind::StorageFull.into()),
            _ => {}
        }
        Ok(())
    }
}

impl Scratch for Fragile {
    fn append(&self, block: &[u8]) -> io::Result<u64> {
        self.call()?;
        self.held.append(block)
    }

    fn read(&self, position: u64, block: &mut [u8]) -> io::Result<()> {
        self.call()?;
        self.held.read(position, block)
    }
}

/// In every phase of a run that spills: a failure of the scratch space comes out as it is, a stop signal stops it.
pub(crate) fn check_failures_and_stops(function: &dyn Function, inputs: &[Vec<u8>], limits: &Limits) {
    let run_until = |fails_at: usize, stopping: bool| {
        let stop = StopSignal::new();
        let stops = stopping.then(|| stop.clone());
        let fragile = Arc::new(Fragile { held: Default::default(), calls: Default::default(), fails_at, stop: stops });
        let mut files = MemoryFiles::new(inputs.iter().map(Vec::as_slice)).with_scratch(fragile.clone());
        let ran = run(function, None, &mut files, limits, &stop).map(|outcome| outcome.result);
        (ran, fragile.calls.load(Relaxed), files.into_outputs())
    };
    let (ran, calls, _) = run_until(usize::MAX, false);
    assert!(ran.is_ok() && calls > 30, "{calls}: {ran:?}");
    for fails_at in (0..calls - 10).step_by(calls / 12) {
        for stopping in [false, true] {
            // Which chunks spill depends on the run's key, so a run may end before it makes that many calls.
            let (ran, made, outputs) = run_until(fails_at, stopping);
            let ended = match &ran {
                Err(Failure::Stream(_)) => !stopping && made > fails_at,
                Err(Failure::Stopped(reason)) => {
                    stopping && made > fails_at && reason.to_string() == "stopped: the test"
                }
                ran => ran.is_ok() && made <= fails_at,
            };
            assert!(ended && (ran.is_ok() || outputs.is_empty()), "{fails_at} of {made}, {stopping}: {ran:?}");
        }
    }
}
