//! The kms's tables.

use serde::{Deserialize, Serialize};
use store::{Range, Records as _, Store, StoreError, Table};
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

/// Up to `limit` names of keys, in their order.
pub(crate) async fn names(store: &Store, after: Option<KeyId>, limit: usize) -> Result<Vec<KeyId>, StoreError> {
    store
        .read(move |snapshot| {
            let range = after.map_or_else(Range::all, |after| Range::all().after(after.as_str()));
            let rows = snapshot.scan(&KEYS, range, limit)?;
            Ok(rows.into_iter().filter_map(|(name, _)| name.parse().ok()).collect())
        })
        .await
}

/// Key configurations have no `Clone`, so that no copy is made by accident; the store's copy is made here.
fn duplicate(config: &KeyConfig) -> KeyConfig {
    let copy = |bytes: &types::secret::SecretBytes| types::secret::SecretBytes::new(bytes.expose().to_vec());
    KeyConfig { key: copy(&config.key), nonce: copy(&config.nonce), ad: copy(&config.ad) }
}

/// The deployment's CA: at most one row.
const AUTHORITY: Table<String, AuthorityRow> = Table::new("certificate authority");
const ONLY: &str = "ca";

/// The CA as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorityRow {
    /// Its certificate (PEM).
    pub(crate) certificate: String,
    /// Its private key (PEM), sealed by the root seed.
    pub(crate) sealed_key: Vec<u8>,
}

pub(crate) async fn authority(store: &Store) -> Result<Option<AuthorityRow>, StoreError> {
    store.read(|snapshot| snapshot.get(&AUTHORITY, ONLY)).await
}

/// Keeps the first CA that is offered, and gives the one that is kept.
pub(crate) async fn keep_authority(store: &Store, row: AuthorityRow) -> Result<AuthorityRow, StoreError> {
    store
        .write(move |tx| match tx.get(&AUTHORITY, ONLY)? {
            Some(kept) => Ok(kept),
            None => {
                tx.insert(&AUTHORITY, ONLY, &row)?;
                Ok(row.clone())
            }
        })
        .await
}
