//! Typed tables in one file: every record sealed, every acknowledged write on the disk.
//!
//! ```text
//!  write(closure) ─┐                       one thread              one transaction, one flush
//!  write(closure) ─┼─▶ bounded queue ─▶ run each on its own  ─▶  apply what succeeded, raise  ─▶ reply to all
//!  write(closure) ─┘                    overlay of changes         the anchor, commit
//!
//!  read(closure) ───▶ a snapshot of the last commit, on a blocking thread
//! ```
//!
//! * **A write** is a closure over a [`Transaction`]. It sees every earlier write and its own changes; when it fails or
//!   panics nothing of it remains and nobody else notices. Writes run one after another, so that reading, deciding and
//!   writing in one closure is compare-and-set.
//! * **`Ok` means durable**: the reply follows the flush (redb, two-phase commit). Writes that wait at the same time
//!   share a flush; there is no timer.
//! * **The disk is not trusted** ([`record`], [`Anchor`]): a record that was changed, or moved to another key, version,
//!   table or store, is refused. Putting a whole old store back shows in its anchor to whoever remembers a newer one.
//!   What it does *not* show: one record put back as it was, or removed, by whoever can write to the file.
//! * **After a failed commit** nothing is served any more, because nobody knows what the disk has; open the store again.
//!
//! Keys of records are on the disk in the clear (they are ids, and scans need their order); contents never are.

mod anchor;
mod error;
mod key;
mod open;
mod range;
pub mod record;
mod snapshot;
mod store;
mod table;
mod transaction;
mod writer;

pub use anchor::Anchor;
pub use error::{OpenError, StoreError};
pub use key::{AsKey, Composite, Key, NewestFirst};
pub use open::Options;
pub use range::Range;
pub use snapshot::{Records, Snapshot};
pub use store::Store;
pub use table::Table;
pub use transaction::Transaction;
