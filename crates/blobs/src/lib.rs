//! Where ciphertext lives: a folder, or an S3 bucket. Nothing here sees a key or a plaintext.
//!
//! ```text
//! a file in one piece    write_whole ─────────────────────────▶ finished (Layout::Whole)
//! an upload in parts     write_part, in any order ─▶ complete ─▶ finished (folder: Whole, S3: Parts)
//!                            └─ received: what a client need not send again
//! ```
//!
//! * **A finished ciphertext is whole and never replaced.** A crash at any instant leaves it finished or not there, and
//!   what was acknowledged stays.
//! * **A folder** does the writing itself; **S3** signs addresses with which clients write and read.
//! * **Memory** of a transfer is a few pieces of [`PIECE_LEN`] bytes, whatever a client sends; only writing to S3 from
//!   here, which tests and repairs do, needs 8 MiB.
//! * **What is not promised:** that bytes which come back are those that were stored. A host can change them; whoever
//!   has the key notices.

mod body;
mod bucket;
mod directory;
mod entry;
mod error;
mod id;
mod layout;
mod options;
mod store;

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use entry::{Entry, Kind};
pub use error::{Error, OpenError, Reason, StoreFault};
pub use id::{BadId, Id};
pub use layout::{Layout, MAX_PARTS, PART_SIZE, part_count, part_len};
pub use options::Options;
pub use store::{Blobs, DownloadUrl};
pub use url::Url;

/// Bytes of a piece of ciphertext that is read, at most.
pub const PIECE_LEN: usize = 256 << 10;

/// Ciphertext, in order, in pieces of at most [`PIECE_LEN`] bytes. It ends with an error when anything is missing.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;
