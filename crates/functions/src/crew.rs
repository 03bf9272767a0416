//! The threads that one run works on: they share jobs, stop together, and report what went wrong first.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use executor::{Checkpoints, Failure, Invocation, contain};

/// Threads of a run.
pub(crate) struct Crew {
    threads: NonZeroUsize,
    checkpoints: Checkpoints,
    failed: AtomicBool,
}

impl Crew {
    /// As many as the run may have.
    pub(crate) fn new(invocation: &Invocation<'_>) -> Self {
        let (threads, checkpoints) = (invocation.threads(), invocation.checkpoints());
        Self { threads, checkpoints, failed: AtomicBool::new(false) }
    }

    /// The most that work at once.
    pub(crate) fn threads(&self) -> usize {
        self.threads.get()
    }

    /// Fails once the run must stop, or a thread of it has failed.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.failed.load(Relaxed) {
            return Err(Failure::function("another thread failed"));
        }
        self.checkpoints.check()
    }

    /// Does every job once, each thread with a state of its own, and gives the states.
    ///
    /// # Errors
    /// The first failure; the other threads then stop at their next [`check`](Self::check).
    pub(crate) fn share<J: Send, S: Send>(
        &self,
        threads: usize,
        jobs: Vec<J>,
        begin: impl Fn() -> Result<S, Failure> + Sync,
        work: impl Fn(&mut S, J) -> Result<(), Failure> + Sync,
    ) -> Result<Vec<S>, Failure> {
        let threads = threads.min(self.threads()).min(jobs.len()).max(1);
        let (queue, states, first) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()), Mutex::new(None));
        let shift = || {
            let done = contain(|| {
                let mut state = begin()?;
                while let Some(job) = next(&queue) {
                    self.check()?;
                    work(&mut state, job)?;
                }
                lock(&states).push(state);
                Ok(())
            });
            if let Err(failure) = done {
                lock(&first).get_or_insert(failure);
                self.failed.store(true, Relaxed);
            }
        };
        thread::scope(|scope| {
            // Where the system has no more threads, those that there are do the work.
            let others: Vec<_> =
                (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, shift).ok()).collect();
            shift();
            // The scope waits for their work; joining, until they and their memory are gone.
            others.into_iter().for_each(|other| drop(other.join()));
        });
        match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure),
            None => Ok(states.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn next<J>(queue: &Mutex<std::vec::IntoIter<J>>) -> Option<J> {
    lock(queue).next()
}

/// What is shared is whole whenever the lock is free.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
