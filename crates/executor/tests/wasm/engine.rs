//! The engine as its host sees it: caching, sharing, determinism, usage.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use executor::memory::MemoryFiles;
use executor::wasm::{ClockRule, CodeCache, CodeKey, Engine, EngineOptions, Randomness, Sandbox};
use executor::{Function, Limits};

use crate::support::{ENGINE, PROBE, check, command, digest, interface, load, load_in, probe, run_with};

/// Keeps compiled code in memory, as a host that authenticates it, and counts.
#[derive(Default)]
struct Cache {
    kept: Mutex<HashMap<CodeKey, Vec<u8>>>,
    puts: Mutex<u32>,
}

impl CodeCache for Cache {
    fn get(&self, key: &CodeKey) -> Option<Vec<u8>> {
        self.kept.lock().expect("no panic").get(key).cloned()
    }

    fn put(&self, key: &CodeKey, compiled: &[u8]) {
        *self.puts.lock().expect("no panic") += 1;
        self.kept.lock().expect("no panic").insert(*key, compiled.to_vec());
    }
}

fn engine(cache: &Arc<Cache>, options: EngineOptions) -> Engine {
    Engine::new(EngineOptions { slots: 2, ..options }, cache.clone()).expect("an engine")
}

fn runs(engine: &Engine, code: &[u8]) {
    let program = engine.load(code, digest(code), interface(), Sandbox::default()).expect("a program");
    check(run_with(&program, None, &mut MemoryFiles::new::<&[u8]>([]), &Limits::default()), "");
}

#[test]
fn code_is_compiled_once_also_across_restarts() {
    let cache = Arc::new(Cache::default());
    let code = command("", "");
    let puts = || *cache.puts.lock().expect("no panic");
    let first = engine(&cache, EngineOptions::default());
    assert!(first.find(digest(&code), interface(), Sandbox::default()).is_none());
    (0..3).for_each(|_| runs(&first, &code));
    assert_eq!(puts(), 1);
    drop(first);
    let second = engine(&cache, EngineOptions::default());
    let found = second.find(digest(&code), interface(), Sandbox::default()).expect("a program");
    check(run_with(&found, None, &mut MemoryFiles::new::<&[u8]>([]), &Limits::default()), "");
    runs(&second, &code);
    assert_eq!(puts(), 1);
    // What the cache does not vouch for is not there.
    cache.kept.lock().expect("no panic").clear();
    runs(&engine(&cache, EngineOptions::default()), &code);
    assert_eq!(puts(), 2);
    // Other settings make other code, under another key.
    runs(&engine(&cache, EngineOptions { fuel: true, ..EngineOptions::default() }), &code);
    assert_eq!((puts(), cache.kept.lock().expect("no panic").len()), (3, 2));
    let mut keys = cache.kept.lock().expect("no panic").keys().map(ToString::to_string).collect::<Vec<_>>();
    keys.retain(|key| key.starts_with(&digest(&code).to_string()) && key.len() == 64 + 1 + 16);
    assert_eq!(keys.len(), 2);
}

#[test]
fn compiled_code_of_another_engine_is_compiled_again() {
    /// Answers with what an engine with other settings made: authentic, but of no use.
    struct Other(Vec<u8>);
    impl CodeCache for Other {
        fn get(&self, _: &CodeKey) -> Option<Vec<u8>> {
            Some(self.0.clone())
        }
        fn put(&self, _: &CodeKey, _: &[u8]) {}
    }
    let cache = Arc::new(Cache::default());
    let code = command("", "");
    runs(&engine(&cache, EngineOptions { fuel: true, ..EngineOptions::default() }), &code);
    let compiled = cache.kept.lock().expect("no panic").values().next().expect("compiled code").clone();
    let other = Engine::new(EngineOptions { slots: 2, ..EngineOptions::default() }, Arc::new(Other(compiled)));
    runs(&other.expect("an engine"), &code);
}

#[test]
fn what_many_load_at_once_is_compiled_once() {
    let cache = Arc::new(Cache::default());
    let engine = engine(&cache, EngineOptions::default());
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| runs(&engine, &command("nop", ""))))));
    assert_eq!(*cache.puts.lock().expect("no panic"), 1);
}

#[test]
fn more_runs_at_once_than_slots_all_run() {
    let program = load(PROBE).expect("the probe");
    thread::scope(|scope| {
        for n in 0..24 {
            let program = &program;
            scope.spawn(move || {
                let mut files = MemoryFiles::new([vec![n; 1000]]);
                let ran = run_with(program, Some("allocate 2 sum /inputs/0"), &mut files, &Limits::default());
                check(ran, &format!("2\n{}", u32::from(n) * 1000));
            });
        }
    });
}

