//! The heartbeat by which running guests are interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How long a guest computes without being asked whether it may go on.
const BEAT: Duration = Duration::from_millis(1);
/// Beats without a guest after which the heart rests. Starting it again costs a system call.
const LINGER: u32 = 100;

/// A thread that moves the epoch of some engines while guests run; it ends with this value.
pub(super) struct Ticker {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    running: AtomicUsize,
    over: AtomicBool,
}

/// A guest that runs.
pub(super) struct Running<'a> {
    ticker: &'a Ticker,
    /// How many others ran when it started.
    pub(super) others: usize,
}

impl Ticker {
    pub(super) fn start(engines: Vec<Engine>) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let thread = thread::Builder::new().name("wasm-epochs".into()).spawn(move || beat(&shared, &engines))?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Beats at least until the value is dropped.
    pub(super) fn enter(&self) -> Running<'_> {
        let others = self.state.running.fetch_add(1, SeqCst);
        if others == 0 {
            self.wake();
        }
        Running { ticker: self, others }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.ticker.state.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.over.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}

fn beat(state: &State, engines: &[Engine]) {
    let mut idle = 0;
    while !state.over.load(SeqCst) {
        idle = if state.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > LINGER {
            // Whoever enters after the load above has left a token, with which this returns at once.
            thread::park();
            idle = 0;
            continue;
        }
        thread::sleep(BEAT);
        engines.iter().for_each(Engine::increment_epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_its_owner_also_at_rest() {
        let ticker = Ticker::start(Vec::new()).unwrap();
        {
            let first = ticker.enter();
            let second = ticker.enter();
            assert_eq!((first.others, second.others), (0, 1));
        }
        assert_eq!(ticker.enter().others, 0);
        thread::sleep(BEAT * (LINGER + 50));
        let state = Arc::downgrade(&ticker.state);
        drop(ticker);
        assert!(state.upgrade().is_none());
    }
}
