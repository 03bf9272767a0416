//! Keeping the evidence for the key that signs the tms's statements fresh.

use std::sync::Arc;
use std::time::Duration;

use rpc::shutdown::Shutdown;
use types::time::UnixMillis;

use crate::Tms;

/// How often it is looked whether the evidence is due, and asked again after the platform refused.
const ROUND: Duration = Duration::from_secs(600);

impl Tms {
    /// Attests the statement key anew when its evidence is due, until the order to stop.
    pub async fn keep_statements(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = shutdown.begun() => return,
            }
            let statements = self.statements.clone();
            let renewing = tokio::task::spawn_blocking(move || match UnixMillis::now() {
                now if statements.is_due(now) => statements.renew(now),
                _ => Ok(()),
            });
            if let Ok(Err(error)) = renewing.await {
                tracing::warn!(%error, "the statement key keeps its old evidence");
            }
        }
    }
}
