//! Measures what running user code costs: `cargo run --release -p executor --example wasm_times [FILE.wasm]`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use executor::memory::MemoryFiles;
use executor::wasm::{CodeCache, CodeKey, Engine, EngineOptions, Program, Sandbox};
use executor::{Inputs, Interface, Limits, PayloadRule, ResultRule, StopSignal, run};
use types::digest::Digest;
use types::function::FunctionType;

/// The smallest preview 1 command: `_start` does nothing, and there is one page of memory.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x07\x13\x02\x06_start\0\0\x06memory\x02\0\x0a\x04\x01\x02\0\x0b";
const RUNS: u32 = 5_000;

#[derive(Default)]
struct Cache(Mutex<HashMap<CodeKey, Vec<u8>>>);

impl CodeCache for Cache {
    fn get(&self, key: &CodeKey) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: &CodeKey, compiled: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*key, compiled.to_vec());
    }
}

fn interface() -> Interface {
    Interface {
        name: "empty".into(),
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

fn engine(cache: &Arc<Cache>, slots: u32) -> Engine {
    Engine::new(EngineOptions { slots, ..EngineOptions::default() }, cache.clone()).expect("an engine")
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let value = act();
    println!("{what}: {:?}", started.elapsed());
    value
}

fn once(program: &Program) -> Duration {
    let started = Instant::now();
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let ran = run(program, None, &mut files, &Limits::default(), &StopSignal::new());
    ran.expect("a finished run");
    started.elapsed()
}

fn median(program: &Program) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| once(program)).collect();
    times.sort();
    times[times.len() / 2]
}

fn throughput(program: &Program, threads: u32) -> f64 {
    let started = Instant::now();
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| (0..500).map(|_| once(program)).max()))));
    f64::from(threads * 500) / started.elapsed().as_secs_f64()
}

fn main() {
    let file = std::env::args().nth(1).map(|path| std::fs::read(path).expect("a file"));
    let code = file.as_deref().unwrap_or(EMPTY);
    let digest = Digest::new([0; 32]);
    let cache = Arc::new(Cache::default());
    let load = |engine: &Engine| engine.load(code, digest, interface(), Sandbox::default()).expect("a program");
    println!("{} bytes of code", code.len());
    timed("inspect", || engine(&cache, 0).inspect(code).expect("good code"));
    timed("compile and load", || load(&engine(&cache, 0)));
    for (name, slots) in [("pooled", 64), ("plain", 0)] {
        let engine = timed(&format!("{name}: engine"), || engine(&cache, slots));
        let program = timed(&format!("{name}: load from cache"), || load(&engine));
        println!("{name}: first run: {:?}", once(&program));
        println!("{name}: warm run, median of {RUNS}: {:?}", median(&program));
        println!("{name}: {:.0} runs a second from 64 threads", throughput(&program, 64));
    }
}
