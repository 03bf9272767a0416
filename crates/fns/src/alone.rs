//! One run on stored files of this machine, without a task and without services: from ciphertext to ciphertext through
//! what a session uses, for whoever measures that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::FileKey;
use crypto::hash::hex;
use executor::{Failure, Function, Limits, Output, StopSignal};
use types::digest::Digest;
use types::file::Format;
use types::key::KeyConfig;
use types::secret::SecretBytes;

use crate::files::{Content, Declared, Folder, Input, ReadError, Room, RunFiles, Sealing, Source, Unsettled};

/// A stored file with what opens it.
#[derive(Debug)]
pub struct StoredFile {
    /// Where its ciphertext is.
    pub path: PathBuf,
    /// Its key.
    pub key: KeyConfig,
    /// Bytes of its plaintext.
    pub size: u64,
    /// SHA-256 of its plaintext.
    pub sha256: Digest,
    /// How it is sealed.
    pub format: Format,
}

/// Why a run left nothing.
#[derive(Debug, thiserror::Error)]
#[error("run")]
pub struct RunError(#[source] Problem);

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("open an input")]
    Open(#[from] ReadError),
    #[error(transparent)]
    Function(#[from] Failure),
    #[error("settle")]
    Settle(#[from] Unsettled),
    #[error("store an output")]
    Store(#[from] io::Error),
}

impl<T: Into<Problem>> From<T> for RunError {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

/// Runs a function without a payload; spools and stores in this folder, and gives what it stored.
///
/// # Errors
/// When an input is not what was declared, the function fails, or the folder does.
pub fn run(
    function: &dyn Function,
    inputs: &[&StoredFile],
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<(Output, StoredFile)>, RunError> {
    let mut room = Room::new(limits.whole_bytes);
    let mut open = |file: &&StoredFile| {
        let declared = Declared { size: file.size, sha256: file.sha256, format: file.format };
        Input::open(Source::Disk(file.path.clone()), &file.key, declared, &mut room)
    };
    let inputs = inputs.iter().map(&mut open).collect::<Result<_, _>>()?;
    let mut files = RunFiles::new(inputs, Arc::new(Folder::of(folder)));
    executor::run(function, None, &mut files, limits, &StopSignal::new())?;
    let outputs = files.settle(&|| Ok(()))?;
    Ok(outputs.into_iter().map(|(output, content)| Ok((output, store(content, folder)?))).collect::<io::Result<_>>()?)
}

fn store(content: Content, folder: &Path) -> io::Result<StoredFile> {
    let (size, sha256, format) = (content.size(), content.sha256(), Format::Chunked);
    let (key, path) = (FileKey::generate(), folder.join(hex(&crypto::random::bytes::<16>())));
    Sealing::new(content, format, to_travel(&key)).store(&path)?;
    Ok(StoredFile { path, key: to_travel(&key), size, sha256, format })
}

/// A key as it comes from key management.
pub fn to_travel(key: &FileKey) -> KeyConfig {
    let part = |bytes: &[u8]| SecretBytes::new(bytes.to_vec());
    KeyConfig { key: part(key.key()), nonce: part(key.nonce()), ad: part(key.ad()) }
}
