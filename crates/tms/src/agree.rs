//! Consent beside the documented approval: files without approval, payloads, withdrawal, and what the kms may release.

use consent::approval::{NotSigned, Statement};
use rpc::authn::Principal;
use types::id::TaskId;
use types::time::UnixMillis;
use types::wire::tms_external::{ApproveTask, BringFiles, FoundManifest, SetPayload, WithdrawnTask};
use types::wire::tms_internal::{ReleaseTask, ReleasedTask};

use crate::task::Task;
use crate::{Error, Tms, authz, db};

/// Decides whether an approval is signed as its user asked.
///
/// # Errors
/// When it must be signed and is not, or the signature is not the user's over this approval.
pub(crate) fn check_signature(principal: &Principal, approve: &ApproveTask) -> Result<(), Error> {
    let Some(signature) = &approve.signature else {
        return if principal.key().is_some_and(|key| key.required) { Err(Error::Unsigned) } else { Ok(()) };
    };
    let Some(manifest) = approve.manifest else {
        return Err(Error::field("manifest", "a signature is over the approval of one manifest: name it"));
    };
    let registered = principal.key().filter(|key| key.key == signature.key);
    if registered.is_none() {
        return Err(Error::Signature("not by the key that you registered"));
    }
    let statement = Statement::new(approve.task_id.clone(), principal.user().clone(), manifest);
    statement.verify(signature).map_err(|NotSigned| Error::Signature("not over this approval of yours"))
}

impl Tms {
    /// A task's manifest and the approvals of it, for whoever takes part.
    pub(crate) async fn manifest(&self, principal: &Principal, id: TaskId) -> Result<FoundManifest, Error> {
        let task = self.task(&id).await?;
        authz::view(principal, &id, &task)?;
        let found = found(&id, &task)?;
        let changed = task.check_measured(self.settings().measurements.as_ref()).err();
        let why = changed.filter(|_| !task.status().is_final()).map(|other| other.to_string());
        Ok(FoundManifest { incomplete: found.incomplete.or(why), ..found })
    }

    /// Records a party's files without an approval.
    pub(crate) async fn bring_files(&self, principal: Principal, bring: BringFiles) -> Result<FoundManifest, Error> {
        let id = bring.task_id;
        let task = self.task(&id).await?;
        let permit = authz::bring(&principal, &id, &task)?;
        self.check_files(&bring.files)?;
        task.check_bringing(&permit, &id, bring.files.len())?;
        let files = self.hold(&id, permit.user(), bring.files).await?;
        let changed_id = id.clone();
        let changed = db::change(&self.store, id.clone(), move |task| {
            let permit = authz::bring(&principal, &changed_id, &task)?;
            task.bring(&permit, &changed_id, files.clone())
        });
        match changed.await {
            Ok(task) => found(&id, &task.ok_or_else(|| Error::NoSuchTask(id.clone()))?),
            Err(error) => {
                self.settle_again(id).await?;
                Err(error)
            }
        }
    }

    /// Changes which payload an invocation may bring.
    pub(crate) async fn set_payload(
        &self,
        principal: Principal,
        set: SetPayload,
        now: UnixMillis,
    ) -> Result<FoundManifest, Error> {
        let (id, sha256) = (set.task_id, set.payload_sha256);
        let changed_id = id.clone();
        let changed = db::change(&self.store, id.clone(), move |task| {
            let permit = authz::change(&principal, &changed_id, &task)?;
            let signs = principal.key().is_some_and(|key| key.required);
            task.set_payload(&permit, &changed_id, (sha256, signs, now))
        });
        found(&id, &changed.await?.ok_or_else(|| Error::NoSuchTask(id.clone()))?)
    }

    /// Takes back a party's consent: what waits will not run, what runs is cancelled.
    /// Whoever says so again is told the same again.
    pub(crate) async fn withdraw(
        &self,
        principal: Principal,
        id: TaskId,
        now: UnixMillis,
    ) -> Result<WithdrawnTask, Error> {
        let changed_id = id.clone();
        let changed = db::change(&self.store, id.clone(), move |task| {
            let permit = authz::withdraw(&principal, &changed_id, &task)?;
            match &task.withdrawn {
                Some(withdrawn) if withdrawn.by == *permit.user() => Ok(task),
                _ => task.withdraw(&permit, &changed_id, now),
            }
        });
        let task = changed.await?.ok_or_else(|| Error::NoSuchTask(id.clone()))?;
        self.follow(id.clone(), &task);
        Ok(WithdrawnTask { statement: self.withdrawal(id, &task)? })
    }

    /// What a task that runs may read: what the kms releases keys by.
    pub(crate) async fn released(&self, release: &ReleaseTask) -> Result<ReleasedTask, Error> {
        self.task(&release.task_id).await?.released(release)
    }
}

fn found(id: &TaskId, task: &Task) -> Result<FoundManifest, Error> {
    let agreement = task.agreement(id)?;
    Ok(FoundManifest {
        manifest: task.consented(id),
        manifest_sha256: task.digest(id)?,
        status: task.status(),
        approvals: agreement.standing().to_vec(),
        lapsed: agreement.lapsed().to_vec(),
        missing: if task.status().is_final() { Vec::new() } else { task.missing(id)? },
        incomplete: task.incomplete(),
        error: task.error.clone(),
    })
}
