//! The time that a guest sees.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::meter::Meter;

/// Which time a function sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockRule {
    /// It starts at 2020-01-01T00:00:00Z in every run and goes on by a microsecond with every reading; a sleep ends at
    /// once and leaves it later. Two runs see the same.
    #[default]
    Virtual,
    /// The machine's, in whole milliseconds; a sleep takes its time.
    Coarse,
}

const NANOS: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
/// By how much a reading moves virtual time: a loop that waits for a second in this way takes a million readings.
const STEP: u64 = 1_000;
/// 2020-01-01T00:00:00Z in seconds since 1970.
const VIRTUAL_START: u64 = 1_577_836_800;
/// How long a sleeping guest goes without noticing that it must stop.
const NAP: Duration = Duration::from_millis(2);

pub(super) enum Clock {
    Virtual { now: u64 },
    Coarse { started: Instant, wall: Duration },
}

impl Clock {
    pub(super) fn new(rule: ClockRule) -> Self {
        match rule {
            // Not from 0: libraries take that for "never".
            ClockRule::Virtual => Self::Virtual { now: NANOS },
            ClockRule::Coarse => Self::Coarse {
                started: Instant::now(),
                wall: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            },
        }
    }

    /// Nanoseconds since some moment.
    pub(super) fn now(&mut self) -> u64 {
        match self {
            Self::Virtual { now } => {
                *now = now.saturating_add(STEP);
                *now
            }
            Self::Coarse { started, .. } => coarse(started.elapsed()) + NANOS,
        }
    }

    /// Seconds and nanoseconds since 1970.
    pub(super) fn wall(&mut self) -> (u64, u32) {
        let since = match self {
            Self::Coarse { started, wall } => coarse(wall.saturating_add(started.elapsed())),
            Self::Virtual { .. } => return seconds(self.now(), VIRTUAL_START - 1),
        };
        seconds(since, 0)
    }

    /// Nanoseconds that a reading is good to.
    pub(super) fn resolution(&self) -> u64 {
        match self {
            Self::Virtual { .. } => STEP,
            Self::Coarse { .. } => MILLI,
        }
    }

    /// Whether `instant` has come; not a reading.
    pub(super) fn reached(&self, instant: u64) -> bool {
        match self {
            Self::Virtual { now } => *now >= instant,
            Self::Coarse { started, .. } => coarse(started.elapsed()) + NANOS >= instant,
        }
    }

    /// Returns when `instant` has come, or fails when the run must stop.
    pub(super) fn sleep_until(&mut self, instant: u64, meter: &Meter) -> Result<(), Failure> {
        if let Self::Virtual { now } = self {
            *now = instant.max(*now);
        }
        while !self.reached(instant) {
            meter.check()?;
            thread::sleep(NAP);
        }
        meter.check()
    }
}

/// In whole milliseconds, as nanoseconds; `u64` holds 584 years of them.
fn coarse(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / MILLI).min(u64::MAX / MILLI / 2) * MILLI
}

fn seconds(nanos: u64, start: u64) -> (u64, u32) {
    let rest = u32::try_from(nanos % NANOS).expect("less than 10^9");
    (start + nanos / NANOS, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, StopSignal, Stopped};

    fn meter(wall: Duration) -> Meter {
        Meter::start(Limits { wall, ..Limits::default() }, StopSignal::new())
    }

    #[test]
    fn virtual_time_moves_by_readings_and_sleeps_alone() {
        let mut clock = Clock::new(ClockRule::Virtual);
        assert_eq!((clock.now(), clock.now()), (NANOS + STEP, NANOS + 2 * STEP));
        assert_eq!(clock.wall(), (VIRTUAL_START, 3_000));
        clock.sleep_until(3_600 * NANOS, &meter(Duration::from_secs(1))).unwrap();
        assert!(clock.reached(3_600 * NANOS));
        assert_eq!(clock.wall(), (VIRTUAL_START + 3_599, 1_000));
        clock.sleep_until(u64::MAX, &meter(Duration::from_secs(1))).unwrap();
        assert_eq!((clock.now(), clock.now()), (u64::MAX, u64::MAX));
    }

    #[test]
    fn coarse_time_is_in_milliseconds_and_its_sleeps_can_be_stopped() {
        let mut clock = Clock::new(ClockRule::Coarse);
        assert_eq!((clock.now() % MILLI, clock.wall().1 % 1_000_000), (0, 0));
        let soon = clock.now() + 5 * MILLI;
        clock.sleep_until(soon, &meter(Duration::from_secs(5))).unwrap();
        assert!(clock.now() >= soon);
        let ended = clock.sleep_until(u64::MAX, &meter(Duration::from_millis(5)));
        assert!(matches!(ended, Err(Failure::Stopped(Stopped::Deadline(_)))));
    }
}
