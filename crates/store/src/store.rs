//! The store's handle: hands writes to the writer, runs reads on blocking threads.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use crypto::SealingKey;
use redb::Database;
use tokio::sync::{mpsc, oneshot};

use crate::{
    anchor::Anchor,
    error::{OpenError, StoreError},
    open::{self, Options},
    snapshot::Snapshot,
    table::TableKeys,
    transaction::Transaction,
    writer::{Message, Pending},
};

/// An open store. Clones are handles to the same one.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: mpsc::Sender<Message>,
}

impl Store {
    /// Opens the store in the file at `path`, or makes one there with mode 0600. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] has a variant for everything that a person can do something about.
    pub fn open(path: &Path, key: &SealingKey, options: Options) -> Result<Self, OpenError> {
        open::file(path, key, options)
    }

    /// Opens a store on something else than a file, to see what it does when the disk fails.
    ///
    /// # Errors
    /// As [`Store::open`].
    #[doc(hidden)]
    pub fn open_backend_for_tests(
        backend: impl redb::StorageBackend,
        key: &SealingKey,
        options: Options,
    ) -> Result<Self, OpenError> {
        open::backend(backend, key, options)
    }

    /// Reads from a snapshot of everything acknowledged so far.
    ///
    /// Runs on a blocking thread: once called it runs to its end, even when the future is dropped.
    ///
    /// # Errors
    /// What the closure returns, [`StoreError::Panicked`] when it panics, [`StoreError::Closed`],
    /// [`StoreError::Stopped`].
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Snapshot) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        let read = tokio::task::spawn_blocking(move || store.read_blocking(closure));
        read.await.unwrap_or_else(|failed| {
            Err(E::from(if failed.is_panic() { StoreError::Panicked } else { StoreError::Closed }))
        })
    }

    /// Runs `closure` after every earlier write, all of it or nothing; durable when this returns `Ok`.
    ///
    /// The closure may be run more than once, so its only effect is what it does to the transaction. It runs while every
    /// other writer waits, so it never waits for anything itself, least of all for this store. Once queued it is run
    /// even when the future is dropped. An `Err` of its own leaves nothing behind.
    ///
    /// # Errors
    /// What the closure returns, [`StoreError::Panicked`] when it panics, [`StoreError::Storage`] when the commit
    /// failed, [`StoreError::Stopped`] ever after, [`StoreError::Closed`].
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (message, reply) = Pending::message(closure);
        self.queue.send(message).await.map_err(|_| StoreError::Closed)?;
        reply.await.unwrap_or_else(|_| Err(E::from(StoreError::Closed)))
    }

    /// [`Store::read`] on this thread, for the command line and start-up; a panic passes through.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Snapshot) -> Result<T, E>,
        E: From<StoreError>,
    {
        let read = self.shared.with_database(|database| {
            let snapshot = Snapshot::new(database, Arc::clone(&self.shared.keys))?;
            Ok(closure(&snapshot))
        });
        read.unwrap_or_else(|error| Err(E::from(error)))
    }

    /// [`Store::write`] for the command line and start-up.
    ///
    /// # Errors
    /// As [`Store::write`].
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (message, reply) = Pending::message(closure);
        self.queue.blocking_send(message).map_err(|_| StoreError::Closed)?;
        reply.blocking_recv().unwrap_or_else(|_| Err(E::from(StoreError::Closed)))
    }

    /// This store's id and the sequence of its last durable commit.
    pub fn anchor(&self) -> Anchor {
        self.shared.anchor()
    }

    /// Answers what is queued, closes the file and returns; other handles then get [`StoreError::Closed`].
    pub async fn close(self) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).await.is_ok() {
            // An error means that another handle closed it first.
            let _ = done.await;
        }
    }

    /// [`Store::close`] for the command line.
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn close_blocking(self) {
        let (closed, done) = oneshot::channel();
        if self.queue.blocking_send(Message::Close(closed)).is_ok() {
            // An error means that another handle closed it first.
            let _ = done.blocking_recv();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.shared.name)
    }
}

/// What every handle and the writer share.
pub(crate) struct Shared {
    /// The name that logs and metrics know the store by.
    pub(crate) name: String,
    pub(crate) keys: Arc<TableKeys>,
    /// Held for reading by every operation; emptied by closing, which so waits for them.
    database: RwLock<Option<Database>>,
    anchor: Mutex<Anchor>,
    /// Why a commit failed, once one has.
    stopped: OnceLock<Arc<redb::Error>>,
}

impl Shared {
    pub(crate) fn new(name: String, database: Database, keys: TableKeys, anchor: Anchor) -> Self {
        Self {
            name,
            keys: Arc::new(keys),
            database: RwLock::new(Some(database)),
            anchor: Mutex::new(anchor),
            stopped: OnceLock::new(),
        }
    }

    pub(crate) fn with_database<T>(
        &self,
        operation: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = self.stopped.get() {
            return Err(StoreError::Stopped(Arc::clone(cause)));
        }
        operation(database.as_ref().ok_or(StoreError::Closed)?)
    }

    pub(crate) fn anchor(&self) -> Anchor {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn committed(&self, anchor: Anchor, writes: u32, took: Duration) {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = anchor;
        metrics::counter!("store_commits_total", "store" => self.name.clone()).increment(1);
        metrics::histogram!("store_group_writes", "store" => self.name.clone()).record(writes);
        metrics::histogram!("store_commit_seconds", "store" => self.name.clone()).record(took);
    }

    /// After this nothing is served until the store is opened again.
    pub(crate) fn stop(&self, error: &StoreError) {
        if let StoreError::Storage(cause) = error {
            tracing::warn!(store = self.name, %cause, "commit failed: store stopped");
            // Only the writer comes here, and never again after the first time.
            let _ = self.stopped.set(Arc::clone(cause));
        }
    }

    pub(crate) fn close(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *database = None;
        tracing::info!(store = self.name, sequence = self.anchor().sequence, "store closed");
    }
}
