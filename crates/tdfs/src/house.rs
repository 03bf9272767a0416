//! What the tdfs tidies up while it serves: keys and ciphertext of files that are gone, uploads that were given up.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use blobs::{Blobs, Id, Layout};
use rpc::shutdown::Shutdown;
use store::Store;
use types::id::{FileId, KeyId};
use types::time::UnixMillis;
use types::wire::kms;

use crate::file::FileRow;
use crate::transfer::id;
use crate::{Error, Tdfs, db};

/// Things that one round removes.
const DOOMED_AT_ONCE: usize = 100;

/// How often what could not be removed is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// How often uploads that were given up are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// What of a deleted file is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleared {
    pub(crate) key: bool,
    pub(crate) ciphertext: bool,
}

impl Tdfs {
    /// Tidies up until the order to stop.
    pub async fn keep_house(self: Arc<Self>, shutdown: Shutdown) {
        let (mut doomed, mut sweep) = (tokio::time::interval(RETRY), tokio::time::interval(SWEEP));
        loop {
            tokio::select! {
                () = self.house.notified() => self.remove_doomed().await,
                _ = doomed.tick() => self.remove_doomed().await,
                _ = sweep.tick() => self.sweep_uploads(UnixMillis::now()).await,
                () = shutdown.begun() => return,
            }
        }
    }

    /// Removes what a deleted file leaves behind; what can't be removed now waits.
    pub(crate) async fn clear_away(&self, file: &FileId, row: &FileRow) -> Cleared {
        let (key, ciphertext) = (self.remove_key(row.key_id.clone()).await, self.remove_ciphertext(file).await);
        if let Err(error) = &key {
            tracing::warn!(%error, "the key of a deleted file waits for the kms");
        }
        if let Err(error) = &ciphertext {
            tracing::warn!(%error, %file, "the ciphertext of a deleted file waits to be removed");
        }
        Cleared { key: key.is_ok(), ciphertext: ciphertext.is_ok() }
    }

    pub(crate) async fn remove_doomed(&self) {
        if let Err(error) = self.remove_doomed_keys().await {
            tracing::warn!(%error, "keys of deleted files wait for the kms");
        }
        if let Err(error) = self.remove_doomed_ciphertext().await {
            tracing::warn!(%error, "ciphertext of deleted files waits to be removed");
        }
    }

    async fn remove_doomed_keys(&self) -> Result<(), Error> {
        loop {
            let doomed = db::doomed_keys(&self.store, DOOMED_AT_ONCE).await?;
            let last = doomed.len() < DOOMED_AT_ONCE;
            for key in doomed {
                self.remove_key(key).await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Removes a doomed key; one that is gone already is as good.
    async fn remove_key(&self, key_id: KeyId) -> Result<(), Error> {
        match self.kms.call(kms::DeleteKey { key_id: key_id.clone() }).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        db::key_is_gone(&self.store, key_id, UnixMillis::now()).await?;
        self.outbox.filled();
        Ok(())
    }

    async fn remove_doomed_ciphertext(&self) -> Result<(), Error> {
        loop {
            let doomed = db::doomed_ciphertext(&self.store, DOOMED_AT_ONCE).await?;
            let last = doomed.len() < DOOMED_AT_ONCE;
            for file in doomed {
                self.remove_ciphertext(&file).await?;
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn remove_ciphertext(&self, file: &FileId) -> Result<(), Error> {
        self.blobs.delete(&id(file)?).await?;
        db::ciphertext_is_gone(&self.store, file.clone(), UnixMillis::now()).await?;
        self.outbox.filled();
        Ok(())
    }

    /// Gives up uploads that nobody continued for too long: their parts, and the files that wait for them.
    pub(crate) async fn sweep_uploads(&self, now: UnixMillis) {
        if let Err(error) = self.try_sweep_uploads(now).await {
            tracing::warn!(%error, "uploads that were given up wait to be removed");
        }
    }

    async fn try_sweep_uploads(&self, now: UnixMillis) -> Result<(), Error> {
        let lifetime = self.settings.upload_lifetime;
        let before = SystemTime::now().checked_sub(lifetime).unwrap_or(SystemTime::UNIX_EPOCH);
        let is_finished = |id| is_finished(self.blobs.clone(), self.store.clone(), id);
        for id in self.blobs.sweep(before, is_finished).await? {
            if let Ok(file) = id.as_str().parse() {
                self.give_up(file).await?;
            }
        }
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        for file in db::open_since_before(&self.store, UnixMillis(now.0.saturating_sub(millis))).await? {
            if self.blobs.received(&id(&file)?).await?.is_empty() {
                self.give_up(file).await?;
            }
        }
        Ok(())
    }

    async fn give_up(&self, file: FileId) -> Result<(), Error> {
        match db::get(&self.store, file.clone()).await? {
            // Its ciphertext came in another way; only the upload was given up.
            Some(row) if self.finished_length(&file, &row).await?.is_some() => return Ok(()),
            _ => tracing::info!(%file, "an upload that nobody continued is removed"),
        }
        db::give_up(&self.store, file).await?;
        self.house.notify_one();
        Ok(())
    }
}

/// Whether parts are a file's and not an upload's. What can't be looked up is left alone. An upload's file is removed
/// before this says so: from then on nobody can complete it.
async fn is_finished(blobs: Blobs, store: Store, id: Id) -> io::Result<bool> {
    let file: FileId = id.as_str().parse().map_err(io::Error::other)?;
    let Some(row) = db::get(&store, file.clone()).await.map_err(io::Error::other)? else { return Ok(false) };
    if row.layout != Layout::Whole {
        return Ok(true);
    }
    // Its ciphertext came in one piece; the parts are left over.
    let whole = !row.open && blobs.len(&id, Layout::Whole).await.map_err(io::Error::other)?.is_some();
    if !whole {
        db::give_up(&store, file).await.map_err(io::Error::other)?;
    }
    Ok(false)
}
