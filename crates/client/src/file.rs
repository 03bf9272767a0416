//! A user's verbs for files: sealed here, opened here.

mod error;

use std::io;
use std::path::{Component, Path, PathBuf};

use crypto::FileKey;
use crypto::file::{OpenError, Plaintext, Reader, seal};
use crypto::hash::Sha256;
use rpc::CallError;
use types::digest::Digest;
use types::file::FileName;
use types::id::FileId;
use types::key::KeyConfig;
use types::wire::tdfs_external::{
    CreateFile, CreatedFile, DeleteFile, FileInfo, FileList, GetFile, ListFiles, Request, Response,
};

pub use self::error::FileError;
use crate::{RequestError, Teehouse, disk, records};

/// What a new file is to hold.
#[derive(Debug)]
pub enum Contents {
    /// A file's bytes as they are.
    File(PathBuf),
    /// The 32-byte records of a text file's lines (see [`records`]).
    Lines(PathBuf),
    /// These bytes.
    Bytes(Plaintext),
}

/// A file that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The file.
    pub file_id: FileId,
    /// SHA-256 of its plaintext.
    pub sha256: Digest,
    /// Size of its plaintext, in bytes.
    pub file_size: u64,
}

impl Teehouse {
    /// Encrypts a file on this machine and puts it.
    ///
    /// `progress` hears how much of the work is done, of how much: reading is one half, writing the other.
    ///
    /// # Errors
    /// [`FileError`] says which step failed. After a failure nothing of the file is left with the server.
    pub async fn put_file(
        &self,
        contents: Contents,
        name: FileName,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<StoredFile, FileError> {
        let (plaintext, sha256, progress) = blocking(move || {
            let (plaintext, sha256) = load(contents, |done, total| progress(done, total.saturating_mul(2)))?;
            Ok((plaintext, sha256, progress))
        })
        .await?;
        let file_size = plaintext.len() as u64;
        let CreatedFile { file_id, access_path, key_config } = self.declare(name, sha256, file_size).await?;
        let file = file_id.clone();
        let stored = blocking(move || store(&file, &access_path, &key_config, plaintext, progress)).await;
        if let Err(error) = stored {
            // Best effort: the first error is the one to tell.
            let _ = self.forget(&file_id).await;
            return Err(error);
        }
        Ok(StoredFile { file_id, sha256, file_size })
    }

    /// A file's record and key, for its owner and those whom it is shared with.
    ///
    /// # Errors
    /// When the caller may not read it or the service can't be reached.
    pub async fn file_info(&self, file: &FileId) -> Result<FileInfo, FileError> {
        let request = GetFile { file_id: file.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tdfs(request).await {
            Ok(Response::Get(found)) => Ok(found.file_info),
            other => Err(FileError::Show { file: file.clone(), source: RequestError::of(other) }),
        }
    }

    /// Fetches a file and decrypts it in memory. What comes back is what was declared, by size and SHA-256.
    ///
    /// # Errors
    /// [`FileError::NotAsDeclared`] when it is not; others say which step failed.
    pub async fn get_file(
        &self,
        file: &FileId,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<(FileInfo, Plaintext), FileError> {
        let info = self.file_info(file).await?;
        let file = file.clone();
        blocking(move || {
            let plaintext = fetch(&file, &info, &mut progress)?;
            Ok((info, plaintext))
        })
        .await
    }

    /// Fetches a file to a path on this machine, readable by its owner alone: whole, checked and on disk, or not at
    /// all. What was there before is replaced.
    ///
    /// # Errors
    /// As [`Teehouse::get_file`], and [`FileError::Save`].
    pub async fn save_file(
        &self,
        file: &FileId,
        path: &Path,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<FileInfo, FileError> {
        let (info, plaintext) = self.get_file(file, progress).await?;
        let path = path.to_owned();
        blocking(move || match disk::write_private(&path, &plaintext) {
            Ok(()) => Ok(info),
            Err(source) => Err(FileError::Save { path, source }),
        })
        .await
    }

    /// The ids of every file that the caller owns, newest first.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn list_files(&self) -> Result<Vec<FileId>, FileError> {
        let mut page = self.file_page(None, None).await?;
        let mut all = std::mem::take(&mut page.list);
        while let Some(cursor) = page.next_cursor.take() {
            page = self.file_page(None, Some(cursor)).await?;
            all.append(&mut page.list);
        }
        Ok(all)
    }

    /// One page of [`Teehouse::list_files`]: at most `limit` ids (1000 when absent), from where `cursor` points.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn file_page(&self, limit: Option<u32>, cursor: Option<String>) -> Result<FileList, FileError> {
        let request = ListFiles { user_id: self.user.clone(), user_token: self.token.clone(), limit, cursor };
        match self.ask_tdfs(request).await {
            Ok(Response::List(page)) => Ok(page),
            other => Err(FileError::List(RequestError::of(other))),
        }
    }

    /// Deletes a file: its record and its key, after which nobody can read it, and then its ciphertext.
    ///
    /// # Errors
    /// When the service refuses, or the ciphertext can't be removed.
    pub async fn delete_file(&self, file: &FileId) -> Result<FileInfo, FileError> {
        let info = self.forget(file).await?;
        let path = ciphertext_path(file, &info.access_path)?;
        let file = file.clone();
        blocking(move || match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::Remove { file, path, source }),
            _ => Ok(info),
        })
        .await
    }

