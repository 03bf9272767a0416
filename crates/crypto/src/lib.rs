//! Keys and what may be done with them: the only crate that touches a cryptographic library.
//!
//! One idea per module. A key is a newtype per purpose: wiped when it is dropped, never cloned, serialised or
//! printed. Formats are pure: bytes and keys in, values out. Randomness comes from the system alone.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`mod@file`] | a party's file: AES-256-GCM, one message | NIST SP 800-38D; the API reference's `key`, `nonce`, `ad` |
//! | [`mod@file::stream`] | a party's file: AES-256-GCM, chunks | STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) |
//! | [`seal`] | a small record: AES-256-GCM-SIV, random nonce | RFC 8452 |
//! | [`mod@ephemeral`] | blocks that a process spills to a disk: AES-256-GCM, a key of its own | NIST SP 800-38D |
//! | [`kdf`] | every key derived from another, every label | RFC 5869 (HKDF-SHA-256) |
//! | [`mac`] | HMAC-SHA-256 over parts | RFC 2104 |
//! | [`fingerprint`] | GMAC of what was seen, to know it again | NIST SP 800-38D |
//! | [`code`] | what names a function's exact code | FIPS 180-4 |
//! | [`record_tag`] | AES-128 CBC-MAC of records, to sort and compare them | FIPS 197 |
//! | [`hpke`] | a short message for one key's holder | RFC 9180 |
//! | [`shamir`] | k of n shares of a secret | Shamir 1979 |
//! | [`message`] | opening a message under a caller's key: AES-128-GCM and AES-256-GCM | NIST SP 800-38D |
//! | [`rsa`] | a party's RSA key signs | RFC 8017 |
//! | [`sign`] | ECDSA P-256 and Ed25519 | FIPS 186-5, RFC 8032 |
//! | [`tpm`] | a TPM's protected credentials | TPM 2.0 part 1, section 24 |
//! | [`maker`] | what makers of platforms sign with, for tests in their place | FIPS 186-5, RFC 8017 |
//! | [`verify`] | what platforms sign: ECDSA P-256 and P-384, RSA | FIPS 186-5, RFC 8017 |

pub mod code;
pub mod ephemeral;
mod error;
pub mod file;
pub mod fingerprint;
mod gcm;
pub mod hash;
pub mod hpke;
pub mod kdf;
pub mod key;
pub mod mac;
pub mod maker;
pub mod message;
pub mod random;
pub mod record_tag;
pub mod rsa;
pub mod seal;
pub mod shamir;
pub mod sign;
pub mod tpm;
pub mod verify;

pub use error::{BadKey, Refused};
pub use kdf::Label;
pub use key::{FileKey, MacKey, RecordKey, SealingKey};
