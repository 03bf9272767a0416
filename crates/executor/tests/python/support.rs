//! The runtime, if it was built, and the ways to run scripts with it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::{env, fs};

use executor::memory::MemoryFiles;
use executor::python::Python;
use executor::wasm::{CodeCache, CodeKey, Engine, EngineOptions, Program, Refused, Sandbox};
use executor::{Failure, Inputs, Interface, Limits, Outcome, OutputKind, PayloadRule, ResultRule, StopSignal, run};
use types::digest::Digest;
use types::function::FunctionType;

pub(crate) type Ran = Result<Outcome, Failure>;

/// Compiled code in the build's own directory, which is as trustworthy as these tests' machine code beside it.
struct Beside;

impl CodeCache for Beside {
    fn get(&self, key: &CodeKey) -> Option<Vec<u8>> {
        fs::read(place(key)).ok()
    }

    fn put(&self, key: &CodeKey, compiled: &[u8]) {
        // Written aside and moved, since several of these programs may run at once.
        let aside = place(key).with_extension(std::process::id().to_string());
        if fs::write(&aside, compiled).is_ok() {
            let _ = fs::rename(aside, place(key));
        }
    }
}

fn place(key: &CodeKey) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{key}.compiled"))
}

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineOptions { slots: 4, ..EngineOptions::default() }, Arc::new(Beside)).expect("an engine")
});

static PYTHON: LazyLock<Option<Python>> = LazyLock::new(|| {
    let code = runtime()?;
    Some(Python::load(&ENGINE, &code, digest(&code)).expect("the runtime"))
});

/// Where `TEEHOUSE_PYTHON` says, or where the build script puts it. `TEEHOUSE_REQUIRE_PYTHON` makes its absence a failure.
fn runtime() -> Option<Vec<u8>> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes/python/python.wasm");
    let place = env::var_os("TEEHOUSE_PYTHON").map_or(built, PathBuf::from);
    match fs::read(&place) {
        Ok(code) => Some(code),
        Err(error) if env::var_os("TEEHOUSE_REQUIRE_PYTHON").is_some() => panic!("{}: {error}", place.display()),
        Err(_) => {
            eprintln!("skipped: there is no {}; runtimes/python/build.sh makes it", place.display());
            None
        }
    }
}

/// The loaded runtime; `None` where it was not built, and the test is skipped.
pub(crate) fn python() -> Option<&'static Python> {
    PYTHON.as_ref()
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

pub(crate) fn interface() -> Interface {
    Interface {
        name: "script".into(),
        version: 1,
        summary: "".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[OutputKind::Creator, OutputKind::Shared, OutputKind::Owner]),
        result: ResultRule::Text,
        schema: "".into(),
        counts: false,
    }
}

pub(crate) fn load(python: &Python, script: &str) -> Result<Program, Refused> {
    python.program(script.as_bytes(), interface(), Sandbox::default())
}

/// Runs a script over two small inputs.
pub(crate) fn run_script(python: &Python, script: &str, payload: Option<&str>, limits: &Limits) -> Ran {
    run_on(python, script, payload, &mut MemoryFiles::new([&b"left\n"[..], b"right\n"]), limits)
}

pub(crate) fn run_on(
    python: &Python,
    script: &str,
    payload: Option<&str>,
    files: &mut MemoryFiles,
    limits: &Limits,
) -> Ran {
    run(&load(python, script).expect("a program"), payload, files, limits, &StopSignal::new())
}

/// The body of `main`, run over two small inputs with this payload.
pub(crate) fn run_body(python: &Python, body: &str, limits: &Limits) -> Ran {
    let body = body.replace('\n', "\n    ");
    let script = format!("def main(payload, inputs, outputs):\n    {body}\n");
    run_script(python, &script, Some("pay"), limits)
}

#[track_caller]
pub(crate) fn check(ran: Ran, result: &str) {
    assert_eq!(ran.expect("a finished run").result, result);
}

/// Its own words are these.
#[track_caller]
pub(crate) fn check_words(ran: Ran, words: &str) {
    match ran {
        Err(Failure::Function(said)) => assert_eq!(said, words),
        other => panic!("{other:?}"),
    }
}
