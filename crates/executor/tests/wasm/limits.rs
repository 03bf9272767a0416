//! Each limit at the limit and past it, and every way not to end.

use std::thread;
use std::time::{Duration, Instant};

use executor::memory::MemoryFiles;
use executor::{Failure, Limit, Limits, StopSignal, Stopped, run};

use crate::support::{
    PROBE, Ran, check, check_limit, check_words, command, load, probe, probe_on, probe_under, run_code,
};

const PAGE: u64 = 65_536;

fn free() -> Limits {
    Limits::default()
}

/// Wants `pages` more, and traps if it doesn't get them.
fn grows_by(pages: u64) -> Vec<u8> {
    let body = format!("(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable))");
    command(&body, "")
}

#[test]
fn memory_is_limited() {
    let pages = |ran: Ran| ran.map(|outcome| outcome.usage.expect("usage").memory / PAGE);
    let bare = pages(run_code(&grows_by(0), &free())).expect("a finished run");
    assert_eq!(bare, 1);
    let peak = run_code(&grows_by(10), &free()).expect("a finished run").usage.expect("usage").memory;
    let at = |memory| Limits { memory, ..free() };
    assert_eq!(pages(run_code(&grows_by(10), &at(peak))).expect("a finished run"), bare + 10);
    check_limit(run_code(&grows_by(11), &at(peak)), Limit::Memory(peak));
    // A program that does not start within its limit.
    check_limit(run_code(&grows_by(0), &at(PAGE / 2)), Limit::Memory(PAGE / 2));
}

#[test]
fn tables_count_as_memory() {
    let table = |elements: u32| command("", &format!("(table {elements} funcref)"));
    let limits = Limits { memory: 1 << 20, ..free() };
    check(run_code(&table(60_000), &limits), "");
    check_limit(run_code(&table(1_000_000), &limits), Limit::Memory(1 << 20));
}

#[test]
fn a_program_that_hears_no_from_malloc_can_go_on() {
    let limits = Limits { memory: 32 << 20, ..free() };
    let outcome = probe_under("allocate -1", &limits).expect("a finished run");
    let mebibytes: u64 = outcome.result.trim_end().parse().expect("a number");
    assert!((20..32).contains(&mebibytes), "{mebibytes}");
    let used = outcome.usage.expect("usage").memory;
    assert!(used <= 32 << 20 && used > 28 << 20, "{used}");
    check_words(
        probe_under("allocate -1 complain full exit 3", &limits),
        "the function exited with status 3, after it was refused more than 33554432 bytes of memory:\nfull",
    );
}

#[test]
fn processor_time_is_limited() {
    let cpu = Duration::from_millis(30);
    let limits = Limits { cpu, ..free() };
    check_limit(probe_under("loop", &limits), Limit::Cpu(cpu));
    check(probe_under("recurse 1000", &limits), "1");
    check_limit(run_code(&command("(loop (br 0))", ""), &limits), Limit::Cpu(cpu));
}

/// Ends when `check` takes something else than `time`, give or take.
#[track_caller]
fn check_time(started: Instant, time: Duration) {
    let late = started.elapsed().saturating_sub(time);
    // A few milliseconds where the machine is quiet; tests share it.
    assert!(late < Duration::from_millis(500), "{late:?} late");
}

#[test]
fn time_is_limited_whatever_the_guest_does() {
    let wall = Duration::from_millis(50);
    for payload in ["loop", "doze", "print -1", "grumble -1", "fill /outputs/creator -1"] {
        let started = Instant::now();
        let limits = Limits { wall, output_bytes: u64::MAX, result_bytes: 1 << 40, ..free() };
        // Memory is free, but not that free.
        let mut files = MemoryFiles::new::<&[u8]>([]);
        let ran = probe_on(&mut files, payload, &limits);
        assert!(matches!(&ran, Err(Failure::Stopped(Stopped::Deadline(time))) if *time == wall), "{payload}: {ran:?}");
        check_time(started, wall);
    }
}

#[test]
fn a_guest_can_be_stopped() {
    let program = load(PROBE).expect("the probe");
    for payload in ["loop", "doze", "grumble -1"] {
        let stop = StopSignal::new();
        let ran = thread::scope(|scope| {
            let running = scope.spawn(|| {
                let mut files = MemoryFiles::new::<&[u8]>([]);
                (run(&program, Some(payload), &mut files, &free(), &stop), Instant::now())
            });
            thread::sleep(Duration::from_millis(30));
            let stopped = Instant::now();
            stop.stop("the client left");
            let (ran, ended) = running.join().expect("no panic");
            assert!(ended - stopped < Duration::from_millis(500), "{:?}", ended - stopped);
            ran
        });
        assert!(matches!(&ran, Err(Failure::Stopped(Stopped::Cancelled(why))) if why == "the client left"), "{ran:?}");
    }
}

#[test]
fn output_bytes_are_limited() {
    let limits = Limits { output_bytes: 100_000, ..free() };
    check(probe_under("fill /outputs/creator 60000 fill /outputs/owner/0 40000", &limits), "");
    let past = probe_under("fill /outputs/creator 60000 fill /outputs/owner/0 40001", &limits);
    check_limit(past, Limit::OutputBytes(100_000));
    check_limit(probe_under("fill /outputs/creator -1", &limits), Limit::OutputBytes(100_000));
}

