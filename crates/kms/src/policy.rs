//! What owners allow to be done with their files' keys, kept beside the keys, and how often runs used them.
//!
//! Uses are counted by `consent::uses`; here are the rows. A policy that is taken away leaves the count where it was.

use consent::policy;
use consent::uses::{NotReserved, Tally, Use};
use serde::{Deserialize, Serialize};
use store::{Range, Records, Store, StoreError, Table, Transaction};
use types::consent::TaskManifest;
use types::id::{FileId, KeyId, LeaseId, TaskId};
use types::key::KeyConfig;
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::wire::kms::{KeyPolicy, WantedKey};

use crate::Error;
use crate::db::KEYS;

/// Policies by key.
const POLICIES: Table<String, KeyPolicy> = Table::new("policies");
/// How many uses of a key are taken.
const TALLIES: Table<String, Tally> = Table::new("uses of keys");
/// What single runs have of a key's uses, by key and lease.
const USES: Table<(String, String), UseRow> = Table::new("uses by key");
/// The same from the run's side, by lease and key.
const LEASES: Table<(String, String), ()> = Table::new("uses by lease");
/// Those that have not begun, by key and lease.
const RESERVED: Table<(String, String), TaskId> = Table::new("reserved uses");

/// What one run has of a key's uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UseRow {
    task: TaskId,
    held: Use,
}

/// Who asks for keys, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) manifest: TaskManifest,
    pub(crate) lease: LeaseId,
    pub(crate) files: Vec<WantedKey>,
    /// What would read them.
    pub(crate) platform: TrustLevel,
    pub(crate) now: UnixMillis,
}

/// Keys that may be given to a run.
pub(crate) struct Granted {
    /// In the order asked.
    pub(crate) keys: Vec<KeyConfig>,
    /// Those whose uses are counted, with how many there may be.
    pub(crate) limited: Vec<(KeyId, FileId, u64)>,
}

/// Keeps what an owner allows, or takes it away. The key must be there.
pub(crate) fn set(tx: &mut Transaction<'_>, key: &KeyId, policy: Option<&KeyPolicy>) -> Result<(), Error> {
    if !tx.contains(&KEYS, key.as_str())? {
        return Err(Error::NoSuchKey(key.clone()));
    }
    match policy {
        Some(policy) => tx.insert(&POLICIES, key.as_str(), policy)?,
        None => drop(tx.remove(&POLICIES, key.as_str())?),
    }
    Ok(())
}

/// What an owner allows, and how many runs began.
pub(crate) fn get(records: &impl Records, key: &KeyId) -> Result<(Option<KeyPolicy>, Tally), StoreError> {
    let tally = records.get(&TALLIES, key.as_str())?.unwrap_or_default();
    Ok((records.get(&POLICIES, key.as_str())?, tally))
}

/// Forgets all about a key that is gone.
pub(crate) fn forget(tx: &mut Transaction<'_>, key: &KeyId) -> Result<(), StoreError> {
    tx.remove(&POLICIES, key.as_str())?;
    if tx.remove(&TALLIES, key.as_str())?.is_none() {
        return Ok(());
    }
    for ((_, lease), _) in tx.scan(&USES, Range::starting_with(key.as_str()), usize::MAX)? {
        tx.remove(&USES, (key.as_str(), lease.as_str()))?;
        tx.remove(&RESERVED, (key.as_str(), lease.as_str()))?;
        tx.remove(&LEASES, (lease.as_str(), key.as_str()))?;
    }
    Ok(())
}

/// Gives a run the keys that it may have, all or none. It only reads, unless uses are counted.
pub(crate) async fn release(store: &Store, asked: Asked) -> Result<Granted, Error> {
    let first = asked.clone();
    let granted = store.read(move |snapshot| grant(snapshot, &first)).await?;
    match granted.limited.is_empty() {
        true => Ok(granted),
        false => store.write(move |tx| reserve(tx, &asked)).await,
    }
}

/// Decides on every file that is asked for.
fn grant(records: &impl Records, asked: &Asked) -> Result<Granted, Error> {
    let mut granted = Granted { keys: Vec::with_capacity(asked.files.len()), limited: Vec::new() };
    for wanted in &asked.files {
        let key = records.get(&KEYS, wanted.key_id.as_str())?;
        granted.keys.push(key.ok_or_else(|| Error::NoSuchKey(wanted.key_id.clone()))?);
        if let Some(terms) = records.get(&POLICIES, wanted.key_id.as_str())? {
            check(&terms, wanted, asked)?;
            let limit = terms.policy.uses;
            granted.limited.extend(limit.map(|limit| (wanted.key_id.clone(), wanted.file_id.clone(), limit)));
        }
    }
    Ok(granted)
}

