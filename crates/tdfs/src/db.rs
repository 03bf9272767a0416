//! The tdfs's tables.

use blobs::Layout;
use identity::outbox::Outbox;
use serde::{Deserialize, Serialize};
use store::{NewestFirst, Range, Records, Store, StoreError, Table, Transaction};
use types::digest::Digest;
use types::id::{FileId, KeyId, TaskId};
use types::log::Event;
use types::time::UnixMillis;
use types::user::UserId;

use crate::Error;
use crate::authz::{Delete, Permit};
use crate::file::FileRow;
use crate::usage::{self, Limits, Usage};

/// Files by id.
pub(crate) const FILES: Table<String, FileRow> = Table::new("files");
/// Every owner's files, newest first.
const OWNED: Table<(String, NewestFirst), FileId> = Table::new("owned files");
/// Tasks that have a file as input and have not ended.
const HOLDS: Table<(String, String), ()> = Table::new("holds by file");
/// The same, from the task's side.
const HELD: Table<(String, String), ()> = Table::new("holds by task");
/// What tasks declared as output of which it is not known here that they ended. Nobody has it until then.
const OUTPUTS: Table<(String, String), ()> = Table::new("outputs by task");
/// Keys whose file is gone, until the kms has removed them too.
const DOOMED_KEYS: Table<String, ()> = Table::new("keys to remove");
/// Ciphertext whose file is gone, until it is removed too.
const DOOMED_CIPHERTEXT: Table<String, ()> = Table::new("ciphertext to remove");
/// Files that are gone, until their key and their ciphertext are too.
const ERASING: Table<String, Erasing> = Table::new("files to erase");
/// The same, by key.
const ERASING_KEYS: Table<String, FileId> = Table::new("files to erase by key");
/// Files whose size and digest are still to be declared.
const OPEN: Table<String, UnixMillis> = Table::new("open uploads");
/// Where ciphertext is: one row.
const PLACE: Table<String, String> = Table::new("place of ciphertext");
const ONLY: &str = "place";

/// A file of which something is left.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Erasing {
    owner: UserId,
    key_id: KeyId,
}

/// Keeps a new file's record, unless its owner has then more than the limits. `policy` is the digest of the policy that
/// the kms has of it.
pub(crate) async fn insert(
    store: &Store,
    id: FileId,
    row: FileRow,
    (limits, policy): (Limits, Option<Digest>),
) -> Result<(), Error> {
    store
        .write(move |tx| {
            usage::add(tx, &row.owner, Usage::of(&row), limits)?;
            let row = FileRow { sequence: tx.sequence(), ..row.clone() };
            tx.insert(&OWNED, (row.owner.as_str(), NewestFirst(row.sequence)), &id)?;
            if let Some(task) = &row.task_id {
                tx.insert(&OUTPUTS, (task.as_str(), id.as_str()), &())?;
            }
            if row.open {
                tx.insert(&OPEN, id.as_str(), &row.created)?;
            }
            if policy.is_some() {
                Outbox::put(tx, row.created, &row.owner, policy_event(&id, &row.owner, policy))?;
            }
            Ok(tx.insert(&FILES, id.as_str(), &row)?)
        })
        .await
}

fn policy_event(file: &FileId, owner: &UserId, digest: Option<Digest>) -> Event {
    Event::FilePolicy { file_id: file.clone(), user_id: owner.clone(), digest }
}

/// The kms has this policy of a file now, or none: that is for the log.
pub(crate) async fn note_policy(
    store: &Store,
    (file, owner): (FileId, UserId),
    policy: Option<Digest>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    store.write(move |tx| Outbox::put(tx, now, &owner, policy_event(&file, &owner, policy))).await
}

/// A key belongs to no file after all.
pub(crate) async fn doom_key(store: &Store, key: KeyId) -> Result<(), StoreError> {
    store.write(move |tx| tx.insert(&DOOMED_KEYS, key.as_str(), &())).await
}

