//! Opening: the file, the key, the anchor, then the writer.

use std::{fs, io, path::Path, sync::Arc, thread, time::Instant};

use crypto::{Label, SealingKey, hash, random};
use redb::{Builder, Database, DatabaseError, StorageBackend};
use tokio::sync::mpsc;

use crate::{
    anchor::{Anchor, AnchorKey, FORMAT, Found},
    error::{OpenError, StoreError, catch_damage},
    store::{Shared, Store},
    table::TableKeys,
    writer::{Writer, begin_write},
};

/// Writes that may wait before callers do: a few groups, so that the writer never waits for them.
const QUEUE_WRITES: usize = 1024;

/// Memory for pages: the upper levels of the tree of some ten million records.
const DEFAULT_CACHE_BYTES: usize = 64 << 20;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages of the file, in bytes. Default: 64 MiB.
    pub cache_bytes: usize,
    /// Refuses another store, or an older state of this one. Default: none, any state will do.
    pub expect_at_least: Option<Anchor>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: DEFAULT_CACHE_BYTES, expect_at_least: None }
    }
}

pub(crate) fn file(path: &Path, key: &SealingKey, options: Options) -> Result<Store, OpenError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let opening = Opening::new(path.display().to_string(), name.into_owned(), key, options);
    if !path.exists() {
        opening.create_file(path)?;
    }
    opening.finish(|builder| builder.open(path))
}

pub(crate) fn backend(backend: impl StorageBackend, key: &SealingKey, options: Options) -> Result<Store, OpenError> {
    let opening = Opening::new("(test)".to_owned(), "test".to_owned(), key, options);
    opening.finish(|builder| builder.create_with_backend(backend))
}

/// Makes an empty file that only its owner can read.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Gives a finished file its name, durably. A link and not a rename, so that whoever was faster keeps theirs.
fn publish(made: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(made, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        linked => linked?,
    }
    fs::remove_file(made)?;
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// One attempt to open a store.
struct Opening<'k> {
    path: String,
    name: String,
    key: &'k SealingKey,
    anchor_key: AnchorKey,
    options: Options,
    started: Instant,
}

impl<'k> Opening<'k> {
    fn new(path: String, name: String, key: &'k SealingKey, options: Options) -> Self {
        Self { path, name, key, anchor_key: AnchorKey::new(key), options, started: Instant::now() }
    }

    /// Makes a store under another name first: a database whose making was interrupted could never be opened.
    fn create_file(&self, path: &Path) -> Result<(), OpenError> {
        if self.options.expect_at_least.is_some() {
            return Err(OpenError::Missing { store: self.path.clone() });
        }
        let mut made = path.as_os_str().to_owned();
        made.push(format!(".new-{}", hash::hex(&random::bytes::<8>())));
        let made = Path::new(&made);
        self.make(made, path).inspect_err(|_| {
            // What matters is the first error; a leftover is small and never opened.
            let _ = fs::remove_file(made);
        })
    }

    fn make(&self, made: &Path, path: &Path) -> Result<(), OpenError> {
        let cannot_create = |source| OpenError::Create { store: self.path.clone(), source };
        create_private(made).map_err(cannot_create)?;
        let database = Builder::new().create(made).map_err(|error| self.cannot_open(error))?;
        self.anchor(&database)?;
        drop(database);
        publish(made, path).map_err(cannot_create)
    }

    fn finish(self, open: impl FnOnce(&mut Builder) -> Result<Database, DatabaseError>) -> Result<Store, OpenError> {
        let mut builder = Builder::new();
        builder.set_cache_size(self.options.cache_bytes);
        let database = catch_damage(|| open(&mut builder)).map_err(|error| self.cannot_open(error))?;
        let anchor = self.anchor(&database)?;
        self.check_expected(anchor)?;
        self.start(database, anchor)
    }

    /// The anchor that is there, or a new one when nothing is.
    fn anchor(&self, database: &Database) -> Result<Anchor, OpenError> {
        let store = self.path.clone();
        match catch_damage(|| self.anchor_key.read(database)).map_err(|error| self.no_anchor_read(error))? {
            Found::Valid(anchor) => Ok(anchor),
            Found::Empty => self.create(database).map_err(|error| self.no_anchor_read(error)),
            Found::Missing => Err(OpenError::NoAnchor { store }),
            Found::Refused => Err(OpenError::WrongKey { store }),
            Found::Format(found) => Err(OpenError::Format { store, found, expected: FORMAT }),
        }
    }

    fn create(&self, database: &Database) -> Result<Anchor, StoreError> {
        let anchor = Anchor { store_id: random::bytes(), sequence: 0 };
        let transaction = begin_write(database)?;
        self.anchor_key.write(&transaction, anchor)?;
        transaction.commit().map_err(StoreError::storage)?;
        Ok(anchor)
    }

    fn check_expected(&self, found: Anchor) -> Result<(), OpenError> {
        let store = self.path.clone();
        match self.options.expect_at_least {
            Some(expected) if expected.store_id != found.store_id => Err(OpenError::OtherStore { store }),
            Some(expected) if expected.sequence > found.sequence => {
                Err(OpenError::RolledBack { store, found: found.sequence, expected: expected.sequence })
            }
            _ => Ok(()),
        }
    }

    fn start(self, database: Database, anchor: Anchor) -> Result<Store, OpenError> {
        let keys = TableKeys::new(self.key.derive(Label::StoreRoot, &anchor.store_id));
        let shared = Arc::new(Shared::new(self.name.clone(), database, keys, anchor));
        let (sender, queue) = mpsc::channel(QUEUE_WRITES);
        let writer = Writer { shared: Arc::clone(&shared), anchor_key: self.anchor_key, queue };
        thread::Builder::new()
            .name(format!("store {}", self.name))
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Create { store: self.path, source })?;
        let took = self.started.elapsed();
        tracing::info!(store = self.name, sequence = anchor.sequence, ?took, "store opened");
        Ok(Store { shared, queue: sender })
    }

    fn cannot_open(&self, error: DatabaseError) -> OpenError {
        let store = self.path.clone();
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { store },
            source => OpenError::Database { store, source },
        }
    }

    fn no_anchor_read(&self, source: StoreError) -> OpenError {
        OpenError::Anchor { store: self.path.clone(), source }
    }
}
