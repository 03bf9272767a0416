//! Runs a function on files in memory, whole and in small pieces, and compares everything it leaves.

use std::collections::BTreeMap;

use executor::memory::MemoryFiles;
use executor::{Failure, Function, Limits, Output, StopSignal, run};

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
        assert_eq!(outcome(function, payload, inputs, chunk), expected, "chunk {chunk:?}");
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

fn outcome(function: &dyn Function, payload: Option<&str>, inputs: &[&[u8]], chunk: Option<usize>) -> Everything {
    let mut files = MemoryFiles::new(inputs.iter().copied());
    if let Some(bytes) = chunk {
        files = files.in_chunks_of(bytes);
    }
    let outcome = run(function, payload, &mut files, &Limits::default(), &StopSignal::new());
    (outcome.map(|outcome| outcome.result).map_err(|failure| failure.to_string()), files.into_outputs())
}
