//! User code: refused, or loaded and run within its limits; what inspection refuses is never loaded, and nothing panics.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use executor::memory::MemoryFiles;
use executor::wasm::{Engine, EngineOptions, NoCache, Sandbox};
use executor::{Failure, Inputs, Interface, Limits, PayloadRule, ResultRule, StopSignal, run};
use libfuzzer_sys::fuzz_target;
use types::digest::Digest;
use types::function::FunctionType;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let options = EngineOptions { slots: 0, ..EngineOptions::default() };
    Engine::new(options, Arc::new(NoCache)).expect("an engine")
});

fuzz_target!(|code: &[u8]| {
    let inspected = ENGINE.inspect(code);
    let loaded = ENGINE.load(code, digest(code), interface(), Sandbox::default());
    assert!(loaded.is_err() || inspected.is_ok());
    let Ok(program) = loaded else { return };
    let limits = Limits {
        wall: Duration::from_millis(50),
        memory: 16 << 20,
        output_bytes: 1 << 16,
        result_bytes: 1 << 16,
        ..Limits::default()
    };
    let mut files = MemoryFiles::new([&b"left"[..], b"right"]);
    let ran = run(&program, Some("payload"), &mut files, &limits, &StopSignal::new());
    assert!(!matches!(ran, Err(Failure::Panicked { .. })));
});

/// Different for different code is enough here.
fn digest(code: &[u8]) -> Digest {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&hasher.finish().to_le_bytes());
    Digest::new(bytes)
}

fn interface() -> Interface {
    Interface {
        name: "fuzz".into(),
        version: 1,
        summary: "".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: [].as_slice().into(),
        result: ResultRule::Text,
        schema: "".into(),
        counts: false,
    }
}
