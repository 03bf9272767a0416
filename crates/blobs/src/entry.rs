//! What a listing finds.

use std::time::SystemTime;

use crate::Id;

/// One thing in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is; `None` for what isn't ours.
    pub id: Option<Id>,
    /// Its name in the store, relative to the store's address.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes it has.
    pub bytes: u64,
    /// When it last changed.
    pub modified: SystemTime,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A finished ciphertext in one piece.
    Finished,
    /// S3 only: parts, of an upload or of a finished ciphertext; its record's [`Layout`](crate::Layout) says which.
    Parts {
        /// How many.
        count: u32,
    },
    /// An upload in parts that was not completed.
    Upload,
    /// A draft that was never given its name.
    Draft,
    /// Something that isn't ours.
    Stray,
}
