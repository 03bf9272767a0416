//! What a sealed file holds, in memory.

use std::{fmt, ops::Deref};

use zeroize::Zeroizing;

/// A file's content in memory: wiped when dropped, printed as `[redacted]`.
pub struct Plaintext(pub(super) Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Plaintext {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext([redacted], {} bytes)", self.0.len())
    }
}
