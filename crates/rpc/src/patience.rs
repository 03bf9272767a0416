//! How often what fails in passing is tried again, and how long the pauses are.

use std::time::Duration;

/// How often something is tried before it is given up: with the pauses, for up to half a minute.
const ATTEMPTS: u32 = 8;

/// The first pause between two attempts; each next one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(200);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);

/// What is left of somebody's patience with one thing.
#[derive(Debug)]
pub struct Patience {
    failures: u32,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { failures: 0, pause: FIRST }
    }
}

impl Patience {
    /// Counts a failure and waits; `false`, at once, when enough was tried.
    ///
    /// Half of each pause is left to chance: clients that were cut off together do not come back together.
    pub async fn again(&mut self) -> bool {
        self.failures += 1;
        if self.failures >= ATTEMPTS {
            return false;
        }
        let chance = f64::from(crypto::random::bytes::<1>()[0]) / 255.0;
        tokio::time::sleep(self.pause.mul_f64(0.5 + chance / 2.0)).await;
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }

    /// Starts anew, since something went forward.
    pub fn renew(&mut self) {
        *self = Self::default();
    }

    /// Whether something failed before.
    pub fn was_tried(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn eight_attempts_take_less_than_half_a_minute() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        for attempt in 1..ATTEMPTS {
            assert!(!patience.was_tried() || attempt > 1);
            assert!(patience.again().await, "{attempt}");
        }
        assert!(!patience.again().await && !patience.again().await);
        let took = start.elapsed();
        assert!((Duration::from_secs(10)..Duration::from_secs(30)).contains(&took), "{took:?}");
        patience.renew();
        assert!(!patience.was_tried() && patience.again().await);
    }
}
