//! What the tdfs does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crypto::SealingKey;
use rpc::authn::{Identity, Principal};
use rpc::config::LIST_PAGE;
use rpc::protocol::Kms;
use rpc::shutdown::Shutdown;
use rpc::{CallError, Client};
use store::{Options, Store};
use tokio::sync::Notify;
use types::file::{AllowPolicy, PinnedFile};
use types::id::{FileId, KeyId, TaskId};
use types::key::KeyConfig;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::kms;
use types::wire::tdfs_external::{CreateFile, CreatedFile, FileInfo, FileList};
use types::wire::tdfs_internal::{CreateOutput, FileRecord};

use crate::file::FileRow;
use crate::{Error, OpenError, authz, db};

/// What the tdfs is told by its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where ciphertext goes.
    pub files_dir: PathBuf,
    /// Largest file, in bytes.
    pub file_bytes: u64,
}

/// Keys that one round of removing asks the kms about.
const DOOMED_AT_ONCE: usize = 100;

/// How often keys that could not be removed are tried again.
const RETRY: Duration = Duration::from_secs(30);

/// The trusted file service over one sealed store.
pub struct Tdfs {
    store: Store,
    kms: Client<Kms>,
    pub(crate) identity: Arc<dyn Identity>,
    settings: Settings,
    /// There are keys to remove.
    house: Notify,
}

