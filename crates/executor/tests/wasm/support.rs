//! An engine that all tests of this program share, guests, and the ways to run them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use executor::memory::MemoryFiles;
use executor::wasm::{Engine, EngineOptions, NoCache, Program, Refused, Sandbox};
use executor::{
    Failure, Inputs, Interface, Limit, Limits, Outcome, OutputKind, PayloadRule, ResultRule, StopSignal, run,
};
use types::digest::Digest;
use types::function::FunctionType;

pub(crate) type Ran = Result<Outcome, Failure>;

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let engine = Engine::new(EngineOptions { slots: 4, ..EngineOptions::default() }, Arc::new(NoCache));
    engine.expect("an engine")
});

/// `probe.c`, as `build-probe.sh` made it.
pub(crate) const PROBE: &[u8] = include_bytes!("probe.wasm");

static PROGRAM: LazyLock<Program> = LazyLock::new(|| load(PROBE).expect("the probe"));

pub(crate) fn interface() -> Interface {
    Interface {
        name: "probe".into(),
        version: 1,
        summary: "".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[OutputKind::Creator, OutputKind::Owner]),
        result: ResultRule::Text,
        schema: "".into(),
        counts: false,
    }
}

/// Stands for a SHA-256: different for different code is all that these tests need.
pub(crate) fn digest(code: &[u8]) -> Digest {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut bytes = [0; 32];
    let mut hasher = DefaultHasher::new();
    for chunk in bytes.chunks_mut(8) {
        code.hash(&mut hasher);
        chunk.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    Digest::new(bytes)
}

pub(crate) fn load(code: &[u8]) -> Result<Program, Refused> {
    load_in(code, Sandbox::default())
}

pub(crate) fn load_in(code: &[u8], sandbox: Sandbox) -> Result<Program, Refused> {
    ENGINE.load(code, digest(code), interface(), sandbox)
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("text that assembles")
}

/// A preview 1 command with this body of `_start`, these other parts, and one page of memory.
pub(crate) fn command(body: &str, parts: &str) -> Vec<u8> {
    wat(&format!(r#"(module {parts} (func (export "_start") {body}) (memory (export "memory") 1))"#))
}

pub(crate) fn run_with(program: &Program, payload: Option<&str>, files: &mut MemoryFiles, limits: &Limits) -> Ran {
    run(program, payload, files, limits, &StopSignal::new())
}

pub(crate) fn run_code(code: &[u8], limits: &Limits) -> Ran {
    run_with(&load(code).expect("a program"), None, &mut MemoryFiles::new::<&[u8]>([]), limits)
}

/// The probe's result over these inputs.
pub(crate) fn probe_on(files: &mut MemoryFiles, payload: &str, limits: &Limits) -> Ran {
    run_with(&PROGRAM, Some(payload), files, limits)
}

pub(crate) fn probe_under(payload: &str, limits: &Limits) -> Ran {
    probe_on(&mut MemoryFiles::new([&b"left"[..], b"right"]), payload, limits)
}

pub(crate) fn probe(payload: &str) -> Ran {
    probe_under(payload, &Limits::default())
}

#[track_caller]
pub(crate) fn check(ran: Ran, result: &str) {
    assert_eq!(ran.expect("a finished run").result.trim_end(), result);
}

#[track_caller]
pub(crate) fn check_limit(ran: Ran, limit: Limit) {
    assert!(matches!(&ran, Err(Failure::Limit(past)) if *past == limit), "{ran:?}");
}

#[track_caller]
pub(crate) fn check_words(ran: Ran, words: &str) {
    assert!(matches!(&ran, Err(Failure::Function(said)) if said == words), "{ran:?}");
}
