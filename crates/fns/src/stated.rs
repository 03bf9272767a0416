//! What the node states about its runs, with its signature: the part of a receipt that needs nobody else's word.

use std::sync::Arc;

use consent::signing::Statements;
use crypto::hash::Sha256;
use types::consent::SignedStatement;
use types::digest::Digest;
use types::error::FailureReason;
use types::id::LeaseId;
use types::receipt::{OutputStatement, RUN, RunStatement, SCHEMA};
use types::secret::Secret;
use types::task::Status;
use types::time::UnixMillis;

use crate::plan::Plan;

/// How a run ended.
pub(crate) enum End<'a> {
    /// With a result and these files.
    Finished(&'a str, &'a [OutputStatement]),
    /// For this reason.
    Failed(&'a FailureReason),
}

/// A run that will be stated.
pub(crate) struct Stated {
    lease: LeaseId,
    manifest: Option<Digest>,
    payload: Option<Digest>,
    started: UnixMillis,
}

fn sha256(text: &str) -> Digest {
    Digest::new(Sha256::digest(text.as_bytes()))
}

impl Stated {
    /// A run that begins now.
    pub(crate) fn begin(plan: &Plan, lease: LeaseId, now: UnixMillis) -> Self {
        let manifest = plan.terms.as_ref().and_then(|terms| consent::manifest::digest(terms).ok());
        let payload = plan.given.as_ref().map(Secret::expose).map(sha256);
        Stated { lease, manifest, payload, started: now }
    }

    /// The manifest by which it runs, where the tms gave one.
    pub(crate) fn manifest(&self) -> Option<Digest> {
        self.manifest
    }

    /// The statement of its end. There is none for tasks of a tms that gives no manifests, nor where nothing signs.
    pub(crate) fn end(&self, plan: &Plan, end: &End<'_>, by: &Statements, now: UnixMillis) -> Option<SignedStatement> {
        let (status, result, outputs, error) = match end {
            End::Finished(result, outputs) => (Status::Finished, Some(sha256(result)), outputs.to_vec(), None),
            End::Failed(reason) => (Status::Failed, None, Vec::new(), Some((*reason).clone())),
        };
        let statement = RunStatement {
            schema: SCHEMA,
            task_id: plan.task_id.clone(),
            lease_id: self.lease.clone(),
            manifest_sha256: self.manifest?,
            status,
            payload_sha256: self.payload,
            result_sha256: result,
            outputs,
            error,
            started_ms: self.started,
            ended_ms: now,
        };
        let signed = by.key().sign(RUN, &statement);
        signed.inspect_err(|error| tracing::error!(%error, "a run can't be stated")).ok()
    }
}

/// Renews the evidence of a node's statements when it is due.
pub(crate) async fn keep_fresh(statements: &Arc<Statements>) {
    if !statements.is_due(UnixMillis::now()) {
        return;
    }
    let renewing = statements.clone();
    let renewed = tokio::task::spawn_blocking(move || renewing.renew(UnixMillis::now()));
    if let Ok(Err(error)) = renewed.await {
        tracing::warn!(%error, "the statement key keeps its old evidence");
    }
}
