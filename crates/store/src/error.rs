//! What can go wrong with a store, in words that name a table and never a key or a content.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Why a read or a write did not happen.
///
/// Cloneable, because one failed commit answers everyone who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A stored record is not what this store sealed under its key: changed, or moved from elsewhere.
    #[error("a record of table {table} does not verify: it was changed outside the store")]
    Refused {
        /// The table the record is in.
        table: &'static str,
    },
    /// A stored record verifies but does not have the shape that the program expects.
    ///
    /// Without the decoder's reason, because that quotes content.
    #[error("a record of table {table} does not have the expected shape")]
    Shape {
        /// The table the record is in.
        table: &'static str,
    },
    /// A value could not be turned into JSON.
    #[error("a value for table {table} cannot be written as JSON")]
    Encode {
        /// The table the value was meant for.
        table: &'static str,
    },
    /// A value or a key is too long to be stored.
    #[error("a record for table {table} is over the limit of {limit} bytes")]
    TooLarge {
        /// The table the record was meant for.
        table: &'static str,
        /// The limit that was passed, in bytes.
        limit: usize,
    },
    /// The closure that was given to the store panicked; nothing of it was written.
    #[error("an operation on the store panicked")]
    Panicked,
    /// The disk or the database failed. When this answers a write, the write may or may not be there after the store
    /// is opened again.
    #[error("the store's disk or database failed")]
    Storage(#[source] Arc<redb::Error>),
    /// An earlier commit failed, so that nobody knows what the disk has. Opening the store again finds out.
    #[error("the store stopped after a failed commit and must be opened again")]
    Stopped(#[source] Arc<redb::Error>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<redb::StorageError> for StoreError {
    fn from(source: redb::StorageError) -> Self {
        Self::storage(source)
    }
}

impl StoreError {
    pub(crate) fn storage(source: impl Into<redb::Error>) -> Self {
        Self::Storage(Arc::new(source.into()))
    }
}

/// Runs database code over a file that anyone may have changed: on some damage redb panics, which is a storage failure
/// like any other. Unwind safe, because whatever panicked is not used again.
pub(crate) fn catch_damage<T, E>(operation: impl FnOnce() -> Result<T, E>) -> Result<T, E>
where
    E: From<redb::StorageError>,
{
    catch_unwind(AssertUnwindSafe(operation))
        .unwrap_or_else(|_| Err(redb::StorageError::Corrupted("the database panicked".to_owned()).into()))
}

/// Why a store was not opened. `store` is its path.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("store {store} is already open; stop the other process first")]
    AlreadyOpen {
        /// The store's path.
        store: String,
    },
    /// The sealing key is another one than it was made with, or its anchor was changed; the two look the same.
    #[error("store {store} was not sealed with this key, or its anchor was changed")]
    WrongKey {
        /// The store's path.
        store: String,
    },
    /// A database that holds tables but no anchor: not made by this program, or its anchor was removed.
    #[error("store {store} has no anchor: it is another program's database, or it was changed")]
    NoAnchor {
        /// The store's path.
        store: String,
    },
    /// Made by a program that writes another format.
    #[error("store {store} has format {found}; this program reads format {expected}")]
    Format {
        /// The store's path.
        store: String,
        /// The format in the store.
        found: u32,
        /// The only format this program reads.
        expected: u32,
    },
    /// Not the store that was expected, though sealed with the same key.
    #[error("store {store} is another one than was expected")]
    OtherStore {
        /// The store's path.
        store: String,
    },
    /// No store where one was expected; none is made.
    #[error("store {store} is not there, but it was seen before")]
    Missing {
        /// The store's path.
        store: String,
    },
    /// An older state of the expected store.
    #[error("store {store} was rolled back: it is at write {found}, but {expected} was seen")]
    RolledBack {
        /// The store's path.
        store: String,
        /// The sequence of the last commit in the store.
        found: u64,
        /// The sequence that [`crate::Options::expect_at_least`] asked for.
        expected: u64,
    },
    /// The file could not be created or prepared.
    #[error("cannot create store {store}")]
    Create {
        /// The store's path.
        store: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The file is not a database, or cannot be read.
    #[error("cannot open store {store}")]
    Database {
        /// The store's path.
        store: String,
        /// What the database says.
        #[source]
        source: redb::DatabaseError,
    },
    /// The anchor could not be read or made.
    #[error("cannot read the anchor of store {store}")]
    Anchor {
        /// The store's path.
        store: String,
        /// What the store says.
        #[source]
        source: StoreError,
    },
}
