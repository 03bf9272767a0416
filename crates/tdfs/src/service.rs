//! What the tdfs does.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blobs::{Blobs, Layout};
use consent::policy::{self, check_bounds};
use consent::signing::Statements;
use crypto::SealingKey;
use crypto::hash::Sha256;
use identity::Users;
use identity::outbox::Outbox;
use rpc::authn::Principal;
use rpc::config::{LIST_PAGE, Quotas};
use rpc::protocol::{Kms, TmsInternal};
use rpc::{CallError, Client};
use store::{Options, Store, StoreError};
use tokio::sync::{Mutex, Notify, RwLock};
use tokio::task::JoinError;
use types::consent::FilePolicy;
use types::digest::Digest;
use types::file::{AllowPolicy, Format, PinnedFile};
use types::id::{FileId, KeyId, TaskId};
use types::key::KeyConfig;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::kms::{self, FoundKey, KeyPolicy};
use types::wire::tdfs_external::{
    CreateFile, CreatedFile, DeletedFile, FileEntry, FileInfo, FileList, ListFiles, UsageInfo,
};
use types::wire::tdfs_internal::{CreateOutput, FileRecord};

use crate::file::FileRow;
use crate::transfer::{Downloads, id};
use crate::url::Urls;
use crate::usage::{Limits, Usage};
use crate::{Error, OpenError, authz, db, usage};

/// What the tdfs is told by its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of this service on the user plane, as users see it: `https://host:port`.
    pub address: String,
    /// Largest file in one message, in bytes.
    pub file_bytes: u64,
    /// Largest file in chunks, in bytes.
    pub chunked_bytes: u64,
    /// How long the URLs of files hold.
    pub url_lifetime: Duration,
    /// After how long without a part an upload is given up.
    pub upload_lifetime: Duration,
    /// How much users may keep of whom no operator said otherwise.
    pub quotas: Quotas,
}

/// The trusted file service over one sealed store.
pub struct Tdfs {
    pub(crate) store: Store,
    pub(crate) kms: Client<Kms>,
    pub(crate) tms: Client<TmsInternal>,
    pub(crate) identity: Arc<Users>,
    pub(crate) settings: Settings,
    pub(crate) blobs: Blobs,
    pub(crate) urls: Urls,
    /// What waits for the log.
    pub(crate) outbox: Outbox,
    /// Held while a policy is changed, so that the log has changes in the order in which they were made.
    pub(crate) restricting: Arc<Mutex<()>>,
    /// There are keys or ciphertext to remove.
    pub(crate) house: Notify,
    /// Read by every declaration from before its key is made until its record is there. Whoever could write it for a
    /// moment knows that each key that was there before has a record by now, or will never have one.
    pub(crate) declaring: Arc<RwLock<()>>,
    /// Held by the one check that runs.
    pub(crate) checking: Mutex<()>,
    /// What signs statements, where it serves.
    pub(crate) statements: OnceLock<Arc<Statements>>,
}

impl Tdfs {
    /// Opens the file store of a data directory, or makes it, beside the place of ciphertext.
    ///
    /// # Errors
    /// When the store can't be opened with this sealing key, or read.
    pub async fn open(
        data_dir: &Path,
        sealing_key: &SealingKey,
        (kms, tms): (Client<Kms>, Client<TmsInternal>),
        identity: Arc<Users>,
        (blobs, settings): (Blobs, Settings),
    ) -> Result<Self, OpenError> {
        let store = Store::open(&data_dir.join("tdfs.redb"), sealing_key, Options::default())?;
        usage::count_once(&store).await?;
        let urls = Urls::new(sealing_key, settings.address.clone(), settings.url_lifetime);
        db::place(&store, place(&blobs)).await?;
        Ok(Tdfs {
            outbox: Outbox::of(store.clone()),
            restricting: Arc::default(),
            house: Notify::new(),
            declaring: Arc::default(),
            checking: Mutex::default(),
            statements: OnceLock::new(),
            store,
            kms,
            tms,
            identity,
            settings,
            blobs,
            urls,
        })
    }