fn check(terms: &KeyPolicy, wanted: &WantedKey, asked: &Asked) -> Result<(), Error> {
    let KeyPolicy { file_id, owner, policy } = terms;
    if *file_id != wanted.file_id {
        return Err(Error::OtherKey(wanted.file_id.clone()));
    }
    policy::check(policy, owner, &asked.manifest, asked.platform, asked.now)
        .map_err(|rule| Error::Forbidden { file: file_id.clone(), rule })
}

fn reserve(tx: &mut Transaction<'_>, asked: &Asked) -> Result<Granted, Error> {
    let granted = grant(tx, asked)?;
    let (task, lease) = (&asked.manifest.task_id, &asked.lease);
    for (key, file, limit) in &granted.limited {
        let (tally, row) = (tally(tx, key)?, tx.get(&USES, (key.as_str(), lease.as_str()))?);
        let (tally, held) = tally
            .reserve(row.map(|row: UseRow| row.held), *limit)
            .map_err(|source| Error::Exhausted { file: file.clone(), key: key.clone(), source })?;
        if held == Use::Reserved {
            tx.insert(&TALLIES, key.as_str(), &tally)?;
            tx.insert(&USES, (key.as_str(), lease.as_str()), &UseRow { task: task.clone(), held })?;
            tx.insert(&LEASES, (lease.as_str(), key.as_str()), &())?;
            tx.insert(&RESERVED, (key.as_str(), lease.as_str()), task)?;
        }
    }
    Ok(granted)
}

fn tally(records: &impl Records, key: &KeyId) -> Result<Tally, StoreError> {
    Ok(records.get(&TALLIES, key.as_str())?.unwrap_or_default())
}

/// Spends what is kept for a run, all or nothing.
pub(crate) async fn begin(store: &Store, task: TaskId, lease: LeaseId) -> Result<(), Error> {
    store
        .write(move |tx| {
            let keys = tx.scan(&LEASES, Range::starting_with(lease.as_str()), usize::MAX)?;
            let refused = |_: NotReserved| Error::NotReserved(task.clone());
            if keys.is_empty() {
                return Err(refused(NotReserved));
            }
            for ((_, key), ()) in keys {
                let at = (key.as_str(), lease.as_str());
                let row = tx.get(&USES, at)?.filter(|row: &UseRow| row.task == task);
                let tally = tx.get(&TALLIES, key.as_str())?.unwrap_or_default();
                let tally: Tally = tally.begin(row.map(|row| row.held)).map_err(refused)?;
                tx.insert(&TALLIES, key.as_str(), &tally)?;
                tx.insert(&USES, at, &UseRow { task: task.clone(), held: Use::Spent })?;
                tx.remove(&RESERVED, at)?;
            }
            Ok(())
        })
        .await
}

/// Up to `limit` runs that have a use of a key and have not begun, in the order of their leases.
pub(crate) async fn reserved(
    store: &Store,
    key: KeyId,
    after: Option<LeaseId>,
    limit: usize,
) -> Result<Vec<(LeaseId, TaskId)>, StoreError> {
    store
        .read(move |snapshot| {
            let mut range = Range::starting_with(key.as_str());
            if let Some(after) = after {
                range = range.after((key.as_str(), after.as_str()));
            }
            let rows = snapshot.scan(&RESERVED, range, limit)?;
            Ok(rows.into_iter().filter_map(|((_, lease), task)| Some((lease.parse().ok()?, task))).collect())
        })
        .await
}

/// Gives back what runs that ended have of a key's uses and did not begin with.
pub(crate) async fn give_back(store: &Store, key: KeyId, ended: Vec<LeaseId>) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            for lease in &ended {
                let at = (key.as_str(), lease.as_str());
                let row: Option<UseRow> = tx.get(&USES, at)?;
                let Some(tally) = tally(tx, &key)?.give_back(row.map(|row| row.held)) else { continue };
                tx.insert(&TALLIES, key.as_str(), &tally)?;
                tx.remove(&USES, at)?;
                tx.remove(&RESERVED, at)?;
                tx.remove(&LEASES, (lease.as_str(), key.as_str()))?;
            }
            Ok(())
        })
        .await
}
