//! Code that is not run, and what its author reads.

use std::panic;

use executor::Limits;
use executor::memory::MemoryFiles;
use executor::wasm::{Engine, EngineOptions, Kind, NoCache, Refused};
use proptest::prelude::*;

use crate::support::{ENGINE, PROBE, command, load, run_with, wat};

/// What inspection says, which loading must not take back.
#[track_caller]
fn refused(code: &[u8]) -> String {
    let inspected = ENGINE.inspect(code).expect_err("a refusal");
    assert_eq!(load(code).expect_err("a refusal"), inspected);
    inspected.to_string()
}

#[test]
fn what_is_good_is_described() {
    let module = ENGINE.inspect(PROBE).expect("the probe");
    assert_eq!((module.kind, module.bytes), (Kind::Module, PROBE.len()));
    assert!(module.imports.contains(&"wasi_snapshot_preview1::path_open".to_owned()), "{module:?}");
    assert_eq!(module.exports, ["_start", "memory"]);
    let component = ENGINE.inspect(&wat(include_str!("echo.wat"))).expect("a component");
    assert_eq!(component.kind, Kind::Component);
    assert_eq!(component.exports, ["wasi:cli/run@0.2.0"]);
    assert_eq!(component.imports.len(), 4);
    let json = serde_json::to_value(&component).expect("JSON");
    assert_eq!(json["kind"], "component");
}

#[test]
fn what_is_no_webassembly_is_told_apart() {
    assert_eq!(refused(b""), "this is not a WebAssembly binary");
    assert_eq!(refused(b"print('hello')"), "this is not a WebAssembly binary");
    assert!(refused(b"\x7fELF\x02\x01").contains("wasm32-wasip1"));
    assert!(refused(b"\n (module)").contains("text form"));
}

#[test]
fn imports_that_are_not_there_are_named() {
    for (parts, name) in [
        (r#"(import "env" "print" (func))"#, "env::print"),
        (r#"(import "wasi_unstable" "fd_write" (func))"#, "wasi_unstable::fd_write"),
        (r#"(import "wasi_snapshot_preview1" "fd_fly" (func))"#, "wasi_snapshot_preview1::fd_fly"),
        (r#"(import "wasi_snapshot_preview1" "fd_read" (global i32))"#, "wasi_snapshot_preview1::fd_read"),
        (r#"(import "js" "table" (table 1 funcref))"#, "js::table"),
    ] {
        let message = refused(&command("", parts));
        assert!(message.contains(&format!("imports `{name}`")) && message.contains("preview 1"), "{message}");
    }
    let http = r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance)))"#;
    assert!(refused(&wat(http)).contains("imports `wasi:http/outgoing-handler@0.2.0`"));
    let newer = r#"(component (import "wasi:cli/exit@0.3.0" (instance)))"#;
    assert!(refused(&wat(newer)).contains("imports `wasi:cli/exit@0.3.0`"));
}

#[test]
fn imports_of_another_type_are_refused_when_they_are_linked() {
    let code = command("", r#"(import "wasi_snapshot_preview1" "fd_read" (func (param f64)))"#);
    let message = load(&code).expect_err("a refusal").to_string();
    assert!(message.contains("fd_read"), "{message}");
    let code = wat(r#"(component
        (import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))
        (core module $m (func (export "run") (result i32) i32.const 0))
        (core instance $m (instantiate $m))
        (func $run (result (result)) (canon lift (core func $m "run")))
        (instance $runs (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $runs)))"#);
    let message = load(&code).expect_err("a refusal").to_string();
    assert!(message.contains("leave"), "{message}");
}

#[test]
fn code_without_a_start_is_refused() {
    let library = wat(r#"(module (func (export "add")) (memory (export "memory") 1))"#);
    assert_eq!(refused(&library), "the code exports no `_start`: build a program, not a library");
    assert_eq!(refused(&wat("(component)")), "the code exports no `wasi:cli/run@0.2`: build a program, not a library");
    let bare = wat(r#"(module (func (export "_start")))"#);
    assert_eq!(refused(&bare), "the code exports no memory named `memory`");
    let takes = wat(r#"(module (func (export "_start") (param i32)) (memory (export "memory") 1))"#);
    load(&takes).expect_err("a refusal");
}

#[test]
fn features_that_are_not_deterministic_or_not_there_are_refused() {
    for parts in ["(memory 1 1 shared)", "(memory i64 1)", "(func (param (ref null any)))", "(tag)"] {
        let message = refused(&wat(&format!("(module {parts})")));
        assert!(message.contains("not valid WebAssembly"), "{message}");
    }
}

#[test]
fn the_size_of_code_is_limited() {
    let code = command("", "");
    let at = |code_bytes| {
        let options = EngineOptions { slots: 0, code_bytes, ..EngineOptions::default() };
        Engine::new(options, std::sync::Arc::new(NoCache)).expect("an engine").inspect(&code)
    };
    assert!(at(code.len()).is_ok());
    let refused = Refused::TooLarge { bytes: code.len(), limit: code.len() - 1 };
    assert_eq!(at(code.len() - 1), Err(refused));
}

#[test]
fn a_network_that_is_imported_links_and_is_denied_when_used() {
    let code = wat(include_str!("socket.wat"));
    let program = load(&code).expect("a component");
    let ran = run_with(&program, None, &mut MemoryFiles::new::<&[u8]>([]), &Limits::default());
    // It exits with the error's number, 1: `access-denied`.
    assert_eq!(ran.expect_err("a failure").to_string(), "the function exited with status 1");
}

#[test]
fn every_truncation_is_refused() {
    for code in [command("", ""), wat(include_str!("echo.wat"))] {
        for end in 0..code.len() {
            // What comes before names and notes alone is whole.
            let whole = end >= 8 && code[end] == 0;
            assert!(whole || ENGINE.inspect(&code[..end]).is_err(), "{end} of {}", code.len());
        }
        assert_eq!(ENGINE.inspect(&code[..code.len() - 1]), load(&code[..code.len() - 1]).map(|_| unreachable!()));
    }
}

#[test]
fn every_changed_byte_is_refused_or_runs_within_limits() {
    let limits = Limits { cpu: std::time::Duration::from_millis(100), memory: 4 << 20, ..Limits::default() };
    let code = command("(drop (memory.grow (i32.const 1)))", "");
    for at in 0..code.len() {
        let mut code = code.clone();
        code[at] ^= 0x15;
        if let Ok(program) = load(&code) {
            drop(run_with(&program, None, &mut MemoryFiles::new::<&[u8]>([]), &limits));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in 0..3) {
        let head: &[u8] = match magic {
            0 => b"",
            1 => b"\0asm\x01\0\0\0",
            _ => b"\0asm\x0d\0\x01\0",
        };
        let code = [head, &bytes].concat();
        let inspected = panic::catch_unwind(|| ENGINE.inspect(&code).is_err() && load(&code).is_err());
        prop_assert!(matches!(inspected, Ok(true)));
    }
}
