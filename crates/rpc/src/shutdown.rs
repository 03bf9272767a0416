//! The order to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// The order to stop, given once and heard by every listener.
#[derive(Clone)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown { sender: Arc::new(watch::Sender::new(false)) }
    }
}

impl Shutdown {
    /// Gives the order.
    pub fn begin(&self) {
        self.sender.send_replace(true);
    }

    /// Returns once the order was given.
    pub async fn begun(&self) {
        // The sender lives in `self`, so waiting for it can't fail.
        let _ = self.sender.subscribe().wait_for(|begun| *begun).await;
    }

    pub(crate) fn has_begun(&self) -> bool {
        *self.sender.borrow()
    }
}
