//! The kms's requests and answers (service plane, port 6016).
//!
//! `Create`, `Get` and `Delete` are the reference's. The others are this system's own: the tdfs lists keys, and sets
//! what the owner of a key's file allows; function nodes ask for the keys of a task that they lease (`Release`), and say
//! when its function begins (`Begin`). `docs/consent.md` has the rules.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consent::FilePolicy;
use crate::id::{FileId, KeyId, LeaseId, TaskId};
use crate::key::KeyConfig;
use crate::user::UserId;

super::requests! {
    /// A request to the kms.
    #[schema(as = KMSRequest)]
    Request {
        /// Makes a key.
        Create(CreateKey),
        /// Returns a key.
        Get(GetKey),
        /// Removes a key and returns it one last time.
        Delete(DeleteKey),
        /// Lists keys by name; for the tdfs alone, which looks for keys without files.
        ListKeys(ListKeys),
        /// Sets what the owner of a key's file allows; for the tdfs alone.
        SetPolicy(SetKeyPolicy),
        /// Returns the keys of files that a leased task reads, all or none; for function nodes alone.
        Release(ReleaseKeys),
        /// Says that a leased task's function is about to read; for function nodes alone.
        Begin(BeginUse),
    }
}

/// Asks for a new AES-256-GCM key configuration.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What the owner of its file allows, from the first moment on; for the tdfs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<KeyPolicy>,
}

/// What the owner of a key's file allows to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPolicy {
    /// The file.
    pub file_id: FileId,
    /// Its owner.
    pub owner: UserId,
    /// What the owner allows.
    pub policy: FilePolicy,
}

/// Sets what the owner of a key's file allows, for runs that have not begun.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetKeyPolicyRequest)]
#[serde(deny_unknown_fields)]
pub struct SetKeyPolicy {
    /// Which key.
    pub key_id: KeyId,
    /// What is allowed; anything, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<KeyPolicy>,
}

/// Asks for the keys of files that a task reads, which runs under this lease.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseKeysRequest)]
#[serde(deny_unknown_fields)]
pub struct ReleaseKeys {
    /// The task.
    pub task_id: TaskId,
    /// Its lease.
    pub lease_id: LeaseId,
    /// Inputs of the task, or the file of its function's code.
    pub files: Vec<WantedKey>,
}

/// A file and its key, as the file's record has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedKey {
    /// The file.
    pub file_id: FileId,
    /// Its key.
    pub key_id: KeyId,
}

/// Says that the function of a task that runs under this lease is about to read: uses that were kept for the run are
/// spent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BeginUseRequest)]
#[serde(deny_unknown_fields)]
pub struct BeginUse {
    /// The task.
    pub task_id: TaskId,
    /// Its lease.
    pub lease_id: LeaseId,
}

/// Asks for a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct GetKey {
    /// Which key.
    pub key_id: KeyId,
}

/// Asks to remove a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeleteKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct DeleteKey {
    /// Which key.
    pub key_id: KeyId,
}

/// Asks for the names of keys, in their order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListKeysRequest)]
#[serde(deny_unknown_fields)]
pub struct ListKeys {
    /// How many names at most: 1 to 1000; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The last name of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<KeyId>,
}

/// The kms's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KMSResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The new key.
    Create(CreatedKey),
    /// The key.
    Get(FoundKey),
    /// The key, which is gone now.
    Delete(FoundKey),
    /// Names of keys.
    ListKeys(KeyList),
    /// The policy is in force.
    SetPolicy(PolicyInForce),
    /// The keys.
    Release(ReleasedKeys),
    /// The function may read.
    Begin(Begun),
}

/// A new key and its name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateKeyResponse)]
pub struct CreatedKey {
    /// Its name.
    pub key_id: KeyId,
    /// The key.
    pub config: KeyConfig,
}

/// A stored key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GetKeyResponse)]
pub struct FoundKey {
    /// The key.
    pub config: KeyConfig,
    /// What the owner of its file allows, if anything is excluded; the tdfs alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<KeyPolicy>,
    /// How many runs used it up to now, counted while its policy limits them; the tdfs alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
}

/// The answer to [`SetKeyPolicy`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SetKeyPolicyResponse)]
pub struct PolicyInForce {
    /// Always true.
    pub success: bool,
}

/// The answer to [`ReleaseKeys`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseKeysResponse)]
pub struct ReleasedKeys {
    /// The keys, in the order asked.
    pub keys: Vec<KeyConfig>,
    /// Whether uses are counted, so that [`BeginUse`] must be sent before the function reads.
    pub counted: bool,
}

/// The answer to [`BeginUse`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BeginUseResponse)]
pub struct Begun {
    /// Always true: to begin twice changes nothing.
    pub success: bool,
}

/// One page of names of keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ListKeysResponse)]
pub struct KeyList {
    /// In their order.
    pub key_ids: Vec<KeyId>,
    /// Whether there are more.
    pub more: bool,
}
