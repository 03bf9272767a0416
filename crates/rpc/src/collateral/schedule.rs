//! What is fetched next: a decision about needs, what is held, and a time.

use std::collections::HashMap;
use std::time::Duration;

use attest::collateral::{Collateral, Need};
use types::time::UnixMillis;

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause, and the pause after an answer that is as old as what is held.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// After so many failures, a need that only evidence named is forgotten. It took 31 minutes to get there.
const PATIENCE: u32 = 6;

/// How many needs that only evidence named are followed at once: whoever makes up evidence can name any.
const STRANGERS: usize = 64;

/// What is needed, and what became of it.
pub(super) struct Schedule {
    refresh_before: Duration,
    wanted: HashMap<Need, Attempt>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// Whether the configuration names it.
    configured: bool,
    failures: u32,
    not_before: UnixMillis,
}

impl Attempt {
    fn new(configured: bool) -> Self {
        Attempt { configured, failures: 0, not_before: UnixMillis(0) }
    }
}

impl Schedule {
    /// Of what is configured.
    pub(super) fn new(configured: Vec<Need>, refresh_before: Duration) -> Self {
        let wanted = configured.into_iter().map(|need| (need, Attempt::new(true))).collect();
        Schedule { refresh_before, wanted }
    }

    /// Takes in what evidence named. Says whether it is new here.
    pub(super) fn note(&mut self, need: Need) -> bool {
        let strangers = self.wanted.values().filter(|attempt| !attempt.configured).count();
        if self.wanted.contains_key(&need) || strangers >= STRANGERS {
            return false;
        }
        self.wanted.insert(need, Attempt::new(false)).is_none()
    }

    /// Takes in what is held: it is renewed, whoever put it there.
    pub(super) fn keep(&mut self, held: &Collateral) {
        for need in held.dated().filter_map(|(need, _)| need) {
            self.wanted.entry(need).or_insert(Attempt::new(true));
        }
    }

    /// What to fetch at `now`: what is missing first, then what runs out first.
    pub(super) fn due(&self, held: &Collateral, now: UnixMillis) -> Option<Need> {
        let open = self.wanted.iter().filter(|(_, attempt)| attempt.not_before <= now);
        let dated = open.map(|(need, _)| (until(held, need), need));
        let due = dated.filter(|(until, _)| *until <= now.plus(self.refresh_before));
        due.min_by_key(|(until, _)| *until).map(|(_, need)| need.clone())
    }

    /// Fresh collateral came, or the same as before.
    pub(super) fn succeeded(&mut self, need: &Need, now: UnixMillis) {
        if let Some(attempt) = self.wanted.get_mut(need) {
            *attempt = Attempt { failures: 0, not_before: now.plus(LONGEST_PAUSE), ..*attempt };
        }
        // From here on it is held, and kept for that.
        self.wanted.retain(|other, attempt| attempt.configured || other != need);
    }

    /// Nothing came. Returns the pause until the next attempt.
    pub(super) fn failed(&mut self, need: &Need, now: UnixMillis) -> Duration {
        let Some(attempt) = self.wanted.get_mut(need) else { return LONGEST_PAUSE };
        let pause = FIRST_PAUSE.saturating_mul(1 << attempt.failures.min(PATIENCE)).min(LONGEST_PAUSE);
        attempt.failures += 1;
        attempt.not_before = now.plus(pause);
        let forget = !attempt.configured && attempt.failures >= PATIENCE;
        self.wanted.retain(|other, _| !forget || other != need);
        pause
    }
}

/// Until when there is what is needed; since for ever there is not.
fn until(held: &Collateral, need: &Need) -> UnixMillis {
    held.until(need).unwrap_or(UnixMillis(0))
}

#[cfg(test)]
mod tests {
    use attest::collateral::Part;
    use attest::platform::Platform;
    use forge::{Forge, Machine};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_435_200_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn held() -> Collateral {
        let json = Forge::new(NOW).install(Machine::default()).collateral(Platform::Tdx);
        Collateral::default().with(Part::from_json(&json).expect("collateral"))
    }

    fn need(text: &str) -> Need {
        text.parse().expect(text)
    }

    #[test]
    fn what_is_held_is_renewed_ahead_of_its_end() {
        let (held, mut schedule) = (held(), Schedule::new(Vec::new(), DAY * 10));
        schedule.keep(&held);
        assert_eq!(schedule.due(&held, NOW.plus(DAY * 19)), None);
        let due = schedule.due(&held, NOW.plus(DAY * 20));
        assert_eq!(due, Some(need("tdx:f056e1000000:platform")));
        // The maker has nothing newer yet: there is time.
        schedule.succeeded(&due.expect("due"), NOW.plus(DAY * 20));
        schedule.keep(&held);
        assert_eq!(schedule.due(&held, NOW.plus(DAY * 20 + LONGEST_PAUSE / 2)), None);
        assert!(schedule.due(&held, NOW.plus(DAY * 20 + LONGEST_PAUSE)).is_some());
    }

    #[test]
    fn what_is_missing_comes_first_and_failures_are_spaced() {
        let (held, stranger) = (held(), need("Genoa:VCEK"));
        let mut schedule = Schedule::new(vec![need("tdx:f056e1000000:platform")], DAY * 10);
        assert!(schedule.note(stranger.clone()) && !schedule.note(stranger.clone()));
        let mut now = NOW.plus(DAY * 25);
        let mut pauses = Vec::new();
        while schedule.due(&held, now).as_ref() == Some(&stranger) {
            pauses.push(schedule.failed(&stranger, now).as_secs() / 60);
            now = now.plus(FIRST_PAUSE * pauses.last().copied().unwrap_or(0) as u32);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32]);
        // What is configured is never given up.
        let configured = need("tdx:f056e1000000:platform");
        let pauses: Vec<_> = (0..40).map(|_| schedule.failed(&configured, now)).collect();
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
        assert_eq!(schedule.due(&held, now.plus(LONGEST_PAUSE)), Some(configured));
    }

    #[test]
    fn strangers_fill_only_their_own_places() {
        let mut schedule = Schedule::new(vec![need("Milan:VCEK")], DAY);
        let taken = (0..200_u32).filter(|n| schedule.note(need(&format!("sgx:{n:012x}:platform")))).count();
        assert_eq!(taken, STRANGERS);
        schedule.keep(&held());
        assert!(schedule.wanted.contains_key(&need("tdx:f056e1000000:platform")));
    }
}
