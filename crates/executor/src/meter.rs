//! The running account of one run, shared by its invocation and all its streams.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use crate::{Failure, Limit, Limits, StopSignal, Stopped, Usage};

#[derive(Debug)]
pub(crate) struct Meter {
    limits: Limits,
    stop: StopSignal,
    started: Instant,
    written: AtomicU64,
    scratch: AtomicU64,
    created: AtomicUsize,
    finished: AtomicUsize,
    counted: AtomicBool,
    usage: OnceLock<Usage>,
}

impl Meter {
    pub(crate) fn start(limits: Limits, stop: StopSignal) -> Self {
        Self {
            limits,
            stop,
            started: Instant::now(),
            written: AtomicU64::new(0),
            scratch: AtomicU64::new(0),
            created: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            counted: AtomicBool::new(false),
            usage: OnceLock::new(),
        }
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// Fails when the deadline has passed or the host has raised the stop signal.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.stop.check()?;
        if self.elapsed() >= self.limits.wall {
            return Err(Stopped::Deadline(self.limits.wall).into());
        }
        Ok(())
    }

    pub(crate) fn count_created(&self) -> Result<(), Limit> {
        let before = self.created.fetch_add(1, Relaxed);
        if before < self.limits.outputs { Ok(()) } else { Err(Limit::Outputs(self.limits.outputs)) }
    }

    pub(crate) fn count_finished(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    pub(crate) fn all_finished(&self) -> bool {
        self.finished.load(Relaxed) == self.created.load(Relaxed)
    }

    pub(crate) fn count_written(&self, bytes: usize) -> Result<(), Limit> {
        let before = self.written.fetch_add(bytes as u64, Relaxed);
        let fits = before.checked_add(bytes as u64).is_some_and(|total| total <= self.limits.output_bytes);
        if fits { Ok(()) } else { Err(Limit::OutputBytes(self.limits.output_bytes)) }
    }

    /// Fails when a result would be about fewer records than it may be.
    pub(crate) fn check_group(&self, records: u64) -> Result<(), Limit> {
        self.counted.store(true, Relaxed);
        match self.limits.group {
            Some(least) if records < least => Err(Limit::Group(least)),
            _ => Ok(()),
        }
    }

    /// Whether the function kept to the minimum group, if there is one.
    pub(crate) fn group_was_checked(&self) -> bool {
        self.limits.group.is_none() || self.counted.load(Relaxed)
    }

    /// Counts bytes that go to the scratch space.
    pub(crate) fn count_scratch(&self, bytes: usize) -> Result<(), Limit> {
        let before = self.scratch.fetch_add(bytes as u64, Relaxed);
        let fits = before.checked_add(bytes as u64).is_some_and(|total| total <= self.limits.scratch);
        if fits { Ok(()) } else { Err(Limit::Scratch(self.limits.scratch)) }
    }

    /// How many bytes of an input may be gathered.
    pub(crate) fn whole_bytes(&self) -> u64 {
        self.limits.whole_bytes
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Notes what user code took, once.
    pub(crate) fn note(&self, usage: Usage) {
        // A second note would be of a second guest in one run, which there never is.
        let _ = self.usage.set(usage);
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage.get().copied()
    }

    /// How much memory the run may take for what it works on.
    pub(crate) fn memory(&self) -> u64 {
        self.limits.memory
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn check_result(&self, bytes: usize) -> Result<(), Limit> {
        let limit = self.limits.result_bytes;
        if bytes <= limit { Ok(()) } else { Err(Limit::ResultBytes(limit)) }
    }
}
