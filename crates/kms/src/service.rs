//! What the kms does.

use std::path::Path;
use std::sync::OnceLock;

use crypto::{FileKey, SealingKey};
use rpc::config::LIST_PAGE;
use store::{Options, Store};
use types::id::KeyId;
use types::key::KeyConfig;
use types::secret::SecretBytes;
use types::wire::kms::{FoundKey, KeyPolicy};

use crate::release::Surroundings;
use crate::{Error, OpenError, db};

/// Key management over one sealed store.
pub struct Kms {
    store: Store,
    around: OnceLock<Surroundings>,
}

impl Kms {
    /// The store's file in a data directory.
    pub(crate) const STORE_NAME: &str = "kms.redb";

    /// Opens the key store of a data directory, or makes it.
    ///
    /// # Errors
    /// When the store can't be opened with this sealing key.
    pub fn open(data_dir: &Path, sealing_key: &SealingKey) -> Result<Self, OpenError> {
        let store = Store::open(&data_dir.join(Self::STORE_NAME), sealing_key, Options::default())?;
        Ok(Kms { store, around: OnceLock::new() })
    }

    /// Says whom to ask about tasks, and how much this platform is trusted. Until then no key is released to a run.
    pub(crate) fn attach(&self, around: Surroundings) {
        // Said once, by whoever puts it on a host.
        let _ = self.around.set(around);
    }

    pub(crate) fn surroundings(&self) -> Option<&Surroundings> {
        self.around.get()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Closes the store; when this returns, another process can open it.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// Makes a key and keeps it, with what the owner of its file allows.
    ///
    /// # Errors
    /// When it can't be kept.
    pub async fn create(&self, policy: Option<KeyPolicy>) -> Result<(KeyId, KeyConfig), Error> {
        let id = KeyId::from_random(crypto::random::bytes());
        let config = fresh();
        match db::insert(&self.store, id.clone(), &config, policy).await? {
            true => Ok((id, config)),
            false => Err(Error::NameTaken),
        }
    }

    /// Returns a key with all that is known of it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn describe(&self, id: KeyId) -> Result<FoundKey, Error> {
        db::describe(&self.store, id).await
    }

    /// Returns a key for which no owner has set a policy.
    ///
    /// # Errors
    /// When there is none of this name, or it has a policy.
    pub async fn get_unbound(&self, id: KeyId) -> Result<KeyConfig, Error> {
        db::get_unbound(&self.store, id).await
    }

    /// Removes a key and returns it one last time.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn delete(&self, id: KeyId) -> Result<KeyConfig, Error> {
        db::remove(&self.store, id).await
    }

    /// Removes a key for which no owner has set a policy, and returns it one last time.
    ///
    /// # Errors
    /// When there is none of this name, or it has a policy.
    pub async fn delete_unbound(&self, id: KeyId) -> Result<KeyConfig, Error> {
        db::remove_unbound(&self.store, id).await
    }

    /// Names of keys, in their order, and whether there are more.
    ///
    /// # Errors
    /// When they can't be read, or `limit` is not within 1 to 1000.
    pub async fn list(&self, limit: Option<u32>, after: Option<KeyId>) -> Result<(Vec<KeyId>, bool), Error> {
        let limit = limit.unwrap_or(LIST_PAGE);
        if !(1..=LIST_PAGE).contains(&limit) {
            return Err(Error::Limit);
        }
        let mut names = db::names(&self.store, after, limit as usize + 1).await?;
        let more = names.len() > limit as usize;
        names.truncate(limit as usize);
        Ok((names, more))
    }
}

fn fresh() -> KeyConfig {
    let key = FileKey::generate();
    KeyConfig {
        key: SecretBytes::new(key.key().to_vec()),
        nonce: SecretBytes::new(key.nonce().to_vec()),
        ad: SecretBytes::new(key.ad().to_vec()),
    }
}
