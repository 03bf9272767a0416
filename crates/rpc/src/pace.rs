//! How often something may happen: so often in a second, in bursts of at most a tenth of that.

use std::time::{Duration, Instant};

/// A token bucket.
pub(crate) struct Pace {
    per_second: f64,
    burst: f64,
    available: f64,
    last: Instant,
}

impl Pace {
    /// So many in a second; 0 is no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = if per_second == 0 { f64::INFINITY } else { f64::from(per_second) };
        let burst = (per_second / 10.0).max(1.0);
        Pace { per_second, burst, available: burst, last: now }
    }

    /// Takes one; how long to wait before it happens.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        self.available = (self.available + passed * self.per_second).min(self.burst) - 1.0;
        match self.available {
            available if available >= 0.0 || self.per_second.is_infinite() => Duration::ZERO,
            available => Duration::from_secs_f64(-available / self.per_second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let start = Instant::now();
        let mut pace = Pace::new(100, start);
        for _ in 0..10 {
            assert_eq!(pace.take(start), Duration::ZERO);
        }
        assert_eq!(pace.take(start).as_millis(), 10);
        assert_eq!(pace.take(start + Duration::from_millis(10)).as_millis(), 10);
        assert_eq!(pace.take(start + Duration::from_secs(5)), Duration::ZERO, "idle time is not saved up for ever");
    }

    #[test]
    fn no_limit_never_waits() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        assert!((0..100_000).all(|_| pace.take(start) == Duration::ZERO));
    }
}