pub(crate) async fn get(store: &Store, id: FileId) -> Result<Option<FileRow>, StoreError> {
    store.read(move |snapshot| snapshot.get(&FILES, id.as_str())).await
}

/// Whether a file is the output of a task of which it is not known here that it ended.
pub(crate) async fn is_withheld(store: &Store, task: TaskId, id: FileId) -> Result<bool, StoreError> {
    store.read(move |snapshot| withheld(snapshot, &task, &id)).await
}

fn withheld(records: &impl Records, task: &TaskId, id: &FileId) -> Result<bool, StoreError> {
    records.contains(&OUTPUTS, (task.as_str(), id.as_str()))
}

/// One page of an owner's files.
pub(crate) struct Page {
    /// The files, with their records where those were asked for and are not withheld.
    pub(crate) rows: Vec<(FileId, Option<FileRow>)>,
    /// The tasks whose outputs are withheld.
    pub(crate) withheld: Vec<TaskId>,
    /// The place where the next page begins.
    pub(crate) next: Option<u64>,
}

/// One page of an owner's files.
pub(crate) async fn list(
    store: &Store,
    owner: UserId,
    after: Option<u64>,
    limit: usize,
    details: bool,
) -> Result<Page, StoreError> {
    store
        .read(move |snapshot| {
            let mut range = Range::starting_with(owner.as_str());
            if let Some(sequence) = after {
                range = range.after((owner.as_str(), NewestFirst(sequence)));
            }
            let mut places = snapshot.scan(&OWNED, range, limit + 1)?;
            let more = places.len() > limit;
            places.truncate(limit);
            let next = places.last().filter(|_| more).map(|((_, NewestFirst(sequence)), _)| *sequence);
            let mut page = Page { rows: Vec::with_capacity(places.len()), withheld: Vec::new(), next };
            for (_, id) in places {
                let row: Option<FileRow> = if details { snapshot.get(&FILES, id.as_str())? } else { None };
                let task = row.as_ref().and_then(|row| row.task_id.clone());
                match task {
                    Some(task) if withheld(snapshot, &task, &id)? => {
                        page.withheld.push(task);
                        page.rows.push((id, None));
                    }
                    _ => page.rows.push((id, row)),
                }
            }
            Ok(page)
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

/// Removes a file's rows and dooms its key and its ciphertext.
fn forget(tx: &mut Transaction<'_>, file: &FileId, row: &FileRow) -> Result<(), StoreError> {
    tx.remove(&FILES, file.as_str())?;
    usage::subtract(tx, &row.owner, Usage::of(row))?;
    tx.remove(&OWNED, (row.owner.as_str(), NewestFirst(row.sequence)))?;
    if let Some(task) = &row.task_id {
        tx.remove(&OUTPUTS, (task.as_str(), file.as_str()))?;
    }
    tx.remove(&OPEN, file.as_str())?;
    let erasing = Erasing { owner: row.owner.clone(), key_id: row.key_id.clone() };
    tx.insert(&ERASING, file.as_str(), &erasing)?;
    tx.insert(&ERASING_KEYS, row.key_id.as_str(), file)?;
    tx.insert(&DOOMED_CIPHERTEXT, file.as_str(), &())?;
    tx.insert(&DOOMED_KEYS, row.key_id.as_str(), &())
}

/// Once neither a file's key nor its ciphertext is to be removed any more, that is for the log.
fn note_erased(tx: &mut Transaction<'_>, file: &FileId, now: UnixMillis) -> Result<(), StoreError> {
    let Some(Erasing { owner, key_id }) = tx.get(&ERASING, file.as_str())? else { return Ok(()) };
    if tx.contains(&DOOMED_KEYS, key_id.as_str())? || tx.contains(&DOOMED_CIPHERTEXT, file.as_str())? {
        return Ok(());
    }
    tx.remove(&ERASING, file.as_str())?;
    tx.remove(&ERASING_KEYS, key_id.as_str())?;
    let event = Event::FileErased { file_id: file.clone(), user_id: owner.clone() };
    Outbox::put(tx, now, &owner, event)
}

/// What an upload turned out to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    pub(crate) sha256: Digest,
    pub(crate) size: u64,
    pub(crate) layout: Layout,
}

/// Makes a file of an upload whose ciphertext is whole, unless its owner has then more than the limits. A file that is
/// gone meanwhile stays so.
pub(crate) async fn complete(store: &Store, id: FileId, completed: Completed, limits: Limits) -> Result<(), Error> {
    store
        .write(move |tx| {
            let row = tx.get(&FILES, id.as_str())?.ok_or_else(|| Error::NoSuchFile(id.clone()))?;
            if !row.open && row.layout == completed.layout {
                return Ok(());
            }
            let Completed { sha256, size, layout } = completed;
            if row.open {
                usage::add(tx, &row.owner, Usage { files: 0, bytes: size }, limits)?;
            }
            tx.remove(&OPEN, id.as_str())?;
            Ok(tx.insert(&FILES, id.as_str(), &FileRow { sha256, size, layout, open: false, ..row })?)
        })
        .await
}

/// Uploads that were begun before this, and whose content was not declared since.
pub(crate) async fn open_since_before(store: &Store, before: UnixMillis) -> Result<Vec<FileId>, StoreError> {
    let rows = store.read(move |snapshot| snapshot.scan(&OPEN, .., usize::MAX)).await?;
    Ok(rows.into_iter().filter(|(_, begun)| *begun < before).filter_map(|(id, _)| id.parse().ok()).collect())
}

/// Removes a file whose upload was given up, unless it is complete or a task holds it.
pub(crate) async fn give_up(store: &Store, id: FileId) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            let held = !tx.scan(&HOLDS, Range::starting_with(id.as_str()), 1)?.is_empty();
            match tx.get(&FILES, id.as_str())? {
                Some(row) if !held && row.layout == Layout::Whole => forget(tx, &id, &row),
                _ => Ok(()),
            }
        })
        .await
}

