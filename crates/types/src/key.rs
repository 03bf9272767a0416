//! A file's AEAD key configuration as it travels between services and to its owner.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secret::SecretBytes;

/// AES-256-GCM key configuration of one file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AEADKeyConfig)]
pub struct KeyConfig {
    /// The key, 32 bytes.
    pub key: SecretBytes,
    /// The nonce, 12 bytes.
    pub nonce: SecretBytes,
    /// The associated data, 5 bytes.
    pub ad: SecretBytes,
}
