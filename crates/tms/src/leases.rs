//! When each running task's lease runs out: a table in memory over leases that the store keeps.
//!
//! Renewals are not written to disk. After a restart every lease gets one more period, which is enough for a living
//! node to renew it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use types::id::{LeaseId, TaskId};

use crate::task::Lease;

/// Why a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its node stopped renewing it.
    Silent,
    /// The task's time limit passed, and the node did not end it.
    Overdue,
}

struct Entry {
    lease: Lease,
    renewed: Instant,
    deadline: Instant,
}

/// The leases of running tasks.
pub(crate) struct Leases {
    period: Duration,
    running: Mutex<HashMap<TaskId, Entry>>,
}

impl Leases {
    /// No leases; each will last `period` without being renewed.
    pub(crate) fn new(period: Duration) -> Self {
        Leases { period, running: Mutex::default() }
    }

    /// A task runs under a lease from now on.
    pub(crate) fn insert(&self, task: TaskId, lease: Lease, time_limit: Duration, now: Instant) {
        // The node ends an overdue task itself; this is for nodes that don't.
        let deadline = now + time_limit + self.period;
        let mut running = self.lock();
        match running.get_mut(&task) {
            // The time limit counts from the first moment, whatever the node reports meanwhile.
            Some(entry) if entry.lease == lease => entry.renewed = now,
            _ => {
                running.insert(task, Entry { lease, renewed: now, deadline });
            }
        }
    }

    /// A task runs no longer.
    pub(crate) fn remove(&self, task: &TaskId) {
        self.lock().remove(task);
    }

    /// Keeps a lease for another period. `false` when the task is not under it.
    pub(crate) fn renew(&self, task: &TaskId, lease: &LeaseId, now: Instant) -> bool {
        let mut running = self.lock();
        let entry = running.get_mut(task).filter(|entry| entry.lease.id.as_ref() == Some(lease));
        entry.map(|entry| entry.renewed = now).is_some()
    }

    /// The leases that ran out.
    pub(crate) fn expired(&self, now: Instant) -> Vec<(TaskId, Lease, Lost)> {
        let lost = |entry: &Entry| match entry {
            entry if now >= entry.deadline => Some(Lost::Overdue),
            // Nodes that name no lease know nothing of renewing.
            entry if entry.lease.id.is_some() && now >= entry.renewed + self.period => Some(Lost::Silent),
            _ => None,
        };
        let running = self.lock();
        running.iter().filter_map(|(task, entry)| Some((task.clone(), entry.lease.clone(), lost(entry)?))).collect()
    }

    /// The leases that a predicate picks.
    pub(crate) fn matching(&self, picks: impl Fn(&Lease) -> bool) -> Vec<(TaskId, Lease)> {
        let running = self.lock();
        let picked = running.iter().filter(|(_, entry)| picks(&entry.lease));
        picked.map(|(task, entry)| (task.clone(), entry.lease.clone())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use types::time::UnixMillis;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);
    const LIMIT: Duration = Duration::from_secs(25);

    fn leases(id: Option<&str>) -> (Leases, TaskId, Instant) {
        let (leases, task, now) = (Leases::new(PERIOD), "t".parse().expect("short"), Instant::now());
        let id = id.map(|id| id.parse().expect("short"));
        leases.insert(TaskId::clone(&task), Lease { id, node: None, since: UnixMillis(0) }, LIMIT, now);
        (leases, task, now)
    }

    fn check(leases: &Leases, at: Instant, expected: Option<Lost>) {
        assert_eq!(leases.expired(at).first().map(|(_, _, lost)| *lost), expected);
    }

    #[test]
    fn a_lease_lasts_a_period_and_each_renewal_another() {
        let (leases, task, start) = leases(Some("l"));
        let lease = "l".parse().expect("short");
        check(&leases, start + PERIOD - Duration::from_millis(1), None);
        check(&leases, start + PERIOD, Some(Lost::Silent));
        assert!(leases.renew(&task, &lease, start + PERIOD));
        check(&leases, start + PERIOD * 2 - Duration::from_millis(1), None);
        assert!(!leases.renew(&task, &"other".parse().expect("short"), start));
    }

    #[test]
    fn renewing_does_not_outlast_the_time_limit() {
        let (leases, task, start) = leases(Some("l"));
        leases.renew(&task, &"l".parse().expect("short"), start + LIMIT + PERIOD);
        check(&leases, start + LIMIT + PERIOD, Some(Lost::Overdue));
    }

    #[test]
    fn reports_during_a_run_do_not_outlast_the_time_limit() {
        let (leases, task, start) = leases(Some("l"));
        let lease = Lease { id: Some("l".parse().expect("short")), node: None, since: UnixMillis(0) };
        leases.insert(task.clone(), lease.clone(), LIMIT, start + LIMIT);
        leases.renew(&task, &"l".parse().expect("short"), start + LIMIT + PERIOD);
        check(&leases, start + LIMIT + PERIOD, Some(Lost::Overdue));
        let other = Lease { id: Some("m".parse().expect("short")), ..lease };
        leases.insert(task, other, LIMIT, start + LIMIT + PERIOD);
        check(&leases, start + LIMIT + PERIOD, None);
    }

    #[test]
    fn a_node_that_names_no_lease_has_the_time_limit() {
        let (leases, task, start) = leases(None);
        check(&leases, start + LIMIT, None);
        check(&leases, start + LIMIT + PERIOD, Some(Lost::Overdue));
        leases.remove(&task);
        check(&leases, start + LIMIT + PERIOD, None);
    }
}