/// Ciphertext that has still to be removed.
pub(crate) async fn doomed_ciphertext(store: &Store, limit: usize) -> Result<Vec<FileId>, StoreError> {
    let rows = store.read(move |snapshot| snapshot.scan(&DOOMED_CIPHERTEXT, .., limit)).await?;
    Ok(rows.into_iter().filter_map(|(file, ())| file.parse().ok()).collect())
}

/// Ciphertext was removed.
pub(crate) async fn ciphertext_is_gone(store: &Store, file: FileId, now: UnixMillis) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            tx.remove(&DOOMED_CIPHERTEXT, file.as_str())?;
            note_erased(tx, &file, now)
        })
        .await
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
                if row.open {
                    return Err(Error::Incomplete(file.clone()));
                }
                if let Some(task) = &row.task_id
                    && withheld(tx, task, file)?
                {
                    return Err(Error::Withheld { file: file.clone(), task: task.clone() });
                }
                tx.insert(&HOLDS, (file.as_str(), task.as_str()), &())?;
                tx.insert(&HELD, (task.as_str(), file.as_str()), &())?;
                rows.push(row);
            }
            Ok(rows)
        })
        .await
}

/// Releases every file that an ended task holds, and removes its outputs but those that it lists. Returns whether it
/// removed any.
pub(crate) async fn end_task(store: &Store, task: TaskId, listed: Vec<FileId>) -> Result<bool, StoreError> {
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

/// Withholds nothing more of a task that does not exist.
pub(crate) async fn release_outputs(store: &Store, task: TaskId) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            for ((task, file), ()) in tx.scan(&OUTPUTS, Range::starting_with(task.as_str()), usize::MAX)? {
                tx.remove(&OUTPUTS, (task.as_str(), file.as_str()))?;
            }
            Ok(())
        })
        .await
}

