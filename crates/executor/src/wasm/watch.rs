//! Asks at every beat whether a guest may go on.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::meter::Meter;
use crate::{Failure, Limit};

/// The limits that end a guest while it computes.
pub(super) struct Watch {
    meter: Arc<Meter>,
    started: Duration,
}

impl Watch {
    /// From now on, for what happens on this thread.
    pub(super) fn start(meter: Arc<Meter>) -> Self {
        Self { meter, started: thread_time() }
    }

    /// Processor time of this thread since the start; waiting for the host's streams takes none.
    pub(super) fn cpu(&self) -> Duration {
        thread_time().saturating_sub(self.started)
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        self.meter.check()?;
        let limit = self.meter.limits().cpu;
        if self.cpu() > limit { Err(Limit::Cpu(limit).into()) } else { Ok(()) }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
