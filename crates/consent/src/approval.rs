//! An approval's statement: what a user signs.
//!
//! The statement names task, manifest and user, so that a signature fits no other task, no other manifest and nobody
//! else. It is signed as DSSE's pre-authentication encoding, whose type says that it is an approval: a key that signs
//! other things besides can't be made to approve by accident.

use serde::{Deserialize, Serialize};
use types::consent::ApprovalSignature;
use types::digest::Digest;
use types::id::TaskId;
use types::user::UserId;

use crate::canonical;
use crate::statement::pae;

/// The type of payloads that are approvals.
pub const PAYLOAD_TYPE: &str = "application/vnd.teehouse.approval+json";

/// What a user says by approving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The manifest.
    pub manifest: Digest,
    /// The version of this format: 1.
    pub schema: u32,
    /// The task.
    pub task_id: TaskId,
    /// Who approves.
    pub user_id: UserId,
}

/// An approval's signature is not its user's over this manifest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that of this approval")]
pub struct NotSigned;

impl Statement {
    /// That a user approves a task's manifest.
    pub fn new(task_id: TaskId, user_id: UserId, manifest: Digest) -> Self {
        Statement { manifest, schema: 1, task_id, user_id }
    }

    /// What is signed: the pre-authentication encoding of the statement's canonical form.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &canonical::to_vec(self).expect("texts and a small number have a canonical form"))
    }

    /// Checks a signature over this statement.
    ///
    /// # Errors
    /// [`NotSigned`] for every other statement and every other key.
    pub fn verify(&self, by: &ApprovalSignature) -> Result<(), NotSigned> {
        crypto::sign::verify_ed25519(&by.key.0, &self.signed_bytes(), &by.signature.0).map_err(|_| NotSigned)
    }
}
