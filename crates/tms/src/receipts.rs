//! What the tms states about tasks that ended: receipts and withdrawals.
//!
//! A receipt is made when it is asked for, from what the store keeps of the task and its run. The node's statement in it
//! is the one that the node signed at the end of the run.

use crypto::hash::Sha256;
use rpc::authn::Principal;
use types::consent::SignedStatement;
use types::digest::Digest;
use types::file::PinnedFile;
use types::id::TaskId;
use types::receipt::{LogReceipt, ParentReceipt, RECEIPT, Receipt, RunReceipt, SCHEMA, WITHDRAWAL, Withdrawal};
use types::time::UnixMillis;
use types::wire::tms_external::FoundReceipt;

use crate::task::{Run, Task};
use crate::{Error, Tms, authz, db};

impl Tms {
    /// The receipt of a task that ended, for whoever takes part.
    pub(crate) async fn receipt(
        &self,
        principal: &Principal,
        id: TaskId,
        now: UnixMillis,
    ) -> Result<FoundReceipt, Error> {
        let task = self.task(&id).await?;
        authz::view(principal, &id, &task)?;
        if !task.status().is_final() {
            return Err(Error::NoReceipt { status: task.status(), task: id });
        }
        let mut parents = Vec::new();
        for input in &task.inputs {
            parents.extend(self.parent(input).await?);
        }
        let receipt = Receipt {
            schema: SCHEMA,
            deployment: self.statements.deployment().as_str().to_owned(),
            issued_ms: now,
            manifest: task.consented(&id),
            manifest_sha256: task.digest(&id)?,
            approvals: task.agreement(&id)?.standing().to_vec(),
            status: task.status(),
            run: task.run.as_ref().map(run),
            error: task.error,
            parents,
            log: self.logged(task.logged).await?,
        };
        Ok(FoundReceipt { receipt: self.statements.key().sign(RECEIPT, &receipt)? })
    }

    /// An entry of the log, with the proof that a checkpoint of now has it.
    async fn logged(&self, index: Option<u64>) -> Result<Option<LogReceipt>, Error> {
        let Some(index) = index else { return Ok(None) };
        let (head, proven) = self.log().proven_entry(index).await?;
        Ok(Some(LogReceipt { index, entry: proven.entry, proof: proven.proof, checkpoint: head.checkpoint }))
    }

    /// The task of which an input is a result.
    async fn parent(&self, input: &PinnedFile) -> Result<Option<ParentReceipt>, Error> {
        let Some(id) = &input.from_task else { return Ok(None) };
        let Some(task) = db::task(&self.store, id.clone()).await? else { return Ok(None) };
        let statement = task.run.as_ref().and_then(|run| run.statement.as_ref());
        Ok(Some(ParentReceipt {
            file_id: input.file_id.clone(),
            task_id: id.clone(),
            manifest_sha256: task.digest(id)?,
            run_sha256: statement.map(|signed| Digest::new(Sha256::digest(&signed.payload.0))),
        }))
    }

    /// That a party took back its consent.
    pub(crate) fn withdrawal(&self, id: TaskId, task: &Task) -> Result<SignedStatement, Error> {
        let ended = Error::EndedAlready { task: id.clone(), status: task.status() };
        let withdrawn = task.withdrawn.clone().ok_or(ended)?;
        let statement = Withdrawal {
            schema: SCHEMA,
            deployment: self.statements.deployment().as_str().to_owned(),
            manifest_sha256: task.digest(&id)?,
            task_id: id,
            user_id: withdrawn.by,
            before: withdrawn.before,
            at_ms: withdrawn.at,
        };
        Ok(self.statements.key().sign(WITHDRAWAL, &statement)?)
    }
}

fn run(run: &Run) -> RunReceipt {
    RunReceipt {
        trust: run.trust,
        started_ms: run.started,
        ended_ms: run.ended.unwrap_or(run.started),
        statement: run.statement.clone(),
    }
}