impl Tdfs {
    /// Opens the file store of a data directory, or makes it, and the folder for ciphertext.
    ///
    /// # Errors
    /// When the store can't be opened with this sealing key, or the folder can't be made.
    pub fn open(
        data_dir: &Path,
        sealing_key: &SealingKey,
        kms: Client<Kms>,
        identity: Arc<dyn Identity>,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&settings.files_dir)
            .map_err(|source| OpenError::Files { path: settings.files_dir.clone(), source })?;
        let store = Store::open(&data_dir.join("tdfs.redb"), sealing_key, Options::default())?;
        Ok(Tdfs { store, kms, identity, settings, house: Notify::new() })
    }

    /// Closes the store; when this returns, another process can open it.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// Removes the keys of deleted files that the kms could not remove at once, until the order to stop.
    pub async fn keep_house(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            if let Err(error) = self.remove_doomed_keys().await {
                tracing::warn!(%error, "keys of deleted files wait for the kms");
            }
            tokio::select! {
                () = self.house.notified() => {}
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    async fn remove_doomed_keys(&self) -> Result<(), Error> {
        for key in db::doomed_keys(&self.store, DOOMED_AT_ONCE).await? {
            self.remove_key(key).await?;
        }
        Ok(())
    }

    /// Removes a doomed key; one that is gone already is as good.
    async fn remove_key(&self, key_id: KeyId) -> Result<(), Error> {
        match self.kms.call(kms::DeleteKey { key_id: key_id.clone() }).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        Ok(db::key_is_gone(&self.store, key_id).await?)
    }

    /// Declares a user's file.
    pub(crate) async fn create(
        &self,
        owner: &Principal,
        create: CreateFile,
        now: UnixMillis,
    ) -> Result<CreatedFile, Error> {
        let row = |key_id| FileRow {
            owner: owner.user().clone(),
            name: create.file_name,
            sha256: create.sha256,
            size: create.file_size,
            task_id: None,
            collaborators: Vec::new(),
            allow_policy: AllowPolicy::Owner,
            key_id,
            sequence: 0,
            created: now,
        };
        self.declare(create.file_size, row).await
    }

    /// Declares a task's output.
    pub(crate) async fn create_output(&self, create: CreateOutput, now: UnixMillis) -> Result<CreatedFile, Error> {
        let name = create
            .task_id
            .as_str()
            .parse()
            .map_err(|error: types::file::BadFileName| Error::Field { field: "task_id", rule: error.to_string() })?;
        let row = |key_id| FileRow {
            owner: create.user_id,
            name,
            sha256: create.sha256,
            size: create.file_size,
            task_id: Some(create.task_id),
            collaborators: create.collaborator_list,
            allow_policy: create.allow_policy,
            key_id,
            sequence: 0,
            created: now,
        };
        self.declare(create.file_size, row).await
    }

    async fn declare(&self, size: u64, row: impl FnOnce(KeyId) -> FileRow) -> Result<CreatedFile, Error> {
        if size > self.settings.file_bytes {
            return Err(Error::TooLarge { limit: self.settings.file_bytes });
        }
        let (key_id, key_config) = self.make_key().await?;
        let file_id = FileId::from_random(crypto::random::bytes());
        db::insert(&self.store, file_id.clone(), row(key_id)).await?;
        Ok(CreatedFile { access_path: self.access_path(&file_id), file_id, key_config })
    }

    async fn make_key(&self) -> Result<(KeyId, KeyConfig), Error> {
        match self.kms.call(kms::CreateKey {}).await? {
            kms::Response::Create(created) => Ok((created.key_id, created.config)),
            _ => Err(CallError::unexpected().into()),
        }
    }

    async fn key(&self, key_id: &KeyId) -> Result<KeyConfig, Error> {
        match self.kms.call(kms::GetKey { key_id: key_id.clone() }).await? {
            kms::Response::Get(found) => Ok(found.config),
            _ => Err(CallError::unexpected().into()),
        }
    }

    fn access_path(&self, id: &FileId) -> String {
        self.settings.files_dir.join(id.as_str()).to_string_lossy().into_owned()
    }

    /// Returns a file to somebody who may read it.
    pub(crate) async fn get(&self, principal: &Principal, id: FileId) -> Result<FileInfo, Error> {
        let row = self.row(&id).await?;
        let permit = authz::read(principal, &id, &row)?;
        let key_config = self.key(&row.key_id).await?;
        Ok(self.info(permit.file(), row, key_config))
    }

    async fn row(&self, id: &FileId) -> Result<FileRow, Error> {
        db::get(&self.store, id.clone()).await?.ok_or_else(|| Error::NoSuchFile(id.clone()))
    }

    fn info(&self, id: &FileId, row: FileRow, key_config: KeyConfig) -> FileInfo {
        FileInfo {
            user_id: row.owner,
            file_name: row.name,
            sha256: row.sha256,
            file_size: row.size,
            access_path: self.access_path(id),
            task_id: row.task_id,
            collaborator_list: row.collaborators,
            key_config,
        }
    }

    /// One page of the caller's files.
    pub(crate) async fn list(
        &self,
        principal: &Principal,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<FileList, Error> {
        let (limit, after) = page(limit, cursor)?;
        let (list, next) = db::list(&self.store, principal.user().clone(), after, limit).await?;
        Ok(FileList { list, next_cursor: next.map(|sequence| sequence.to_string()) })
    }

    /// Removes a file: its record at once, its key at once or as soon as the kms can.
    pub(crate) async fn delete(&self, principal: Principal, id: FileId) -> Result<FileInfo, Error> {
        // The key is fetched first: while the kms can't be asked, nothing is removed.
        let key_config = self.key(&self.deletable(&principal, &id).await?.key_id).await?;
        let row = db::delete(&self.store, id.clone(), move |id, row| authz::delete(&principal, id, row)).await?;
        if let Err(error) = self.remove_key(row.key_id.clone()).await {
            tracing::warn!(%error, "the key of a deleted file waits for the kms");
        }
        Ok(self.info(&id, row, key_config))
    }

    async fn deletable(&self, principal: &Principal, id: &FileId) -> Result<FileRow, Error> {
        let row = self.row(id).await?;
        authz::delete(principal, id, &row)?;
        Ok(row)
    }

    /// Returns a file's record to a service.
    pub(crate) async fn record(&self, id: FileId) -> Result<FileRecord, Error> {
        let row = self.row(&id).await?;
        Ok(FileRecord {
            user_id: row.owner,
            file_name: row.name,
            sha256: row.sha256,
            file_size: row.size,
            access_path: self.access_path(&id),
            task_id: row.task_id,
            collaborator_list: row.collaborators,
            allow_policy: row.allow_policy,
            key_id: row.key_id,
        })
    }

    /// Holds the files that a user brings to a task.
    pub(crate) async fn hold(&self, task: TaskId, user: UserId, files: Vec<FileId>) -> Result<Vec<PinnedFile>, Error> {
        let reader = user.clone();
        let readable = move |id: &FileId, row: &FileRow| authz::read_as(&reader, id, row).map(|_| ());
        let rows = db::hold(&self.store, task, files.clone(), readable).await?;
        let pin = |(file_id, row): (FileId, FileRow)| PinnedFile {
            user_id: user.clone(),
            file_id,
            sha256: row.sha256,
            file_size: row.size,
        };
        Ok(files.into_iter().zip(rows).map(pin).collect())
    }

    /// Releases what an ended task holds, and removes what it made without listing it: record, key and ciphertext.
    pub(crate) async fn end_task(&self, task: TaskId, outputs: Vec<FileId>) -> Result<(), Error> {
        let removed = db::end_task(&self.store, task, outputs).await?;
        if !removed.is_empty() {
            self.house.notify_one();
        }
        for path in removed.iter().map(|id| self.access_path(id)) {
            // Without its key it is noise; one that can't be removed now is only untidy.
            let _ = tokio::fs::remove_file(path).await;
        }
        Ok(())
    }
}

/// Reads a listing's `limit` and `cursor`.
fn page(limit: Option<u32>, cursor: Option<String>) -> Result<(usize, Option<u64>), Error> {
    let limit = limit.unwrap_or(LIST_PAGE);
    if !(1..=LIST_PAGE).contains(&limit) {
        return Err(Error::Field { field: "limit", rule: format!("must be 1 to {LIST_PAGE}") });
    }
    let bad = |_| Error::Field { field: "cursor", rule: "must be a `next_cursor` of an earlier answer".to_owned() };
    let after = cursor.map(|cursor| cursor.parse().map_err(bad)).transpose()?;
    Ok((limit as usize, after))
}