    /// Closes the store; when this returns, another process can open it.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// Declares a user's file.
    pub(crate) async fn create(
        &self,
        owner: &Principal,
        create: CreateFile,
        now: UnixMillis,
    ) -> Result<CreatedFile, Error> {
        let declared = create.file_size.zip(create.sha256);
        let (size, sha256) = declared.unwrap_or((0, nothing()));
        let limits = self.limits(owner.user()).await?;
        // An upload of unknown size needs room for something; what it comes to is looked at part by part.
        let wanted = Usage { files: 1, bytes: declared.map_or(1, |(size, _)| size) };
        self.check_size(size, create.format)?;
        let named = name(create.policy.as_ref())?;
        if limits != Limits::NONE {
            limits.admit(usage::of(&self.store, owner.user().clone()).await?, wanted)?;
        }
        let owner = owner.user().clone();
        let policy = create.policy.zip(named).map(|(policy, digest)| (owner.clone(), policy, digest));
        let row = move |key_id| FileRow {
            owner,
            name: create.file_name,
            sha256,
            size,
            task_id: None,
            collaborators: Vec::new(),
            allow_policy: AllowPolicy::Owner,
            key_id,
            sequence: 0,
            created: now,
            format: create.format,
            layout: Layout::Whole,
            open: declared.is_none(),
        };
        self.declare(row, policy, limits, now).await
    }

    /// Declares a task's output.
    pub(crate) async fn create_output(&self, create: CreateOutput, now: UnixMillis) -> Result<CreatedFile, Error> {
        let name = create
            .task_id
            .as_str()
            .parse()
            .map_err(|error: types::file::BadFileName| Error::Field { field: "task_id", rule: error.to_string() })?;
        self.check_size(create.file_size, create.format)?;
        let row = move |key_id| FileRow {
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
            format: create.format,
            layout: Layout::Whole,
            open: false,
        };
        // A result that was agreed on is not lost to a quota: it counts, and its owner can put nothing more.
        self.declare(row, None, Limits::NONE, now).await
    }

    async fn declare(
        &self,
        row: impl FnOnce(KeyId) -> FileRow + Send + 'static,
        policy: Option<(UserId, FilePolicy, Digest)>,
        limits: Limits,
        now: UnixMillis,
    ) -> Result<CreatedFile, Error> {
        let declaring = self.declaring.clone().read_owned().await;
        let (kms, store, file_id) =
            (self.kms.clone(), self.store.clone(), FileId::from_random(crypto::random::bytes()));
        let file = file_id.clone();
        let digest = policy.as_ref().map(|(.., digest)| *digest);
        let policy = policy.map(|(owner, policy, _)| KeyPolicy { file_id: file.clone(), owner, policy });
        // In a task of its own: a caller who leaves leaves no key without a record.
        let kept = tokio::spawn(async move {
            let kept = keep((&kms, &store), file, (row, policy), (limits, digest)).await;
            drop(declaring);
            kept
        });
        let (key_config, open) = joined(kept.await)?;
        self.outbox.filled();
        let upload_url = if open { None } else { Some(self.upload_url(&file_id, None, now).await?) };
        let (access_path, volume) = (self.access_path(&file_id)?, self.volume());
        Ok(CreatedFile { access_path, file_id, key_config, upload_url, volume })
    }

    /// How much a user may keep.
    pub(crate) async fn limits(&self, user: &UserId) -> Result<Limits, Error> {
        let (own, configured) = (self.identity.quota(user).await.map_err(Error::Users)?, &self.settings.quotas);
        let (files, bytes) = (own.files.in_force(configured.user_files), own.bytes.in_force(configured.user_bytes));
        Ok(Limits { files, bytes })
    }

    /// What a user keeps, and may.
    pub(crate) async fn usage(&self, user: &UserId) -> Result<UsageInfo, Error> {
        let (limits, used) = (self.limits(user).await?, usage::of(&self.store, user.clone()).await?);
        let (files, bytes) = (used.files, used.bytes);
        Ok(UsageInfo { files, bytes, files_limit: limits.files, bytes_limit: limits.bytes })
    }

    /// Refuses a plaintext that is too large for its format.
    pub(crate) fn check_size(&self, size: u64, format: Format) -> Result<(), Error> {
        let Settings { file_bytes, chunked_bytes, .. } = self.settings;
        match format {
            Format::Single if size > file_bytes && size <= chunked_bytes => {
                Err(Error::TooLargeForOne { limit: file_bytes })
            }
            Format::Single if size > file_bytes => Err(Error::TooLarge { limit: file_bytes.max(chunked_bytes) }),
            Format::Chunked if size > chunked_bytes => Err(Error::TooLarge { limit: chunked_bytes }),
            _ => Ok(()),
        }
    }

    async fn key(&self, key_id: &KeyId) -> Result<FoundKey, Error> {
        match self.kms.call(kms::GetKey { key_id: key_id.clone() }).await? {
            kms::Response::Get(found) => Ok(found),
            _ => Err(CallError::unexpected().into()),
        }
    }

