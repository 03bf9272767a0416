//! Releases the keys of files to runs of tasks: by what the tms says of the task, and not by what the node says.
//!
//! ```text
//! node ── Release: task, lease, files ──▶ kms ── Release: task, lease ──▶ tms: does it run under it? its manifest
//!                                          │  the approvals are enough for the manifest, every file is in it, every
//!                                          │  policy allows it, uses are left
//!      ◀───────── all keys, or none ───────┘  (one commit)
//! node ── Begin ──▶ kms ──▶ tms: does it run still? ── uses are spent
//! ```

use consent::agreement;
use rpc::protocol::TmsInternal;
use rpc::{CallError, Client};
use types::consent::TaskManifest;
use types::digest::Digest;
use types::id::{FileId, KeyId, LeaseId, TaskId};
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::wire::kms::{BeginUse, KeyPolicy, ReleaseKeys, ReleasedKeys};
use types::wire::tms_internal::{ReleaseTask, ReleasedTask, Response};

use crate::policy::{self, Asked, Granted};
use crate::{Error, Kms};

/// Runs that have not begun and are asked about in one step.
const ASKED_AT_ONCE: usize = 64;

/// What stands around a kms that serves.
pub(crate) struct Surroundings {
    /// Who knows which tasks run.
    pub(crate) tms: Client<TmsInternal>,
    /// How much this platform is trusted.
    pub(crate) platform: TrustLevel,
    /// SHA-256 of the auditors' manifest by which services run.
    pub(crate) measurements: Option<Digest>,
}

impl Kms {
    /// Sets what the owner of a key's file allows; nothing is excluded when there is no policy.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn set_policy(&self, key: KeyId, policy: Option<KeyPolicy>) -> Result<(), Error> {
        self.store().write(move |tx| policy::set(tx, &key, policy.as_ref())).await
    }

    /// Gives a task that runs under a lease the keys of files of its manifest, all or none.
    ///
    /// # Errors
    /// When it does not run, a file is not the task's, an owner's policy forbids it, or the tms can't be asked.
    pub(crate) async fn release(
        &self,
        release: ReleaseKeys,
        platform: TrustLevel,
        now: UnixMillis,
    ) -> Result<ReleasedKeys, Error> {
        let ReleaseKeys { task_id, lease_id, files } = release;
        let manifest = self.manifest(&task_id, &lease_id).await?;
        if platform < manifest.minimum_trust {
            return Err(Error::Trust { task: task_id, wanted: manifest.minimum_trust });
        }
        if let Some(other) = files.iter().find(|wanted| !reads(&manifest, &wanted.file_id)) {
            return Err(Error::NotOfTask { file: other.file_id.clone(), task: task_id });
        }
        let Granted { keys, limited } = self.grant(Asked { manifest, lease: lease_id, files, platform, now }).await?;
        Ok(ReleasedKeys { keys, counted: !limited.is_empty() })
    }

    /// Grants keys; where uses ran out, after those that nobody will begin with were given back.
    async fn grant(&self, asked: Asked) -> Result<Granted, Error> {
        loop {
            match policy::release(self.store(), asked.clone()).await {
                Err(Error::Exhausted { key, source, .. })
                    if source.reserved > 0 && self.reclaim(key.clone()).await? => {}
                outcome => return outcome,
            }
        }
    }

    /// The function of a task that runs under a lease is about to read: its uses are spent.
    ///
    /// # Errors
    /// When it does not run any more, no use is kept for it, or the tms can't be asked.
    pub(crate) async fn begin(&self, begin: BeginUse) -> Result<(), Error> {
        let BeginUse { task_id, lease_id } = begin;
        self.manifest(&task_id, &lease_id).await?;
        policy::begin(self.store(), task_id, lease_id).await
    }

    /// The manifest of a task that runs under this very lease, if its approvals are good and enough for it.
    async fn manifest(&self, task: &TaskId, lease: &LeaseId) -> Result<TaskManifest, Error> {
        match self.running(task, lease).await? {
            Some(released) => {
                let enough = agreement::check(&released.manifest, &released.approvals);
                enough.map_err(|source| Error::NotApproved { task: task.clone(), source })?;
                self.check_measured(task, &released)?;
                Ok(released.manifest)
            }
            None => Err(Error::NotRunning(task.clone())),
        }
    }

    fn check_measured(&self, task: &TaskId, released: &ReleasedTask) -> Result<(), Error> {
        let here = self.surroundings().and_then(|around| around.measurements.as_ref());
        let measured = agreement::check_measured(released.manifest.measurements.as_ref(), &released.approvals, here);
        measured.map_err(|source| Error::OtherMeasurements { task: task.clone(), source })
    }

    /// What the tms says of a task, if it runs under this very lease.
    async fn running(&self, task: &TaskId, lease: &LeaseId) -> Result<Option<ReleasedTask>, Error> {
        let around = self.surroundings().ok_or(Error::Alone)?;
        let ask = ReleaseTask { task_id: task.clone(), lease_id: lease.clone() };
        match around.tms.call(ask).await {
            Ok(Response::Release(found)) if found.running && found.manifest.task_id == *task => Ok(Some(found)),
            Ok(Response::Release(_)) => Ok(None),
            Ok(_) => Err(CallError::unexpected().into()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives back uses of a key that were kept for runs that ended before they began; whether there were any.
    async fn reclaim(&self, key: KeyId) -> Result<bool, Error> {
        let mut after = None;
        loop {
            let page = policy::reserved(self.store(), key.clone(), after, ASKED_AT_ONCE).await?;
            let Some((last, _)) = page.last() else { return Ok(false) };
            after = Some(last.clone());
            let mut ended = Vec::new();
            for (lease, task) in page {
                // A lease that does not stand will never stand again.
                if self.running(&task, &lease).await?.is_none() {
                    ended.push(lease);
                }
            }
            if !ended.is_empty() {
                policy::give_back(self.store(), key, ended).await?;
                return Ok(true);
            }
        }
    }
}

/// Whether a file is an input of a task or holds its function's code.
fn reads(manifest: &TaskManifest, file: &FileId) -> bool {
    let code = manifest.code.iter().map(|code| &code.file);
    manifest.inputs.iter().chain(code).any(|pinned| pinned.file_id == *file)
}
