//! The kms's one table.

use store::{Records as _, Store, StoreError, Table};
use types::id::KeyId;
use types::key::KeyConfig;

/// Keys by name.
const KEYS: Table<String, KeyConfig> = Table::new("keys");

/// Keeps a new key; `false` when the name is taken.
pub(crate) async fn insert(store: &Store, id: KeyId, config: &KeyConfig) -> Result<bool, StoreError> {
    let config = duplicate(config);
    store
        .write(move |tx| {
            if tx.contains(&KEYS, id.as_str())? {
                return Ok(false);
            }
            tx.insert(&KEYS, id.as_str(), &config)?;
            Ok(true)
        })
        .await
}

pub(crate) async fn get(store: &Store, id: KeyId) -> Result<Option<KeyConfig>, StoreError> {
    store.read(move |snapshot| snapshot.get(&KEYS, id.as_str())).await
}

pub(crate) async fn remove(store: &Store, id: KeyId) -> Result<Option<KeyConfig>, StoreError> {
    store.write(move |tx| tx.remove(&KEYS, id.as_str())).await
}

/// Key configurations have no `Clone`, so that no copy is made by accident; the store's copy is made here.
fn duplicate(config: &KeyConfig) -> KeyConfig {
    let copy = |bytes: &types::secret::SecretBytes| types::secret::SecretBytes::new(bytes.expose().to_vec());
    KeyConfig { key: copy(&config.key), nonce: copy(&config.nonce), ad: copy(&config.ad) }
}