    /// Says what tasks may do with a file, for runs that have not begun.
    pub(crate) async fn set_policy(
        &self,
        principal: &Principal,
        id: FileId,
        policy: Option<FilePolicy>,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let row = self.row(&id).await?;
        let permit = authz::restrict(principal, &id, &row)?;
        let (digest, whose) = (name(policy.as_ref())?, (permit.file().clone(), row.owner.clone()));
        let policy = policy.map(|policy| KeyPolicy { file_id: whose.0.clone(), owner: row.owner, policy });
        let set = kms::SetKeyPolicy { key_id: row.key_id, policy };
        let (kms, store, turn) = (self.kms.clone(), self.store.clone(), self.restricting.clone());
        // In a task of its own: a caller who leaves leaves no policy without its entry in the log.
        let done = tokio::spawn(async move {
            let _turn = turn.lock().await;
            put_in_force(&kms, set, &whose.0).await?;
            // The policy is in the kms's store and the event in this one. Between the two a crash leaves a policy that
            // is in force and not in the log; its owner has no answer then, and sets it again.
            Ok(db::note_policy(&store, whose, digest, now).await?)
        });
        joined(done.await)?;
        self.outbox.filled();
        Ok(())
    }

    /// Returns a file to somebody who may read it.
    pub(crate) async fn get(&self, principal: &Principal, id: FileId, now: UnixMillis) -> Result<FileInfo, Error> {
        let row = self.row(&id).await?;
        let permit = authz::read(principal, &id, &row)?;
        let row = self.released(&id, row).await?;
        let FoundKey { config, policy, uses } = self.key(&row.key_id).await?;
        let downloads = self.downloads(&id, &row, now).await?;
        let owns = *principal.user() == row.owner;
        let info = self.info(permit.file(), row, config, downloads)?;
        let policy = policy.map(|terms| terms.policy);
        Ok(FileInfo { policy: policy.filter(|_| owns), uses: uses.filter(|_| owns), ..info })
    }

    fn access_path(&self, file: &FileId) -> Result<String, Error> {
        Ok(self.blobs.access_path(&id(file)?))
    }

    fn volume(&self) -> Option<String> {
        self.blobs.volume().map(str::to_owned)
    }

    pub(crate) async fn row(&self, id: &FileId) -> Result<FileRow, Error> {
        db::get(&self.store, id.clone()).await?.ok_or_else(|| Error::NoSuchFile(id.clone()))
    }

    fn info(&self, id: &FileId, row: FileRow, key_config: KeyConfig, downloads: Downloads) -> Result<FileInfo, Error> {
        let Downloads { url, parts } = downloads;
        Ok(FileInfo {
            user_id: row.owner,
            file_name: row.name,
            sha256: row.sha256,
            file_size: row.size,
            access_path: self.access_path(id)?,
            task_id: row.task_id,
            collaborator_list: row.collaborators,
            key_config,
            format: row.format,
            created_ms: row.created,
            incomplete: row.open,
            download_url: url,
            download_parts: parts,
            volume: self.volume(),
            policy: None,
            uses: None,
        })
    }

    /// One page of the caller's files.
    pub(crate) async fn list(&self, principal: &Principal, list: ListFiles) -> Result<FileList, Error> {
        let ListFiles { limit, cursor, details, .. } = list;
        let (limit, after) = page(limit, cursor)?;
        let db::Page { rows, next, .. } = self.released_page(principal.user(), after, limit, details).await?;
        let files = rows.iter().filter_map(|(id, row)| Some(entry(id, row.as_ref()?))).collect();
        let list = rows.into_iter().map(|(id, _)| id).collect();
        Ok(FileList { list, files, next_cursor: next.map(|sequence| sequence.to_string()) })
    }

    /// Removes a file: its record at once, its key and its ciphertext at once or as soon as that can be done.
    pub(crate) async fn delete(&self, principal: Principal, id: FileId) -> Result<DeletedFile, Error> {
        // The key is fetched first: while the kms can't be asked, nothing is removed.
        let key_config = self.key(&self.deletable(&principal, &id).await?.key_id).await?.config;
        let row = db::delete(&self.store, id.clone(), move |id, row| authz::delete(&principal, id, row)).await?;
        let cleared = self.clear_away(&id, &row).await;
        let erasure = if cleared.key { self.state_erasure(&id, &row, cleared.ciphertext) } else { None };
        Ok(DeletedFile { file_info: self.info(&id, row, key_config, Downloads::default())?, erasure })
    }

