//! Ciphertext in a folder: one file for each, and uploads beside them until they are whole.
//!
//! ```text
//! DIR/ID                        a finished ciphertext, always in one file
//! DIR/.volume                   32 hexadecimal digits: the folder's own name, the same from wherever it is seen
//! DIR/.uploads/ID               an upload: every part at its place
//! DIR/.uploads/ID.parts         its journal: which parts are on the disk
//! DIR/.uploads/ID.RANDOM.new    a draft of a file that comes in one piece
//! ```
//!
//! One process serves a folder. Everything that touches the disk is one short step on a blocking thread, so that a
//! slow client holds no thread.

mod begin;
mod claims;
mod complete;
mod folder;
mod journal;
mod list;
mod part;
mod read;
mod remove;
mod whole;

use std::path::Path;
use std::sync::{Arc, Mutex};

use crypto::{hash, random};

use crate::error::{OpenError, Reason};
use claims::Claims;
use folder::Folder;

/// Where uploads lie. Only the server enters it.
const UPLOADS: &str = ".uploads";

/// What names the folder.
const VOLUME: &str = ".volume";

/// The end of an upload's journal's name.
const PARTS: &str = ".parts";

/// The end of a draft's name.
const DRAFT: &str = ".new";

/// Hexadecimal digits in a volume's name.
const VOLUME_DIGITS: usize = 32;

/// A folder of ciphertext.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Inner>);

struct Inner {
    path: String,
    volume: String,
    /// Finished files.
    home: Folder,
    uploads: Folder,
    claims: Arc<Claims>,
    /// Held while the files of a new upload are made.
    beginning: Mutex<()>,
}

impl Directory {
    /// Opens a folder, and makes it when there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let path = std::path::absolute(path).map_err(|source| no_folder(path, source))?;
        let text = path.to_str().ok_or(OpenError::NotUtf8)?.trim_end_matches('/').to_owned();
        let io = |source| no_folder(&path, source);
        std::fs::create_dir_all(&path).map_err(io)?;
        let home = Folder::open(&path).map_err(io)?;
        let uploads = home.inner(UPLOADS, 0o700).map_err(io)?;
        let volume = volume(&home, &uploads, &path)?;
        let (claims, beginning) = Default::default();
        Ok(Directory(Arc::new(Inner { path: text, volume, home, uploads, claims, beginning })))
    }

    /// The folder's absolute path.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// The folder's own name.
    pub(crate) fn volume(&self) -> &str {
        &self.0.volume
    }

    /// Does one step on a blocking thread.
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Inner) -> Result<T, Reason> + Send + 'static,
    ) -> Result<T, Reason> {
        let inner = self.0.clone();
        blocking(move || step(&inner)).await
    }
}

async fn blocking<T: Send + 'static>(step: impl FnOnce() -> Result<T, Reason> + Send + 'static) -> Result<T, Reason> {
    tokio::task::spawn_blocking(step).await.unwrap_or(Err(Reason::Stopping))
}

fn no_folder(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Folder { path: path.display().to_string(), source }
}

/// The name in `.volume`, which is made when there is none.
fn volume(home: &Folder, uploads: &Folder, path: &Path) -> Result<String, OpenError> {
    let io = |reason| match reason {
        Reason::Io(source) | Reason::Full(source) => no_folder(path, source),
        _ => OpenError::Volume { path: path.display().to_string() },
    };
    if home.find(VOLUME).map_err(|source| no_folder(path, source))?.is_none() {
        make_volume(home, uploads).map_err(io)?;
    }
    read_volume(home).map_err(io)
}

fn make_volume(home: &Folder, uploads: &Folder) -> Result<(), Reason> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;
    let name = draft_name("volume");
    let mut draft = uploads.create(&name)?;
    draft.write_all(hash::hex(&random::bytes::<{ VOLUME_DIGITS / 2 }>()).as_bytes())?;
    draft.set_permissions(PermissionsExt::from_mode(0o644))?;
    draft.sync_all()?;
    match uploads.rename(&name, home, VOLUME) {
        // Somebody else opened the folder at the same time.
        Err(Reason::Exists) => uploads.remove(&name).map(drop),
        Err(reason) => Err(reason),
        Ok(()) => Ok(home.sync()?),
    }
}

fn read_volume(home: &Folder) -> Result<String, Reason> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = home.read(VOLUME)?.ok_or(Reason::Missing)?;
    file.take(VOLUME_DIGITS as u64 + 1).read_to_string(&mut text)?;
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match text.len() == VOLUME_DIGITS && text.bytes().all(digit) {
        true => Ok(text),
        false => Err(Reason::Damaged),
    }
}

/// A name that nobody else has, for a draft.
fn draft_name(of: &str) -> String {
    format!("{of}.{}{DRAFT}", hash::hex(&random::bytes::<8>()))
}

/// The name of an upload's journal.
fn journal_name(id: &crate::Id) -> String {
    format!("{id}{PARTS}")
}
