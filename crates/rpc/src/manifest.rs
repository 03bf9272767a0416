//! A deployment's manifest from its file: verified, and remembered.
//!
//! Services and clients say the same three things: where the manifest is, whom they trust with it, and where they
//! remember what they have accepted. The memory is what an old manifest is refused by, so it belongs where only its
//! owner writes. On a platform whose host can roll files back, it detects mistakes and not the host.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use attest::Verified;
use attest::manifest::auditors::{Auditor, Auditors, BadAuditors};
use attest::manifest::envelope::MAX_BYTES;
use attest::manifest::key::{AuditorKey, BadAuditorKey};
use attest::manifest::memory::Memory;
use attest::manifest::{Malformed, Manifest, ManifestRefusal, verify};
use types::time::UnixMillis;

/// Where a manifest is, who must have signed it, and where is remembered which one was accepted last.
#[derive(Clone, Debug)]
pub struct ManifestSource {
    /// The envelope's file.
    pub manifest: PathBuf,
    /// Whom to trust, until an accepted manifest says otherwise.
    pub auditors: Auditors,
    /// The memory's file; it is made with the first manifest.
    pub memory: PathBuf,
}

/// Why there is no manifest to go by.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file can't be read or written.
    #[error("{path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no auditor's public key.
    #[error("{path} is no auditor's key")]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        source: BadAuditorKey,
    },
    /// The auditors make no sense together.
    #[error("the trusted auditors are refused")]
    Auditors(#[from] BadAuditors),
    /// The memory holds something else. Whoever deletes it accepts old manifests again.
    #[error("{path} remembers no manifest")]
    Memory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Malformed,
    },
    /// The manifest is not to be believed.
    #[error("{path} is refused")]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ManifestRefusal,
    },
}

/// Reads auditors' public keys from files, PEM or OpenSSH; each is called what its file is, without the extension.
///
/// # Errors
/// When a file is missing or no key, or the threshold does not fit.
pub fn read_auditors(files: &[PathBuf], threshold: u32) -> Result<Auditors, ManifestError> {
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Auditor { name, key: read_key(path)? })
    };
    let list = files.iter().map(read).collect::<Result<_, ManifestError>>()?;
    Ok(Auditors::new(threshold, list)?)
}

/// Reads an auditor's public key from a file, PEM or OpenSSH.
///
/// # Errors
/// When the file is missing or no key.
pub fn read_key(path: &Path) -> Result<AuditorKey, ManifestError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    let key = AuditorKey::from_file(&text).map(|(key, _)| key);
    key.map_err(|source| ManifestError::Key { path: path.to_owned(), source })
}

/// The manifest, if it is to be believed; then it is remembered. Its `policy()` is what evidence is appraised by.
///
/// Several processes may share a memory: they take turns.
///
/// # Errors
/// [`ManifestError::Refused`] with the reason, or when a file can't be read or written. The memory is then as before.
pub fn load(source: &ManifestSource, now: UnixMillis) -> Result<Verified<Manifest>, ManifestError> {
    let envelope = read(&source.manifest)?;
    let _turn = take_turn(&source.memory)?;
    let memory = read_memory(&source.memory)?;
    let (manifest, next) = accept(&envelope, &source.auditors, memory.as_ref(), now)
        .map_err(|refusal| ManifestError::Refused { path: source.manifest.clone(), source: refusal })?;
    if memory.as_ref() != Some(&next) {
        write(&source.memory, &next.to_bytes()).map_err(at(&source.memory))?;
    }
    Ok(manifest)
}

/// The decision behind [`load`]: verifies an envelope for whoever was told to trust `configured` and remembers
/// `memory`; gives what is to be remembered from now on.
///
/// # Errors
/// Those of [`verify()`].
pub fn accept(
    envelope: &[u8],
    configured: &Auditors,
    memory: Option<&Memory>,
    now: UnixMillis,
) -> Result<(Verified<Manifest>, Memory), ManifestRefusal> {
    let trusted = memory.map_or(configured, |memory| memory.trusted(configured));
    let manifest = verify(envelope, trusted, memory.map(Memory::last_seen), now)?;
    let next = Memory::of(&manifest, configured);
    Ok((manifest, next))
}

fn read_memory(path: &Path) -> Result<Option<Memory>, ManifestError> {
    let bytes = match read(path) {
        Err(ManifestError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let memory =
        Memory::from_bytes(&bytes).map_err(|source| ManifestError::Memory { path: path.to_owned(), source })?;
    Ok(Some(memory))
}

/// Holds other readers and writers of a memory off until it is dropped.
fn take_turn(memory: &Path) -> Result<File, ManifestError> {
    let path = beside(memory, "lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(at(&path))?;
    file.lock().map_err(at(&path))?;
    Ok(file)
}

/// A file whole, as far as an envelope may be long; one that is longer is refused when it is read as one.
fn read(path: &Path) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(at(path))
}

/// Writes a file that only its owner can read: whole and on disk, or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = beside(path, "new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs::rename(&draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// `path.suffix`, in the same folder.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ManifestError + '_ {
    |source| ManifestError::Io { path: path.to_owned(), source }
}