    async fn deletable(&self, principal: &Principal, id: &FileId) -> Result<FileRow, Error> {
        let row = self.row(id).await?;
        authz::delete(principal, id, &row)?;
        self.released(id, row).await
    }

    /// Returns a file's record to a service.
    pub(crate) async fn record(&self, id: FileId) -> Result<FileRecord, Error> {
        let row = self.row(&id).await?;
        if row.open {
            return Err(Error::Incomplete(id));
        }
        let download = self.record_downloads(&id, &row).await?;
        Ok(FileRecord {
            user_id: row.owner,
            file_name: row.name,
            sha256: row.sha256,
            file_size: row.size,
            access_path: self.access_path(&id)?,
            task_id: row.task_id,
            collaborator_list: row.collaborators,
            allow_policy: row.allow_policy,
            key_id: row.key_id,
            format: row.format,
            download,
        })
    }

    /// Holds the files that a user brings to a task.
    pub(crate) async fn hold(&self, task: TaskId, user: UserId, files: Vec<FileId>) -> Result<Vec<PinnedFile>, Error> {
        let reader = user.clone();
        let readable = move |id: &FileId, row: &FileRow| authz::read_as(&reader, id, row).map(|_| ());
        let rows = loop {
            match db::hold(&self.store, task.clone(), files.clone(), readable.clone()).await {
                Err(Error::Withheld { file, task }) => self.release(&file, &task).await?,
                outcome => break outcome?,
            }
        };
        let pin = |(file_id, row): (FileId, FileRow)| PinnedFile {
            from_task: row.task_id,
            user_id: user.clone(),
            file_id,
            sha256: row.sha256,
            file_size: row.size,
        };
        Ok(files.into_iter().zip(rows).map(pin).collect())
    }
}

/// Makes a key and keeps the record of its file; tells the key, and whether the file's content is still to be declared.
async fn keep(
    (kms, store): (&Client<Kms>, &Store),
    file: FileId,
    (row, policy): (impl FnOnce(KeyId) -> FileRow, Option<KeyPolicy>),
    limits: (Limits, Option<Digest>),
) -> Result<(KeyConfig, bool), Error> {
    let (key_id, key_config) = make_key(kms, policy).await?;
    let row = row(key_id.clone());
    let open = row.open;
    if let Err(error) = db::insert(store, file, row, limits).await {
        // Where even that can't be noted, `fsck` finds the key.
        if let Err(error) = db::doom_key(store, key_id).await {
            tracing::warn!(%error, "a key that belongs to no file stays behind");
        }
        return Err(error);
    }
    Ok((key_config, open))
}

async fn put_in_force(kms: &Client<Kms>, set: kms::SetKeyPolicy, file: &FileId) -> Result<(), Error> {
    match kms.call(set).await {
        Ok(kms::Response::SetPolicy(_)) => Ok(()),
        Ok(_) => Err(CallError::unexpected().into()),
        // It was deleted meanwhile.
        Err(error) if error.is_not_found() => Err(Error::NoSuchFile(file.clone())),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a policy out of bounds; what the log names it by.
fn name(policy: Option<&FilePolicy>) -> Result<Option<Digest>, Error> {
    let Some(policy) = policy else { return Ok(None) };
    check_bounds(policy)?;
    let digest = policy::digest(policy).map_err(|error| Error::Field { field: "policy", rule: error.to_string() })?;
    Ok(Some(digest))
}

async fn make_key(kms: &Client<Kms>, policy: Option<KeyPolicy>) -> Result<(KeyId, KeyConfig), Error> {
    match kms.call(kms::CreateKey { policy }).await? {
        kms::Response::Create(created) => Ok((created.key_id, created.config)),
        _ => Err(CallError::unexpected().into()),
    }
}

/// What a task of its own came to; it is given up only when the process ends.
pub(crate) fn joined<T>(outcome: Result<Result<T, Error>, JoinError>) -> Result<T, Error> {
    outcome.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(StoreError::Closed.into()),
    })
}

/// What tells a place of ciphertext from all others.
pub(crate) fn place(blobs: &Blobs) -> String {
    blobs.volume().map_or_else(|| blobs.describe(), str::to_owned)
}

/// The digest of a plaintext without a byte.
fn nothing() -> Digest {
    Digest::new(Sha256::digest(b""))
}

fn entry(id: &FileId, row: &FileRow) -> FileEntry {
    FileEntry {
        file_id: id.clone(),
        file_name: row.name.clone(),
        sha256: row.sha256,
        file_size: row.size,
        format: row.format,
        created_ms: row.created,
        incomplete: row.open,
        task_id: row.task_id.clone(),
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
