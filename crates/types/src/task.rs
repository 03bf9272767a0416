//! The task state machine: the only code that decides which status follows which.
//!
//! ```text
//!            all parties approved             a node leases it           the node reports
//!  Created ─────────────────────────▶ Ready ──────────────────▶ Running ─────────────────▶ Finished
//!     │        (Single: at once)        │                          │ └─────────────────────▶ Failed
//!     │ ◀──────── terms changed ────────┤                          │
//!     └──────────── withdrawn ──────────┴──────── withdrawn ───────┴─ lease lost, time over ▶ Failed
//! ```
//!
//! `Finished` and `Failed` are final.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskStatus)]
pub enum Status {
    /// Waits for approvals.
    Created,
    /// Waits to be invoked.
    Ready,
    /// A function node holds its lease.
    Running,
    /// Ran to its end; results are recorded.
    Finished,
    /// Ended without results, for a recorded reason.
    Failed,
}

impl Status {
    /// Every status, in the order of a task's life.
    pub const ALL: [Status; 5] = [Status::Created, Status::Ready, Status::Running, Status::Finished, Status::Failed];

    /// Whether no event leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Finished | Status::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A party approved and others are still to.
    Approved,
    /// The last missing party approved.
    AllApproved,
    /// A function node took the lease.
    Leased,
    /// The node that holds the lease finished the run.
    Succeeded,
    /// The node that holds the lease reports a failure.
    Broke,
    /// The lease ran out, its node restarted, or the time limit passed.
    LeaseLost,
    /// A party withdrew.
    Withdrawn,
    /// What is to be approved changed.
    Changed,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 8] = [
        Event::Approved,
        Event::AllApproved,
        Event::Leased,
        Event::Succeeded,
        Event::Broke,
        Event::LeaseLost,
        Event::Withdrawn,
        Event::Changed,
    ];
}

/// The event can't happen to a task that stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task is {status}, which does not allow this")]
pub struct IllegalTransition {
    /// Where the task stands.
    pub status: Status,
    /// What was to happen.
    pub event: Event,
}

impl Status {
    /// The status of a new task.
    pub const fn initial(needs_approval: bool) -> Status {
        if needs_approval { Status::Created } else { Status::Ready }
    }

    /// The status after an event.
    ///
    /// # Errors
    /// When the present status does not allow the event.
    pub const fn after(self, event: Event) -> Result<Status, IllegalTransition> {
        match (self, event) {
            (Status::Created, Event::Approved) => Ok(Status::Created),
            (Status::Created, Event::AllApproved) => Ok(Status::Ready),
            (Status::Ready, Event::Leased) => Ok(Status::Running),
            (Status::Running, Event::Succeeded) => Ok(Status::Finished),
            (Status::Running, Event::Broke | Event::LeaseLost) => Ok(Status::Failed),
            (Status::Created | Status::Ready | Status::Running, Event::Withdrawn) => Ok(Status::Failed),
            (Status::Created | Status::Ready, Event::Changed) => Ok(Status::Created),
            _ => Err(IllegalTransition { status: self, event }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table: every pair that is not named here must be refused.
    const LEGAL: [(Status, Event, Status); 11] = [
        (Status::Created, Event::Approved, Status::Created),
        (Status::Created, Event::AllApproved, Status::Ready),
        (Status::Created, Event::Withdrawn, Status::Failed),
        (Status::Created, Event::Changed, Status::Created),
        (Status::Ready, Event::Changed, Status::Created),
        (Status::Ready, Event::Leased, Status::Running),
        (Status::Ready, Event::Withdrawn, Status::Failed),
        (Status::Running, Event::Succeeded, Status::Finished),
        (Status::Running, Event::Broke, Status::Failed),
        (Status::Running, Event::LeaseLost, Status::Failed),
        (Status::Running, Event::Withdrawn, Status::Failed),
    ];

    #[test]
    fn the_table_is_exactly_the_diagram() {
        for status in Status::ALL {
            for event in Event::ALL {
                let expected = LEGAL.iter().find(|(from, by, _)| (*from, *by) == (status, event)).map(|row| row.2);
                assert_eq!(status.after(event).ok(), expected, "{status} {event:?}");
            }
        }
    }

    #[test]
    fn nothing_leads_out_of_a_final_status() {
        for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
            assert!(Event::ALL.into_iter().all(|event| status.after(event).is_err()), "{status}");
        }
    }

    #[test]
    fn the_wire_names_are_the_documented_ones() {
        let names: Vec<_> = Status::ALL.iter().map(|status| serde_json::to_string(status).expect("a string")).collect();
        assert_eq!(names.join(""), r#""Created""Ready""Running""Finished""Failed""#);
    }
}
