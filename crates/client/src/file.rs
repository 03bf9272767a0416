//! A user's verbs for files: sealed here, opened here.

mod error;
mod get;
mod place;
mod put;
pub(crate) mod resume;
mod source;
mod upload;

use std::io;

use crypto::FileKey;
use rpc::CallError;
use types::consent::FilePolicy;
use types::digest::Digest;
use types::id::FileId;
use types::key::KeyConfig;
use types::wire::tdfs_external::{
    DeleteFile, DeletedFile, FileEntry, FileInfo, FileList, GetFile, GetUsage, ListFiles, Request, Response, SetPolicy,
    UsageInfo,
};

pub use self::error::FileError;
pub use self::put::{Put, SINGLE_BYTES};
pub use self::source::Contents;
use crate::{RequestError, Teehouse};

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
        self.page(limit, cursor, false).await
    }

    /// Every file that the caller owns, newest first.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn described_files(&self) -> Result<Vec<FileEntry>, FileError> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let mut page = self.page(None, cursor, true).await?;
            all.append(&mut page.files);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    async fn page(&self, limit: Option<u32>, cursor: Option<String>, details: bool) -> Result<FileList, FileError> {
        let (user_id, user_token) = (self.user.clone(), self.token.clone());
        match self.ask_tdfs(ListFiles { user_id, user_token, limit, cursor, details }).await {
            Ok(Response::List(page)) => Ok(page),
            other => Err(FileError::List(RequestError::of(other))),
        }
    }

    /// How much the caller keeps and may keep.
    ///
    /// # Errors
    /// When the service refuses or can't be reached.
    pub async fn usage(&self) -> Result<UsageInfo, FileError> {
        match self.ask_tdfs(GetUsage { user_id: self.user.clone(), user_token: self.token.clone() }).await {
            Ok(Response::Usage(usage)) => Ok(usage),
            other => Err(FileError::Usage(RequestError::of(other))),
        }
    }

    /// Says what tasks may do with a file, for runs that have not begun; anything that its owner approves, when there is
    /// no policy.
    ///
    /// # Errors
    /// When the file is not the caller's, or the service can't be reached.
    pub async fn set_file_policy(&self, file: &FileId, policy: Option<FilePolicy>) -> Result<(), FileError> {
        let (user_id, user_token) = (self.user.clone(), self.token.clone());
        match self.ask_tdfs(SetPolicy { file_id: file.clone(), policy, user_id, user_token }).await {
            Ok(Response::SetPolicy(_)) => Ok(()),
            other => Err(FileError::Policy { file: file.clone(), source: RequestError::of(other) }),
        }
    }

    /// Deletes a file: its record and its key, after which nobody can read it, and its ciphertext. The answer has the
    /// service's signed statement of it, once the key is gone.
    ///
    /// # Errors
    /// When the service refuses, or ciphertext on a disk that is shared with the server can't be removed.
    pub async fn delete_file(&self, file: &FileId) -> Result<DeletedFile, FileError> {
        let deleted = self.forget(file).await?;
        let info = &deleted.file_info;
        // The server has removed it already, or will; one that does neither leaves it to its clients.
        let shared = if info.volume.is_none() { place::shared(file, &info.access_path, None)? } else { None };
        let Some(path) = shared else { return Ok(deleted) };
        let file = file.clone();
        blocking(move || match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::Remove { file, path, source }),
            _ => Ok(deleted),
        })
        .await
    }

    async fn forget(&self, file: &FileId) -> Result<DeletedFile, FileError> {
        let request = DeleteFile {
            file_id: file.clone(),
            erasure: true,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.ask_tdfs(request).await {
            Ok(Response::Delete(deleted)) => Ok(deleted),
            other => Err(FileError::Delete { file: file.clone(), source: RequestError::of(other) }),
        }
    }

    async fn ask_tdfs(&self, request: impl Into<Request>) -> Result<Response, CallError> {
        self.tdfs.call(request).await
    }
}

fn file_key(file: &FileId, key: &KeyConfig) -> Result<FileKey, FileError> {
    FileKey::new(key.key.expose(), key.nonce.expose(), key.ad.expose())
        .map_err(|source| FileError::BadKey { file: file.clone(), source })
}

/// Runs what waits for a disk or computes for long where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