fn remove_unlisted(tx: &mut Transaction<'_>, task: &TaskId, listed: &[FileId]) -> Result<bool, StoreError> {
    let mut removed = false;
    for ((_, file), ()) in tx.scan(&OUTPUTS, Range::starting_with(task.as_str()), usize::MAX)? {
        tx.remove(&OUTPUTS, (task.as_str(), file.as_str()))?;
        let Some(id) = file.parse().ok().filter(|id| !listed.contains(id)) else { continue };
        if let Some(row) = tx.get(&FILES, file.as_str())? {
            forget(tx, &id, &row)?;
            removed = true;
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
pub(crate) async fn key_is_gone(store: &Store, key: KeyId, now: UnixMillis) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            tx.remove(&DOOMED_KEYS, key.as_str())?;
            match tx.get(&ERASING_KEYS, key.as_str())? {
                Some(file) => note_erased(tx, &file, now),
                None => Ok(()),
            }
        })
        .await
}

/// Up to `limit` records, in the order of their ids.
pub(crate) async fn records(
    store: &Store,
    after: Option<FileId>,
    limit: usize,
) -> Result<Vec<(FileId, FileRow)>, StoreError> {
    store
        .read(move |snapshot| {
            let range = after.map_or_else(Range::all, |after| Range::all().after(after.as_str()));
            let rows = snapshot.scan(&FILES, range, limit)?;
            Ok(rows.into_iter().filter_map(|(id, row)| Some((id.parse().ok()?, row))).collect())
        })
        .await
}

/// Which of these ids belong to no file, and to none whose ciphertext is still to be removed.
pub(crate) async fn unknown_files(store: &Store, files: Vec<FileId>) -> Result<Vec<FileId>, StoreError> {
    store
        .read(move |snapshot| {
            let mut unknown = Vec::new();
            for file in files {
                let known = snapshot.contains(&FILES, file.as_str())?
                    || snapshot.contains(&DOOMED_CIPHERTEXT, file.as_str())?;
                unknown.extend((!known).then_some(file));
            }
            Ok(unknown)
        })
        .await
}

/// Whether a key is still to be removed.
pub(crate) async fn is_doomed(store: &Store, key: KeyId) -> Result<bool, StoreError> {
    store.read(move |snapshot| snapshot.contains(&DOOMED_KEYS, key.as_str())).await
}

/// Removes a file that nobody can read, unless a task needs it or it is another than was looked at; says whether it did.
pub(crate) async fn remove_unreadable(store: &Store, id: FileId, seen: FileRow) -> Result<bool, StoreError> {
    store
        .write(move |tx| {
            let same = |row: &FileRow| {
                (row.key_id.as_str(), row.layout, row.open) == (seen.key_id.as_str(), seen.layout, seen.open)
            };
            let Some(row) = tx.get(&FILES, id.as_str())?.filter(same) else { return Ok(false) };
            let held = !tx.scan(&HOLDS, Range::starting_with(id.as_str()), 1)?.is_empty();
            let output = match &row.task_id {
                Some(task) => withheld(tx, task, &id)?,
                None => false,
            };
            if held || output {
                return Ok(false);
            }
            forget(tx, &id, &row)?;
            Ok(true)
        })
        .await
}

/// The place of ciphertext that was used last; this one, when there was none.
pub(crate) async fn place(store: &Store, this: String) -> Result<String, StoreError> {
    store
        .write(move |tx| match tx.get(&PLACE, ONLY)? {
            Some(place) => Ok(place),
            None => tx.insert(&PLACE, ONLY, &this).map(|()| this.clone()),
        })
        .await
}

/// Ciphertext is here from now on.
pub(crate) async fn set_place(store: &Store, this: String) -> Result<(), StoreError> {
    store.write(move |tx| tx.insert(&PLACE, ONLY, &this)).await
}
