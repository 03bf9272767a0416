//! The change of a user's key: a statement that the key which goes and the key which comes both sign.

use serde::{Deserialize, Serialize};
use types::bytes::Base64;
use types::user::UserId;

use crate::canonical;
use crate::statement::pae;

/// The type of payloads that are changes of keys.
pub const PAYLOAD_TYPE: &str = "application/vnd.teehouse.key+json";

/// That a user signs approvals by another key from now on, or by none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// The new Ed25519 public key: 32 bytes; absent when there is none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// Whether nothing but a signature is an approval of this user.
    pub required: bool,
    /// The version of this format: 1.
    pub schema: u32,
    /// Whose key.
    pub user_id: UserId,
    /// The number of this change: it can't be played again.
    pub version: u64,
}

/// The change is not signed by that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSigned;

impl KeyChange {
    /// A change.
    pub fn new(user_id: UserId, key: Option<Base64>, required: bool, version: u64) -> Self {
        KeyChange { key, required, schema: 1, user_id, version: version.min(canonical::MAX_NUMBER) }
    }

    /// What is signed: the pre-authentication encoding of the canonical form.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &canonical::to_vec(self).expect("texts and numbers in range have a canonical form"))
    }

    /// Checks a signature by one of the keys.
    ///
    /// # Errors
    /// [`NotSigned`] for every other change and every other key, and for none.
    pub fn verify(&self, key: &Base64, signature: Option<&Base64>) -> Result<(), NotSigned> {
        let signature = signature.ok_or(NotSigned)?;
        crypto::sign::verify_ed25519(&key.0, &self.signed_bytes(), &signature.0).map_err(|_| NotSigned)
    }
}
