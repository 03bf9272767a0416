//! The kms's tables.

use serde::{Deserialize, Serialize};
use store::{Range, Records, Store, StoreError, Table, Transaction};
use types::id::KeyId;
use types::key::KeyConfig;
use types::wire::kms::{FoundKey, KeyPolicy};

use crate::{Error, policy};

/// Keys by name.
pub(crate) const KEYS: Table<String, KeyConfig> = Table::new("keys");

/// Keeps a new key and what the owner of its file allows; `false` when the name is taken.
pub(crate) async fn insert(
    store: &Store,
    id: KeyId,
    config: &KeyConfig,
    policy: Option<KeyPolicy>,
) -> Result<bool, Error> {
    let config = duplicate(config);
    store
        .write(move |tx| {
            if tx.contains(&KEYS, id.as_str())? {
                return Ok(false);
            }
            tx.insert(&KEYS, id.as_str(), &config)?;
            if policy.is_some() {
                policy::set(tx, &id, policy.as_ref())?;
            }
            Ok(true)
        })
        .await
}

/// A key, what the owner of its file allows, and how many runs used it.
pub(crate) async fn describe(store: &Store, id: KeyId) -> Result<FoundKey, Error> {
    store
        .read(move |snapshot| {
            let config = snapshot.get(&KEYS, id.as_str())?.ok_or_else(|| Error::NoSuchKey(id.clone()))?;
            let (policy, tally) = policy::get(snapshot, &id)?;
            let uses = policy.as_ref().and_then(|terms| terms.policy.uses).map(|_| tally.spent);
            Ok(FoundKey { config, policy, uses })
        })
        .await
}

/// A key for which there is no policy.
pub(crate) async fn get_unbound(store: &Store, id: KeyId) -> Result<KeyConfig, Error> {
    store
        .read(move |snapshot| {
            check_unbound(snapshot, &id)?;
            snapshot.get(&KEYS, id.as_str())?.ok_or_else(|| Error::NoSuchKey(id.clone()))
        })
        .await
}

/// Removes a key and all that is known of it.
pub(crate) async fn remove(store: &Store, id: KeyId) -> Result<KeyConfig, Error> {
    store.write(move |tx| take(tx, &id)).await
}

/// Removes a key for which there is no policy.
pub(crate) async fn remove_unbound(store: &Store, id: KeyId) -> Result<KeyConfig, Error> {
    store
        .write(move |tx| {
            check_unbound(tx, &id)?;
            take(tx, &id)
        })
        .await
}

fn take(tx: &mut Transaction<'_>, id: &KeyId) -> Result<KeyConfig, Error> {
    let config = tx.remove(&KEYS, id.as_str())?.ok_or_else(|| Error::NoSuchKey(id.clone()))?;
    policy::forget(tx, id)?;
    Ok(config)
}

fn check_unbound(records: &impl Records, id: &KeyId) -> Result<(), Error> {
    match policy::get(records, id)? {
        (Some(_), _) => Err(Error::HasPolicy(id.clone())),
        (None, _) => Ok(()),
    }
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