    async fn declare(&self, file_name: FileName, sha256: Digest, file_size: u64) -> Result<CreatedFile, FileError> {
        let request = CreateFile {
            file_name: file_name.clone(),
            sha256,
            file_size,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tdfs(request).await {
            Ok(Response::Create(created)) => Ok(created),
            other => Err(FileError::Create { name: file_name, source: RequestError::of(other) }),
        }
    }

    async fn forget(&self, file: &FileId) -> Result<FileInfo, FileError> {
        let request = DeleteFile { file_id: file.clone(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.ask_tdfs(request).await {
            Ok(Response::Delete(found)) => Ok(found.file_info),
            other => Err(FileError::Delete { file: file.clone(), source: RequestError::of(other) }),
        }
    }

    async fn ask_tdfs(&self, request: impl Into<Request>) -> Result<Response, CallError> {
        self.tdfs.call(request).await
    }
}

/// Reads what is to be put, and its digest.
fn load(contents: Contents, progress: impl FnMut(u64, u64)) -> Result<(Plaintext, Digest), FileError> {
    let read = |path: PathBuf, progress| disk::read(&path, progress).map_err(|source| FileError::Read { path, source });
    match contents {
        Contents::File(path) => {
            let (plaintext, digest) = read(path, progress)?;
            Ok((plaintext, Digest::new(digest)))
        }
        Contents::Lines(path) => {
            let (text, _) = read(path, progress)?;
            Ok(hashed(records::from_lines(&text).into()))
        }
        Contents::Bytes(bytes) => Ok(hashed(bytes)),
    }
}

fn hashed(plaintext: Plaintext) -> (Plaintext, Digest) {
    let digest = Sha256::digest(&plaintext);
    (plaintext, Digest::new(digest))
}

fn store(
    file: &FileId,
    access_path: &str,
    key: &KeyConfig,
    plaintext: Plaintext,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), FileError> {
    let path = ciphertext_path(file, access_path)?;
    let ciphertext =
        seal(plaintext, file_key(file, key)?).map_err(|source| FileError::Seal { file: file.clone(), source })?;
    disk::write(&path, &ciphertext, disk::SHARED, |done, total| progress(total + done, 2 * total))
        .map_err(|source| FileError::Store { file: file.clone(), path, source })
}

fn fetch(file: &FileId, info: &FileInfo, progress: &mut impl FnMut(u64, u64)) -> Result<Plaintext, FileError> {
    let path = ciphertext_path(file, &info.access_path)?;
    let key = file_key(file, &info.key_config)?;
    let unreadable = |source| FileError::Fetch { file: file.clone(), path: path.clone(), source };
    let ciphertext = std::fs::File::open(&path).map_err(unreadable)?;
    let stored_len = ciphertext.metadata().map_err(unreadable)?.len();
    let counted = Counted { from: ciphertext, done: 0, total: stored_len, progress };
    Reader::new(&key, info.file_size, *info.sha256.as_bytes()).known_len(stored_len).read(counted).map_err(|error| {
        match error {
            OpenError::Read(source) => unreadable(source),
            source => FileError::NotAsDeclared { file: file.clone(), source },
        }
    })
}

/// A reader that tells how far it is.
struct Counted<'p, R, P> {
    from: R,
    done: u64,
    total: u64,
    progress: &'p mut P,
}

impl<R: io::Read, P: FnMut(u64, u64)> io::Read for Counted<'_, R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// Small enough for a bar to move, large enough for the disk.
        const PIECE_LEN: usize = 1 << 20;
        let piece = buffer.len().min(PIECE_LEN);
        let count = self.from.read(&mut buffer[..piece])?;
        self.done += count as u64;
        (self.progress)(self.done.min(self.total), self.total);
        Ok(count)
    }
}

