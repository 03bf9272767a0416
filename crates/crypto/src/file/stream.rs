//! A file in chunks: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
//! Nonce-Reuse Misuse-Resistance", CRYPTO 2015) over AES-256-GCM, as age and Tink have it.
//!
//! ```text
//! file   = header (64 bytes) ‖ chunk 0 ‖ chunk 1 ‖ … ‖ chunk n−1
//! chunk  = ciphertext (2^12 … 2^24 bytes; the last: 1 … that many, 0 in an empty file) ‖ tag (16 bytes)
//! ```
//!
//! Each chunk is authenticated at its place and in its file, so memory for one is enough, any can be read alone, and
//! several threads can work at once. `docs/file-format.md` has the format byte for byte.
//!
//! | | |
//! |---|---|
//! | [`Header`], [`Layout`] | what stands in front, and where everything is: pure |
//! | [`Sealer`], [`Opener`] | one chunk in memory: pure |
//! | [`Writer`], [`Reader`], [`SeekReader`] | the same behind `std::io` |
//! | [`seal_parallel`], [`open_parallel`] | a whole file by several threads |

mod batch;
mod chunk;
mod error;
mod header;
mod layout;
mod parallel;
mod reader;
mod seek;
mod turns;
mod writer;

pub use chunk::{Opener, Position, Sealer};
pub use error::{BadHeader, Error, TooLong};
pub use header::{Header, Salt};
pub use layout::{Chunk, ChunkLen, HEADER_LEN, Layout, MAX_CHUNKS};
pub use parallel::{open_parallel, open_parallel_unhashed, seal_parallel, seal_parallel_unhashed};
pub use reader::{Reader, read_header};
pub use seek::SeekReader;
pub use writer::Writer;
