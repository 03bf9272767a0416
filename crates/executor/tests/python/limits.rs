//! Each limit, as scripts meet it.

use std::thread;
use std::time::{Duration, Instant};

use executor::{Failure, Limit, Limits, Stopped};

use crate::support::{Ran, check, python, run_body, run_script};

fn free() -> Limits {
    Limits::default()
}

#[track_caller]
fn check_limit(ran: &Ran, limit: Limit) {
    assert!(matches!(ran, Err(Failure::Limit(past)) if *past == limit), "{ran:?}");
}

#[track_caller]
fn words(ran: Ran) -> String {
    match ran {
        Err(Failure::Function(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_that_is_refused_is_an_error_to_catch() {
    let Some(python) = python() else { return };
    let limits = Limits { memory: 96 << 20, ..free() };
    check(run_body(python, "try: bytearray(1 << 30)\nexcept MemoryError: return 'caught'", &limits), "caught");
    check(run_body(python, "return str(len(bytearray(8 << 20)))", &limits), "8388608");
    for allocates in ["return b'x' * (1 << 30)", "kept = []\nwhile True: kept.append([0] * 1000)"] {
        let words = words(run_body(python, allocates, &limits));
        assert!(words.contains("refused more than 100663296 bytes of memory"), "{words}");
        // With nothing left at all there is no room to note the line.
        assert!(words.contains("line 2") || allocates.contains("append"), "{words}");
        assert!(words.contains("MemoryError"), "{words}");
    }
}

#[test]
fn a_limit_below_the_runtimes_own_memory_is_told() {
    let Some(python) = python() else { return };
    check_limit(&run_body(python, "return ''", &Limits { memory: 1 << 20, ..free() }), Limit::Memory(1 << 20));
}

#[test]
fn time_is_limited() {
    let Some(python) = python() else { return };
    let cpu = Duration::from_millis(300);
    for loops in
        ["while True: pass", "(10 ** 8) ** (10 ** 8)", "try:\n  while True: pass\nfinally:\n  while True: pass"]
    {
        check_limit(&run_body(python, loops, &Limits { cpu, ..free() }), Limit::Cpu(cpu));
    }
    let wall = Duration::from_millis(300);
    let started = Instant::now();
    let ran = run_script(
        python,
        "while True:\n  try: print('x')\n  except BaseException: pass",
        None,
        &Limits { wall, ..free() },
    );
    assert!(
        matches!(ran, Err(Failure::Stopped(Stopped::Deadline(_)) | Failure::Limit(Limit::ResultBytes(_)))),
        "{ran:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn what_is_written_is_limited() {
    let Some(python) = python() else { return };
    let limits = Limits { output_bytes: 1 << 20, result_bytes: 1 << 10, outputs: 1, ..free() };
    check_limit(
        &run_body(python, "while True: outputs.creator.write(bytes(65536))", &limits),
        Limit::OutputBytes(1 << 20),
    );
    check_limit(&run_body(python, "return 'x' * 1025", &limits), Limit::ResultBytes(1 << 10));
    check_limit(&run_body(python, "outputs.shared; outputs.creator", &limits), Limit::Outputs(1));
    assert_eq!(run_body(python, "return 'x' * 1024", &limits).expect("a finished run").result.len(), 1024);
}

#[test]
fn calls_are_limited_in_depth() {
    let Some(python) = python() else { return };
    let words = words(run_script(python, "def f(n): return f(n + 1)\nf(0)", None, &free()));
    assert!(words.ends_with("RecursionError: maximum recursion depth exceeded"), "{words}");
    let deep =
        "import sys\nsys.setrecursionlimit(10 ** 9)\nclass C:\n  def __repr__(self): return repr(self)\nrepr(C())";
    assert!(run_script(python, deep, None, &Limits { cpu: Duration::from_secs(20), ..free() }).is_err());
}

#[test]
fn others_notice_nothing() {
    let Some(python) = python() else { return };
    let limits = Limits { cpu: Duration::from_millis(500), memory: 96 << 20, ..free() };
    thread::scope(|scope| {
        for hostile in ["while True: pass", "return b'x' * (1 << 31)", "raise ValueError", "import os; os.abort()"] {
            let limits = limits.clone();
            scope.spawn(move || run_body(python, hostile, &limits).expect_err("a failure"));
        }
        for _ in 0..10 {
            check(run_body(python, "return inputs[0].read()", &free()), "left\n");
        }
    });
}
