//! What people are told about collateral's end: a gauge always, and the log as the end comes closer.

use std::collections::HashMap;
use std::time::Duration;

use attest::collateral::{Collateral, Need};
use types::time::UnixMillis;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How close the end is. The log says so once at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// More than seven days.
    Far,
    /// Seven days or less.
    Week,
    /// Three days or less.
    Days,
    /// One day or less.
    Day,
    /// It has run out.
    Over,
}

/// How close `until` is at `now`.
pub(super) fn stage(until: UnixMillis, now: UnixMillis) -> Stage {
    let left = Duration::from_millis(until.0.saturating_sub(now.0));
    match left {
        _ if until < now => Stage::Over,
        left if left <= DAY => Stage::Day,
        left if left <= DAY * 3 => Stage::Days,
        left if left <= DAY * 7 => Stage::Week,
        _ => Stage::Far,
    }
}

/// What was said so far, by what collateral is for.
#[derive(Default)]
pub(super) struct Watch(HashMap<String, Stage>);

impl Watch {
    /// Says what is to be said now. Returns what came closer since the last call.
    pub(super) fn look(&mut self, held: &Collateral, now: UnixMillis) -> Vec<(String, Stage)> {
        let named = |need: Option<Need>| need.map_or_else(|| "of an unknown CA".to_owned(), |need| need.to_string());
        let dated: HashMap<_, _> = held.dated().map(|(need, until)| (named(need), until)).collect();
        for gone in self.0.keys().filter(|name| !dated.contains_key(*name)) {
            show(gone, f64::NAN);
        }
        self.0.retain(|name, _| dated.contains_key(name));
        let mut closer: Vec<_> = dated.iter().filter_map(|(name, until)| self.update(name, *until, now)).collect();
        closer.sort();
        closer
    }

    fn update(&mut self, name: &str, until: UnixMillis, now: UnixMillis) -> Option<(String, Stage)> {
        show(name, (until.0 as f64 - now.0 as f64) / 1000.0);
        let stage = stage(until, now);
        let before = self.0.insert(name.to_owned(), stage).unwrap_or(Stage::Far);
        if stage <= before {
            return None;
        }
        warn(name, until, now, stage);
        Some((name.to_owned(), stage))
    }
}

fn show(name: &str, seconds: f64) {
    metrics::gauge!("teehouse_collateral_expires_seconds", "machines" => name.to_owned()).set(seconds);
}

fn warn(machines: &str, until: UnixMillis, now: UnixMillis, stage: Stage) {
    let hours = until.0.saturating_sub(now.0) / 3_600_000;
    match stage {
        Stage::Over => tracing::warn!(machines, "collateral has run out: evidence of these machines is refused"),
        _ => tracing::warn!(machines, hours_left = hours, "collateral runs out, and nothing newer has come"),
    }
}

#[cfg(test)]
mod tests {
    use attest::collateral::Part;
    use attest::platform::Platform;
    use forge::{Forge, Machine};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

    #[test]
    fn each_stage_is_said_once_and_again_for_the_next_collateral() {
        let mut forge = Forge::new(NOW);
        let read = |forge: &Forge| {
            let json = forge.install(Machine::default()).collateral(Platform::Sgx);
            Collateral::default().with(Part::from_json(&json).expect("collateral"))
        };
        let (held, mut watch) = (read(&forge), Watch::default());
        let hour = Duration::from_secs(3600);
        let mut said = Vec::new();
        for hours in 0..(31 * 24) {
            let now = NOW.plus(hour * hours);
            said.extend(watch.look(&held, now).into_iter().map(|(_, stage)| (hours / 24, stage)));
        }
        let expected = [(23, Stage::Week), (27, Stage::Days), (29, Stage::Day), (30, Stage::Over)];
        assert_eq!(said, expected);
        forge.reissue(NOW.plus(DAY * 30));
        assert!(watch.look(&read(&forge), NOW.plus(DAY * 31)).is_empty());
        assert_eq!(watch.look(&read(&forge), NOW.plus(DAY * 58)).len(), 1);
        assert!(watch.look(&Collateral::default(), NOW).is_empty() && watch.0.is_empty());
    }
}
