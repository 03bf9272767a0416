//! A flag that the host raises to stop a running function.

use std::sync::{Arc, OnceLock};

use crate::Stopped;

/// Clones share one flag. Raised once, it stays raised; the first reason wins.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<OnceLock<String>>);

impl StopSignal {
    /// A signal that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises it: the function stops at its next read, write or checkpoint. Participants read the reason.
    pub fn stop(&self, reason: impl Into<String>) {
        // A second reason is dropped: the function is stopping for the first.
        let _ = self.0.set(reason.into());
    }

    /// Fails once the signal is raised.
    pub fn check(&self) -> Result<(), Stopped> {
        match self.0.get() {
            None => Ok(()),
            Some(reason) => Err(Stopped::Cancelled(reason.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_first_reason() {
        let signal = StopSignal::new();
        let clone = signal.clone();
        assert_eq!(clone.check(), Ok(()));
        signal.stop("the node is draining");
        signal.stop("again");
        assert_eq!(clone.check(), Err(Stopped::Cancelled("the node is draining".into())));
    }
}
