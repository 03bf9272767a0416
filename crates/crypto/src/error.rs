//! The two errors that say nothing more, because more would help only an attacker or a debugger.

/// Sealed bytes, a tag or a signature that does not verify.
///
/// It has no reason on purpose: a wrong key and changed bytes look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("does not verify")]
pub struct Refused;

/// Bytes that are not a key of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// A part of a key has another length than its algorithm wants.
    #[error("{part} must be {expected} bytes, not {found}")]
    Length {
        /// Which part: `key`, `nonce` or `ad`.
        part: &'static str,
        /// The only length that is right, in bytes.
        expected: usize,
        /// The length that was given, in bytes.
        found: usize,
    },
    /// Not a PKCS#8 document with a private key of this algorithm.
    #[error("not a PKCS#8 private key for {0}")]
    Pkcs8(&'static str),
    /// Not an unencrypted RSA private key of 2048 to 8192 bits, in PKCS#8 or PKCS#1.
    #[error("not an unencrypted RSA private key of 2048 to 8192 bits (PKCS#8 or PKCS#1)")]
    RsaPrivate,
    /// Not an RSA public key of 2048 bits or more.
    #[error("not an RSA public key of at least 2048 bits")]
    Rsa,
}
