//! A user's verbs for consent: look at a manifest, approve exactly it, take back, and keep what can be shown afterwards.

use consent::approval::Statement;
use consent::key::KeyChange;
use types::consent::{ApprovalSignature, SignedStatement};
use types::digest::Digest;
use types::id::{FileId, TaskId};
use types::wire::tdfs_external::{self, FoundUserKey, GetUserKey, SetUserKey};
use types::wire::tms_external::{
    ApproveTask, ApprovedTask, BringFiles, FoundManifest, GetManifest, GetReceipt, Response, SetPayload, WithdrawTask,
};

use crate::signer::SignerError;
use crate::{RequestError, Signer, TaskError, Teehouse};

/// Something that could not be done with a user's key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Looking at it.
    #[error("your key can't be shown")]
    Show(#[source] RequestError),
    /// Changing it.
    #[error("your key was not changed")]
    Change(#[source] RequestError),
    /// Signing.
    #[error("nothing can be signed")]
    Sign(#[from] SignerError),
}

impl KeyError {
    /// The request behind it that brought no answer, if there is one.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            KeyError::Show(source) | KeyError::Change(source) => Some(source),
            KeyError::Sign(_) => None,
        }
    }
}

impl Teehouse {
    /// What a task's parties are to approve, and who did.
    ///
    /// # Errors
    /// When the caller takes no part in it or the service can't be reached.
    pub async fn manifest(&self, task: &TaskId) -> Result<FoundManifest, TaskError> {
        let request = GetManifest { task_id: task.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tms(request).await {
            Ok(Response::GetManifest(found)) => Ok(found),
            other => Err(TaskError::Show { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// Brings the caller's files to a task without approving it.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn bring_files(&self, task: &TaskId, files: &[FileId]) -> Result<FoundManifest, TaskError> {
        let request = BringFiles {
            task_id: task.clone(),
            files: files.to_vec(),
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tms(request).await {
            Ok(Response::BringFiles(found)) => Ok(found),
            other => Err(TaskError::Approve { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// Approves exactly one manifest of a task, with a signature where there is something to sign with.
    ///
    /// # Errors
    /// When the task changed meanwhile, the service refuses or can't be reached, or nothing can be signed.
    pub async fn approve_manifest(
        &self,
        task: &TaskId,
        manifest: Digest,
        signer: Option<&Signer>,
    ) -> Result<ApprovedTask, TaskError> {
        let statement = Statement::new(task.clone(), self.user.clone(), manifest);
        let sign = |signer: &Signer| {
            let signature = signer.sign(&statement.signed_bytes())?;
            Ok(ApprovalSignature { key: signer.public_key(), signature })
        };
        let signature = signer.map(sign).transpose().map_err(TaskError::Sign)?;
        let request = ApproveTask {
            task_id: task.clone(),
            files: Vec::new(),
            manifest: Some(manifest),
            signature,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tms(request).await {
            Ok(Response::Update(approved)) => Ok(approved),
            other => Err(TaskError::Approve { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// Says which payload an invocation of the caller's task must bring; every approval lapses.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn set_payload(&self, task: &TaskId, sha256: Option<Digest>) -> Result<FoundManifest, TaskError> {
        let request = SetPayload {
            task_id: task.clone(),
            payload_sha256: sha256,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tms(request).await {
            Ok(Response::SetPayload(found)) => Ok(found),
            other => Err(TaskError::Approve { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// Takes back consent to a task, or cancels the caller's own; returns what the service states about it.
    ///
    /// # Errors
    /// When it ended before, or the service can't be reached.
    pub async fn withdraw(&self, task: &TaskId) -> Result<SignedStatement, TaskError> {
        let request =
            WithdrawTask { task_id: task.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tms(request).await {
            Ok(Response::Withdraw(withdrawn)) => Ok(withdrawn.statement),
            other => Err(TaskError::Withdraw { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// The receipt of a task that ended. `consent::receipt` verifies it.
    ///
    /// # Errors
    /// When it has not ended, or the service can't be reached.
    pub async fn receipt(&self, task: &TaskId) -> Result<SignedStatement, TaskError> {
        let request = GetReceipt { task_id: task.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tms(request).await {
            Ok(Response::GetReceipt(found)) => Ok(found.receipt),
            other => Err(TaskError::Receipt { task: task.clone(), source: RequestError::of(other) }),
        }
    }

    /// The key by which the caller signs approvals.
    ///
    /// # Errors
    /// When the service can't be reached.
    pub async fn key(&self) -> Result<FoundUserKey, KeyError> {
        let request = GetUserKey { user_id: self.user.clone(), user_token: self.token.clone() };
        match self.tdfs.call(request).await {
            Ok(tdfs_external::Response::GetKey(found)) => Ok(found),
            other => Err(KeyError::Show(RequestError::of(other))),
        }
    }

    /// Registers, changes or removes that key. The one that is registered until now must sign too.
    ///
    /// # Errors
    /// When the service refuses or can't be reached, or nothing can be signed.
    pub async fn set_key(
        &self,
        new: Option<&Signer>,
        required: bool,
        previous: Option<&Signer>,
    ) -> Result<FoundUserKey, KeyError> {
        let version = self.key().await?.version + 1;
        let key = new.map(Signer::public_key);
        let change = KeyChange::new(self.user.clone(), key.clone(), required, version).signed_bytes();
        let sign = |signer: Option<&Signer>| signer.map(|signer| signer.sign(&change)).transpose();
        let request = SetUserKey {
            key,
            required,
            version,
            signature: sign(new)?,
            previous_signature: sign(previous)?,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.tdfs.call(request).await {
            Ok(tdfs_external::Response::SetKey(found)) => Ok(found),
            other => Err(KeyError::Change(RequestError::of(other))),
        }
    }
}