#[test]
fn an_engine_works_without_memory_set_aside() {
    let cache = Arc::new(Cache::default());
    let plain = Engine::new(EngineOptions { slots: 0, ..EngineOptions::default() }, cache).expect("an engine");
    assert!(!plain.is_pooled() && ENGINE.is_pooled());
    runs(&plain, &command("", ""));
}

#[test]
fn what_is_too_large_for_the_pool_gets_memory_of_its_own() {
    let memories = "(memory 1) ".repeat(5);
    check(
        run_with(
            &load(&command("", &memories)).expect("a program"),
            None,
            &mut MemoryFiles::new::<&[u8]>([]),
            &Limits::default(),
        ),
        "",
    );
}

#[test]
fn a_run_leaves_nothing_to_the_next() {
    // Counts up in memory, and traps unless it was zero.
    let counts =
        command("(if (i32.load (i32.const 4096)) (then unreachable)) (i32.store (i32.const 4096) (i32.const 1))", "");
    let program = load(&counts).expect("a program");
    for _ in 0..20 {
        check(run_with(&program, None, &mut MemoryFiles::new::<&[u8]>([]), &Limits::default()), "");
    }
}

#[test]
fn two_runs_are_the_same() {
    let once = || probe("dice clocks dice").expect("a finished run").result;
    let first = once();
    assert_eq!(first, once());
    let lines: Vec<&str> = first.lines().collect();
    assert_ne!(lines[0], lines[2]);
    assert!(lines[1].starts_with("3600 157784"), "{first}");
}

#[test]
fn a_registration_can_ask_for_real_randomness_and_time() {
    let sandbox = Sandbox { randomness: Randomness::Real, clock: ClockRule::Coarse };
    let program = load_in(PROBE, sandbox).expect("the probe");
    let once = |payload| {
        run_with(&program, Some(payload), &mut MemoryFiles::new::<&[u8]>([]), &Limits::default()).expect("a run").result
    };
    assert_ne!(once("dice"), once("dice"));
    let started = Instant::now();
    once("sleep 1");
    assert!(started.elapsed() >= Duration::from_millis(990));
    let json = serde_json::to_string(&sandbox).expect("JSON");
    assert_eq!(json, r#"{"randomness":"real","clock":"coarse"}"#);
    assert_eq!(serde_json::from_str::<Sandbox>("{}").expect("a sandbox"), Sandbox::default());
    assert!(serde_json::from_str::<Sandbox>(r#"{"network":true}"#).is_err());
}

#[test]
fn not_a_number_is_the_same_everywhere() {
    // Two ways to make a NaN, compared bit by bit.
    let body = "(if (i64.ne
        (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0)))
        (i64.reinterpret_f64 (f64.add (f64.const -nan:0x123) (f64.const 1)))) (then unreachable))";
    let ran = run_with(
        &load(&command(body, "")).expect("a program"),
        None,
        &mut MemoryFiles::new::<&[u8]>([]),
        &Limits::default(),
    );
    check(ran, "");
}

#[test]
fn usage_is_told() {
    let usage = probe("sum /inputs/0").expect("a run").usage.expect("usage");
    assert!(usage.memory >= 1 << 20 && usage.cpu > Duration::ZERO && usage.fuel.is_none(), "{usage:?}");
    let counting = engine(&Arc::new(Cache::default()), EngineOptions { fuel: true, ..EngineOptions::default() });
    let program = counting.load(PROBE, digest(PROBE), interface(), Sandbox::default()).expect("the probe");
    let fuel = |payload| {
        let mut files = MemoryFiles::new([&b"left"[..]]);
        let outcome = run_with(&program, Some(payload), &mut files, &Limits::default()).expect("a run");
        outcome.usage.expect("usage").fuel.expect("fuel")
    };
    let (few, many) = (fuel("recurse 10"), fuel("recurse 1000"));
    assert!(few > 100 && many > few + 990, "{few} {many}");
    assert_eq!(fuel("recurse 10"), few);
}

#[test]
fn a_run_needs_no_runtime_and_survives_the_engine() {
    let cache = Arc::new(Cache::default());
    let engine = engine(&cache, EngineOptions::default());
    let code = command("", "");
    let program = engine.load(&code, digest(&code), interface(), Sandbox::default()).expect("a program");
    drop(engine);
    let ran = thread::spawn(move || {
        assert_eq!(program.interface(), &interface());
        run_with(&program, None, &mut MemoryFiles::new::<&[u8]>([]), &Limits::default())
    });
    check(ran.join().expect("no panic"), "");
}

#[test]
fn nothing_secret_is_printed() {
    let program = load(PROBE).expect("the probe").with_files([("main.py".to_owned(), *b"secret")]).expect("a name");
    let outcome = probe("arguments").expect("a run");
    let printed = format!("{program:?} {outcome:?} {:?}", *ENGINE);
    assert!(!printed.contains("secret") && !printed.contains("2 probe"), "{printed}");
}
