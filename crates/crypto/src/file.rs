//! A party's file at rest, in one of two formats over AES-256-GCM (`docs/file-format.md`).
//!
//! | format | for | opened |
//! |---|---|---|
//! | one message: [`seal`], [`Reader`] | what the API reference's `key`, `nonce` and `ad` describe | in memory, as a whole |
//! | chunks: [`stream`] | files of any size | chunk by chunk, from anywhere, by several threads |
//!
//! Which one a file has is said beside it, never guessed from its bytes.

mod plaintext;
mod single;
pub mod stream;

pub use plaintext::Plaintext;
pub use single::{MAX_PLAINTEXT_LEN, OpenError, Reader, TAG_LEN, TooLong, seal};