fn file_key(file: &FileId, key: &KeyConfig) -> Result<FileKey, FileError> {
    FileKey::new(key.key.expose(), key.nonce.expose(), key.ad.expose())
        .map_err(|source| FileError::BadKey { file: file.clone(), source })
}

/// Where a ciphertext is: an absolute path that ends in the file's id. The server is attested; all the same it can't
/// make its users write to, or remove, files of other names.
fn ciphertext_path(file: &FileId, access_path: &str) -> Result<PathBuf, FileError> {
    let path = Path::new(access_path);
    let is_named_so = path.file_name().is_some_and(|name| name == file.as_str());
    match is_named_so && path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
        true => Ok(path.to_owned()),
        false => Err(FileError::BadPath { file: file.clone(), path: access_path.to_owned() }),
    }
}

/// Runs what waits for a disk or computes for long where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use types::secret::SecretBytes;

    use super::*;

    fn key_config() -> KeyConfig {
        let key = FileKey::generate();
        KeyConfig {
            key: SecretBytes::new(key.key().to_vec()),
            nonce: SecretBytes::new(key.nonce().to_vec()),
            ad: SecretBytes::new(key.ad().to_vec()),
        }
    }

    fn info(path: &Path, plaintext: &[u8], key_config: KeyConfig) -> FileInfo {
        FileInfo {
            user_id: "alice".parse().unwrap(),
            file_name: "file".parse().unwrap(),
            sha256: Digest::new(Sha256::digest(plaintext)),
            file_size: plaintext.len() as u64,
            access_path: path.to_str().unwrap().to_owned(),
            task_id: None,
            collaborator_list: Vec::new(),
            key_config,
        }
    }

    fn stored(path: &Path, plaintext: &[u8]) -> FileInfo {
        let (file, key) = ("id".parse().unwrap(), key_config());
        store(&file, path.to_str().unwrap(), &key, plaintext.to_vec().into(), |_, _| {}).unwrap();
        info(path, plaintext, key)
    }

    #[test]
    fn what_was_stored_is_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        for length in [0, 1, 15, 16, 17, 1 << 20, (1 << 20) + 1] {
            let plaintext = vec![5; length];
            let info = stored(&path, &plaintext);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), length as u64 + 16);
            let mut seen = (0, 0);
            let fetched = fetch(&"id".parse().unwrap(), &info, &mut |done, total| seen = (done, total)).unwrap();
            assert_eq!(&*fetched, plaintext);
            assert_eq!(seen, (length as u64 + 16, length as u64 + 16));
        }
    }

    #[test]
    fn other_bytes_than_declared_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        let good = stored(&path, b"hello");
        let sealed = std::fs::read(&path).unwrap();
        let check = |bytes: &[u8], info: &FileInfo| {
            std::fs::write(&path, bytes).unwrap();
            match fetch(&"id".parse().unwrap(), info, &mut |_, _| {}) {
                Err(error @ FileError::NotAsDeclared { .. }) => assert!(error.help().is_some()),
                other => panic!("{other:?}"),
            }
        };
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            check(&changed, &good);
        }
        check(&sealed[1..], &good);
        check(&[&sealed[..], b"x"].concat(), &good);
        let mut lied = stored(&path, b"hello");
        lied.sha256 = Digest::new([0; 32]);
        check(&std::fs::read(&path).unwrap(), &lied);
    }

    #[test]
    fn only_absolute_paths_that_end_in_the_id_are_ciphertext_paths() {
        let file = "0a9ca5ac".parse().unwrap();
        for good in ["/0a9ca5ac", "/tmp/0a9ca5ac", "/tmp/files/0a9ca5ac"] {
            assert_eq!(ciphertext_path(&file, good).unwrap(), Path::new(good));
        }
        for bad in ["", "0a9ca5ac", "./0a9ca5ac", "../0a9ca5ac", "/a/../0a9ca5ac", "/0a9ca5ac/..", "/etc/passwd", "/"] {
            assert!(ciphertext_path(&file, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lines_are_put_as_records() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        std::fs::write(&path, "a\nb").unwrap();
        let (plaintext, digest) = load(Contents::Lines(path), |_, _| {}).unwrap();
        assert_eq!(&*plaintext, records::from_lines(b"a\nb"));
        assert_eq!(digest, Digest::new(Sha256::digest(&plaintext)));
    }
}