#[test]
fn the_number_of_outputs_is_limited() {
    let limits = Limits { outputs: 1, ..free() };
    check(probe_under("create /outputs/creator create /outputs/creator", &limits), "ok\nok");
    check_limit(probe_under("create /outputs/creator create /outputs/owner/0", &limits), Limit::Outputs(1));
}

#[test]
fn the_result_is_limited() {
    let limits = Limits { result_bytes: 100_000, ..free() };
    assert_eq!(probe_under("print 100000", &limits).expect("a finished run").result.len(), 100_000);
    check_limit(probe_under("print 100001", &limits), Limit::ResultBytes(100_000));
    check_limit(probe_under("print -1", &limits), Limit::ResultBytes(100_000));
}

#[test]
fn open_files_are_limited() {
    check(probe("descriptors"), "EMFILE many");
}

#[test]
fn calls_are_limited_in_depth() {
    check(probe("recurse 5000"), "1");
    // The probe's own stack is smaller than the engine's; a program without one reaches the engine's.
    let forever = command("(call $f)", "(func $f (call $f) (call $f))");
    let words = "the function's calls are nested too deeply for its stack of 4194304 bytes";
    check_words(run_code(&forever, &free()), words);
}

#[test]
fn traps_and_exits_are_told_with_standard_error() {
    check_words(probe("exit 3"), "the function exited with status 3");
    check_words(probe("complain one complain two exit 4"), "the function exited with status 4:\none\ntwo");
    let trapped = "the function trapped: wasm `unreachable` instruction executed";
    check_words(probe("trap"), trapped);
    check_words(probe("complain oh trap"), &format!("{trapped}:\noh"));
    check(probe("complain unheard exit 0"), "");
    check_words(probe("nonsense"), "the function exited with status 2:\nwhat is nonsense?");
    check_words(run_code(&command("", "(func $s unreachable) (start $s)"), &free()), trapped);
    let divides = command("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "");
    check_words(run_code(&divides, &free()), "the function trapped: integer divide by zero");
    let outside = command("(drop (i32.load (i32.const 1000000)))", "");
    check_words(run_code(&outside, &free()), "the function trapped: out of bounds memory access");
}

/// A command that calls a function of preview 1 and traps unless it answers `errno`.
fn calls(name: &str, arguments: &[u32], errno: u32) -> Vec<u8> {
    let parameters = "i32 ".repeat(arguments.len());
    let values: Vec<String> = arguments.iter().map(|value| format!("(i32.const {value})")).collect();
    let import =
        format!(r#"(import "wasi_snapshot_preview1" "{name}" (func $call (param {parameters}) (result i32)))"#);
    let body = format!("(if (i32.ne (call $call {}) (i32.const {errno})) (then unreachable))", values.join(" "));
    command(&body, &import)
}

#[test]
fn addresses_outside_of_memory_end_the_run() {
    const FAR: u32 = 0xffff_fff0;
    for (name, arguments) in [
        ("fd_write", &[1, FAR, 1, 0][..]),
        ("fd_write", &[1, 65_529, 1, 0]),
        ("fd_read", &[0, FAR, 1, 0]),
        ("random_get", &[65_535, 2]),
        ("args_get", &[FAR, 0]),
        ("args_sizes_get", &[0, 65_533]),
        ("poll_oneoff", &[FAR, 0, 1, 0]),
        ("path_filestat_get", &[3, 0, FAR, 40, 0]),
        ("path_readlink", &[3, 65_000, 1000, 0, 0, 0]),
    ] {
        let words = "the function trapped: it passed an address outside its memory";
        check_words(run_code(&calls(name, arguments, 0), &free()), words);
    }
}

#[test]
fn lists_in_one_call_are_limited() {
    const INVALID: u32 = 28;
    check(run_code(&calls("fd_write", &[2, 0, 1024, 0], 0), &free()), "");
    for (name, arguments) in [
        ("fd_write", [2, 0, 1025, 0]),
        ("fd_write", [2, 0, u32::MAX, 0]),
        ("fd_read", [0, 0, 1025, 0]),
        ("poll_oneoff", [0, 0, 1025, 0]),
        ("poll_oneoff", [0, 0, u32::MAX, 0]),
        ("poll_oneoff", [0, 0, 0, 0]),
    ] {
        check(run_code(&calls(name, &arguments, INVALID), &free()), "");
    }
}

#[test]
fn a_failed_run_leaves_no_output() {
    let mut files = MemoryFiles::new([&b"left"[..]]);
    probe_on(&mut files, "put /outputs/creator abc exit 1", &free()).expect_err("a failure");
    assert!(files.into_outputs().is_empty());
}

#[test]
fn other_runs_notice_nothing() {
    let hostile = ["loop", "allocate -1", "print -1", "grumble -1", "trap", "recurse 100000000", "doze"];
    let limits = Limits { cpu: Duration::from_millis(300), result_bytes: 1 << 20, memory: 64 << 20, ..free() };
    thread::scope(|scope| {
        let hostile = hostile.map(|payload| {
            let limits = Limits { wall: Duration::from_millis(600), ..limits.clone() };
            scope.spawn(move || drop(probe_under(payload, &limits)))
        });
        // More at once than there are slots, so some get memory from the system.
        while !hostile.iter().all(thread::ScopedJoinHandle::is_finished) {
            check(probe("sum /inputs/0 put /outputs/creator abc"), "427");
        }
    });
}
