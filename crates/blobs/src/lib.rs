//! Where ciphertext lives: a folder, or an S3 bucket. Nothing here sees a key or a plaintext.

mod body;
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
pub use error::{Error, OpenError, Reason};
pub use id::{BadId, Id};
pub use layout::{Layout, MAX_PARTS, PART_SIZE, part_count, part_len};
pub use options::Options;
pub use store::{Blobs, DownloadUrl};
pub use url::Url;

/// Bytes of a piece of ciphertext that is read, at most.
pub const PIECE_LEN: usize = 256 << 10;

/// Ciphertext, in order, in pieces of at most [`PIECE_LEN`] bytes. It ends with an error when anything is missing.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;
