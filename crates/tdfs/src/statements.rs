//! What the tdfs states about files that are gone, and keeping the evidence for the key that signs it fresh.

use std::sync::Arc;
use std::time::Duration;

use consent::signing::Statements;
use rpc::shutdown::Shutdown;
use types::consent::SignedStatement;
use types::id::FileId;
use types::receipt::{ERASURE, Erasure};
use types::time::UnixMillis;

use crate::Tdfs;
use crate::file::FileRow;

/// The version of the format.
const SCHEMA: u32 = 1;

/// How often it is looked whether the evidence is due, and asked again after the platform refused.
const ROUND: Duration = Duration::from_secs(600);

impl Tdfs {
    /// Signs statements with this key from now on.
    pub(crate) fn sign_with(&self, statements: Arc<Statements>) {
        // Said once, by whoever puts it on a host.
        let _ = self.statements.set(statements);
    }

    /// States that a file's key is gone; nothing where nobody signs.
    pub(crate) fn state_erasure(
        &self,
        file: &FileId,
        row: &FileRow,
        ciphertext_removed: bool,
    ) -> Option<SignedStatement> {
        let statements = self.statements.get()?;
        let erasure = Erasure {
            schema: SCHEMA,
            deployment: statements.deployment().to_string(),
            file_id: file.clone(),
            owner: row.owner.clone(),
            sha256: row.sha256,
            file_size: row.size,
            ciphertext_removed,
            at_ms: UnixMillis::now(),
        };
        let signed = statements.key().sign(ERASURE, &erasure);
        signed.inspect_err(|error| tracing::error!(%error, "a deleted file has no statement")).ok()
    }

    /// Attests the statement key anew when its evidence is due, until the order to stop.
    pub(crate) async fn keep_statements(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = shutdown.begun() => return,
            }
            let Some(statements) = self.statements.get().cloned() else { return };
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
