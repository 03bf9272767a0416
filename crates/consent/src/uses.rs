//! How often the runs of tasks used a file, counted so that no use is given twice and none is lost.
//!
//! ```text
//!          its key is released            its function begins
//!   free ────────────────────▶ reserved ────────────────────▶ spent
//!     ▲                            │
//!     └────────────────────────────┘  the run ended before its function began
//! ```
//!
//! A run is named by its lease, and a lease that ended never stands again: whoever calls this asks for that first. So
//! a reservation that was given back can't be spent later, and giving back needs no memory. Every step may be asked
//! for again by somebody who doesn't know whether it was taken: it then changes nothing.

use serde::{Deserialize, Serialize};

/// What one run has of a file's uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// It may begin.
    Reserved,
    /// It began.
    Spent,
}

/// How many of a file's uses are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// By runs that may begin.
    pub reserved: u64,
    /// By runs that began.
    pub spent: u64,
}

/// All uses are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its owner allowed {limit} use{}, and {}", if *limit == 1 { "" } else { "s" }, self.whose())]
pub struct Exhausted {
    /// How many there may be.
    pub limit: u64,
    /// How many of them belong to runs that have not begun, and may come back.
    pub reserved: u64,
}

impl Exhausted {
    fn whose(&self) -> &'static str {
        if self.reserved == 0 { "there were so many" } else { "all are taken by runs that began or are about to" }
    }
}

/// A run that was given no use, or gave it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run has no use of the file")]
pub struct NotReserved;

impl Tally {
    /// How many are taken, by runs that began or may begin.
    pub fn taken(self) -> u64 {
        self.reserved.saturating_add(self.spent)
    }

    /// Gives a run, which has `held` so far, a use.
    ///
    /// # Errors
    /// When as many as `limit` are taken.
    pub fn reserve(self, held: Option<Use>, limit: u64) -> Result<(Tally, Use), Exhausted> {
        match held {
            Some(held) => Ok((self, held)),
            None if self.taken() < limit => {
                Ok((Tally { reserved: self.reserved.saturating_add(1), ..self }, Use::Reserved))
            }
            None => Err(Exhausted { limit, reserved: self.reserved }),
        }
    }

    /// A run begins.
    ///
    /// # Errors
    /// When it has no use.
    pub fn begin(self, held: Option<Use>) -> Result<Tally, NotReserved> {
        match held {
            Some(Use::Reserved) => {
                Ok(Tally { reserved: self.reserved.saturating_sub(1), spent: self.spent.saturating_add(1) })
            }
            Some(Use::Spent) => Ok(self),
            None => Err(NotReserved),
        }
    }

    /// A run has ended. What it did not begin with, is free again; nothing when there is no such thing.
    pub fn give_back(self, held: Option<Use>) -> Option<Tally> {
        match held {
            Some(Use::Reserved) => Some(Tally { reserved: self.reserved.saturating_sub(1), ..self }),
            Some(Use::Spent) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// What happens to a run, in any order and as often as it likes.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Release,
        Begin,
        End,
        /// Whoever needs a use looks for runs that ended.
        Reclaim,
        /// The owner allows another number.
        Limit(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<(u8, Step)>> {
        let step = prop_oneof![
            4 => Just(Step::Release),
            3 => Just(Step::Begin),
            2 => Just(Step::End),
            1 => Just(Step::Reclaim),
            1 => (0..5_u64).prop_map(Step::Limit),
        ];
        prop::collection::vec((0..8_u8, step), 0..200)
    }

    /// The kms's part, as it keeps it.
    #[derive(Default)]
    struct Ledger {
        tally: Tally,
        held: BTreeMap<u8, Use>,
    }

    impl Ledger {
        fn reclaim(&mut self, ended: &BTreeSet<u8>) {
            for run in ended {
                if let Some(tally) = self.tally.give_back(self.held.get(run).copied()) {
                    self.tally = tally;
                    self.held.remove(run);
                }
            }
        }

        fn counted(&self, what: Use) -> u64 {
            self.held.values().filter(|held| **held == what).count() as u64
        }
    }

    proptest! {
        /// However runs interleave, end, and ask again: as many began as are counted, never more than was allowed when
        /// they were given their use, and what did not begin comes back.
        #[test]
        fn no_use_is_given_twice_and_none_is_lost(steps in steps(), limit in 0..5_u64) {
            let (mut ledger, mut limit) = (Ledger::default(), limit);
            let (mut began, mut ended, mut most) = (BTreeSet::new(), BTreeSet::new(), limit);
            for (run, step) in steps {
                // The tms says of a run that ended that its lease does not stand.
                let stands = !ended.contains(&run);
                match step {
                    Step::Release if stands => {
                        if let Ok((tally, held)) = ledger.tally.reserve(ledger.held.get(&run).copied(), limit) {
                            ledger.tally = tally;
                            ledger.held.insert(run, held);
                        }
                    }
                    Step::Begin if stands => {
                        if let Ok(tally) = ledger.tally.begin(ledger.held.get(&run).copied()) {
                            ledger.tally = tally;
                            ledger.held.insert(run, Use::Spent);
                            began.insert(run);
                        }
                    }
                    Step::End => { ended.insert(run); }
                    Step::Reclaim => ledger.reclaim(&ended),
                    Step::Limit(new) => { (limit, most) = (new, most.max(new)); }
                    _ => {}
                }
                prop_assert_eq!(ledger.tally.spent, began.len() as u64);
                prop_assert_eq!(ledger.tally.reserved, ledger.counted(Use::Reserved));
                prop_assert!(ledger.tally.taken() <= most);
            }
            ended.extend(0..8);
            ledger.reclaim(&ended);
            prop_assert_eq!(ledger.tally, Tally { reserved: 0, spent: began.len() as u64 });
        }
    }

    #[test]
    fn the_refusal_says_whether_waiting_helps() {
        let full = |reserved, spent| Tally { reserved, spent }.reserve(None, 2).expect_err("full").to_string();
        assert_eq!(full(0, 2), "its owner allowed 2 uses, and there were so many");
        assert_eq!(full(1, 1), "its owner allowed 2 uses, and all are taken by runs that began or are about to");
        let none = Tally::default().reserve(None, 0).expect_err("none").to_string();
        assert_eq!(none, "its owner allowed 0 uses, and there were so many");
    }
}
