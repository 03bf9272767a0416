//! The kms's requests and answers (service plane, port 6016).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::KeyId;
use crate::key::KeyConfig;

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
    }
}

/// Asks for a new AES-256-GCM key configuration.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateKeyRequest)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {}

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
