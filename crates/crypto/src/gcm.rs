//! AES-256-GCM (NIST SP 800-38D) in place: the one way in which files of either format are sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{error::Refused, key::KEY_LEN};

pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;

/// The longest message, in bytes: 2³⁹ − 256 bits (NIST SP 800-38D, section 5.2.1.1).
pub(crate) const MAX_LEN: u64 = (1 << 36) - 32;

/// A key, expanded once for many messages; several threads may use it.
pub(crate) struct Gcm(LessSafeKey);

impl Gcm {
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key is 32 bytes")))
    }

    /// Seals at most [`MAX_LEN`] bytes in place under a nonce that this key has not seen.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], ad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(ad), text).expect("the length was checked");
        tag.as_ref().try_into().expect("a tag is 16 bytes")
    }

    /// Opens ciphertext ‖ tag in place; what is returned is all but the tag.
    pub(crate) fn open<'b>(
        &self,
        nonce: [u8; NONCE_LEN],
        ad: &[u8],
        sealed: &'b mut [u8],
    ) -> Result<&'b mut [u8], Refused> {
        self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(ad), sealed).map_err(|_| Refused)
    }
}
