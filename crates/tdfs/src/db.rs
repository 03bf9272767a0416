//! The tdfs's tables.

use store::{NewestFirst, Range, Records, Store, StoreError, Table, Transaction};
use types::id::{FileId, KeyId, TaskId};
use types::user::UserId;

use crate::Error;
use crate::authz::{Delete, Permit};
use crate::file::FileRow;

/// Files by id.
const FILES: Table<String, FileRow> = Table::new("files");
/// Every owner's files, newest first.
const OWNED: Table<(String, NewestFirst), FileId> = Table::new("owned files");
/// Tasks that have a file as input and have not ended.
const HOLDS: Table<(String, String), ()> = Table::new("holds by file");
/// The same, from the task's side.
const HELD: Table<(String, String), ()> = Table::new("holds by task");
/// What tasks that have not ended declared as output.
const OUTPUTS: Table<(String, String), ()> = Table::new("outputs by task");
/// Keys whose file is gone, until the kms has removed them too.
const DOOMED_KEYS: Table<String, ()> = Table::new("keys to remove");

pub(crate) async fn insert(store: &Store, id: FileId, row: FileRow) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            let row = FileRow { sequence: tx.sequence(), ..row.clone() };
            tx.insert(&OWNED, (row.owner.as_str(), NewestFirst(row.sequence)), &id)?;
            if let Some(task) = &row.task_id {
                tx.insert(&OUTPUTS, (task.as_str(), id.as_str()), &())?;
            }
            tx.insert(&FILES, id.as_str(), &row)
        })
        .await
}

pub(crate) async fn get(store: &Store, id: FileId) -> Result<Option<FileRow>, StoreError> {
    store.read(move |snapshot| snapshot.get(&FILES, id.as_str())).await
}

/// One page of an owner's files, and the place where the next one begins.
pub(crate) async fn list(
    store: &Store,
    owner: UserId,
    after: Option<u64>,
    limit: usize,
) -> Result<(Vec<FileId>, Option<u64>), StoreError> {
    store
        .read(move |snapshot| {
            let mut range = Range::starting_with(owner.as_str());
            if let Some(sequence) = after {
                range = range.after((owner.as_str(), NewestFirst(sequence)));
            }
            let mut rows = snapshot.scan(&OWNED, range, limit + 1)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|((_, NewestFirst(sequence)), _)| *sequence);
            Ok((rows.into_iter().map(|(_, id)| id).collect(), next))
        })
        .await
}

/// Removes a file that `permit` allows to remove, unless a task holds it; its key is doomed in the same commit.
pub(crate) async fn delete(
    store: &Store,
    id: FileId,
    permit: impl Fn(&FileId, &FileRow) -> Result<Permit<Delete>, Error> + Send + Sync + 'static,
) -> Result<FileRow, Error> {
    store
        .write(move |tx| {
            let row = tx.get(&FILES, id.as_str())?.ok_or_else(|| Error::NoSuchFile(id.clone()))?;
            let permit = permit(&id, &row)?;
            remove(tx, &permit, &row)?;
            Ok(row)
        })
        .await
}

fn remove(tx: &mut Transaction<'_>, permit: &Permit<Delete>, row: &FileRow) -> Result<(), Error> {
    let file = permit.file();
    if !tx.scan(&HOLDS, Range::starting_with(file.as_str()), 1)?.is_empty() {
        return Err(Error::InUse(file.clone()));
    }
    Ok(forget(tx, file, row)?)
}

/// Removes a file's rows and dooms its key.
fn forget(tx: &mut Transaction<'_>, file: &FileId, row: &FileRow) -> Result<(), StoreError> {
    tx.remove(&FILES, file.as_str())?;
    tx.remove(&OWNED, (row.owner.as_str(), NewestFirst(row.sequence)))?;
    if let Some(task) = &row.task_id {
        tx.remove(&OUTPUTS, (task.as_str(), file.as_str()))?;
    }
    tx.insert(&DOOMED_KEYS, row.key_id.as_str(), &())
}

/// Holds files for a task, all or none; returns their rows.
pub(crate) async fn hold(
    store: &Store,
    task: TaskId,
    files: Vec<FileId>,
    readable: impl Fn(&FileId, &FileRow) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<Vec<FileRow>, Error> {
    store
        .write(move |tx| {
            let mut rows = Vec::with_capacity(files.len());
            for file in &files {
                let row = tx.get(&FILES, file.as_str())?.ok_or_else(|| Error::NoSuchFile(file.clone()))?;
                readable(file, &row)?;
                tx.insert(&HOLDS, (file.as_str(), task.as_str()), &())?;
                tx.insert(&HELD, (task.as_str(), file.as_str()), &())?;
                rows.push(row);
            }
            Ok(rows)
        })
        .await
}

/// Releases every file that an ended task holds, and removes its outputs but those that it lists. Returns what it
/// removed.
pub(crate) async fn end_task(store: &Store, task: TaskId, listed: Vec<FileId>) -> Result<Vec<FileId>, StoreError> {
    store
        .write(move |tx| {
            for ((task, file), ()) in tx.scan(&HELD, Range::starting_with(task.as_str()), usize::MAX)? {
                tx.remove(&HELD, (task.as_str(), file.as_str()))?;
                tx.remove(&HOLDS, (file.as_str(), task.as_str()))?;
            }
            remove_unlisted(tx, &task, &listed)
        })
        .await
}

fn remove_unlisted(tx: &mut Transaction<'_>, task: &TaskId, listed: &[FileId]) -> Result<Vec<FileId>, StoreError> {
    let mut removed = Vec::new();
    for ((_, file), ()) in tx.scan(&OUTPUTS, Range::starting_with(task.as_str()), usize::MAX)? {
        tx.remove(&OUTPUTS, (task.as_str(), file.as_str()))?;
        let Some(id) = file.parse().ok().filter(|id| !listed.contains(id)) else { continue };
        if let Some(row) = tx.get(&FILES, file.as_str())? {
            forget(tx, &id, &row)?;
            removed.push(id);
        }
    }
    Ok(removed)
}

/// Keys that the kms has still to remove.
pub(crate) async fn doomed_keys(store: &Store, limit: usize) -> Result<Vec<KeyId>, StoreError> {
    let rows = store.read(move |snapshot| snapshot.scan(&DOOMED_KEYS, .., limit)).await?;
    Ok(rows.into_iter().filter_map(|(key, ())| key.parse().ok()).collect())
}

/// The kms has removed a key.
pub(crate) async fn key_is_gone(store: &Store, key: KeyId) -> Result<(), StoreError> {
    store.write(move |tx| tx.remove(&DOOMED_KEYS, key.as_str()).map(|_| ())).await
}
