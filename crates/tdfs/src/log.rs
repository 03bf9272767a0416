//! Tells the tms what goes into the log: what happened to users and files, until it has it.

use std::sync::Arc;
use std::time::Duration;

use identity::outbox::NotSent;
use rpc::shutdown::Shutdown;

use crate::Tdfs;

/// How soon the tms is told again after it did not answer once. In one process it starts after the tdfs.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How soon after it did not answer many times.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Tdfs {
    /// Sends what waits in both stores, from the start on and whenever there is more, until the order to stop.
    pub(crate) async fn tell(self: Arc<Self>, shutdown: Shutdown) {
        let (users, files) = (self.identity.outbox().clone(), self.outbox.clone());
        let mut failures: u32 = 0;
        loop {
            failures = match self.tell_once().await {
                Ok(()) => 0,
                Err(error) => {
                    tracing::warn!(%error, "what happened to users and files waits for the log");
                    failures.saturating_add(1)
                }
            };
            tokio::select! {
                () = users.until_filled() => {}
                () = files.until_filled() => {}
                () = tokio::time::sleep(pause(failures)) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Users first: who they are comes before what they do.
    async fn tell_once(&self) -> Result<(), NotSent> {
        self.identity.outbox().send(&self.tms).await?;
        self.outbox.send(&self.tms).await
    }
}

/// How long to wait after so many failures in a row: each time twice as long.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => LONGEST_PAUSE,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let check = |failures, millis| assert_eq!(pause(failures), Duration::from_millis(millis), "{failures}");
        for (failures, millis) in [(0, 30_000), (1, 250), (2, 500), (7, 16_000), (8, 30_000), (u32::MAX, 30_000)] {
            check(failures, millis);
        }
    }
}
