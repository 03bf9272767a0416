//! The tms's tables. Every change of a task is one compare-and-set transaction over a pure function of its record.

pub(crate) mod functions;

use store::{NewestFirst, Range, Records, Store, StoreError, Table, Transaction};
use types::id::TaskId;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;

use crate::log::{self, Pending};
use crate::task::{Lease, Task};

/// Tasks by id.
const TASKS: Table<String, Task> = Table::new("tasks");
/// Every participant's tasks, newest first.
const BY_USER: Table<(String, NewestFirst), TaskId> = Table::new("tasks by participant");
/// Tasks that a function node runs.
const RUNNING: Table<String, ()> = Table::new("running tasks");
/// Tasks that are being created: the tdfs may hold their inputs already.
const INTENDED: Table<String, ()> = Table::new("tasks being created");
/// Ended tasks of which the tdfs does not know yet that they ended.
const UNSETTLED: Table<String, ()> = Table::new("ended tasks to settle");

pub(crate) async fn task(store: &Store, id: TaskId) -> Result<Option<Task>, StoreError> {
    store.read(move |snapshot| snapshot.get(&TASKS, id.as_str())).await
}

/// Those of some tasks that there are.
pub(crate) async fn tasks(store: &Store, ids: Vec<TaskId>) -> Result<Vec<(TaskId, Task)>, StoreError> {
    store
        .read(move |snapshot| {
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                let task = snapshot.get(&TASKS, id.as_str())?;
                found.extend(task.map(|task| (id, task)));
            }
            Ok(found)
        })
        .await
}

/// Notes that the tdfs is about to hold inputs for a task that does not exist yet.
pub(crate) async fn intend(store: &Store, id: TaskId) -> Result<(), StoreError> {
    store.write(move |tx| tx.insert(&INTENDED, id.as_str(), &())).await
}

/// Keeps a new task.
pub(crate) async fn create(store: &Store, id: TaskId, task: Task) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            let sequence = NewestFirst(tx.sequence());
            for user in task.participants() {
                tx.insert(&BY_USER, (user.as_str(), sequence), &id)?;
            }
            if !task.inputs.is_empty() {
                tx.remove(&INTENDED, id.as_str())?;
            }
            record(tx, &id, None, &task, task.created)?;
            tx.insert(&TASKS, id.as_str(), &task)
        })
        .await
}

/// Replaces a task by what `change` makes of it. `None`: no such task.
pub(crate) async fn change<E>(
    store: &Store,
    id: TaskId,
    change: impl Fn(Task) -> Result<Task, E> + Send + Sync + 'static,
) -> Result<Option<Task>, E>
where
    E: From<StoreError> + Send + 'static,
{
    let now = UnixMillis::now();
    store
        .write(move |tx| {
            let Some(before) = tx.get(&TASKS, id.as_str())? else { return Ok(None) };
            let mut after = change(before.clone())?;
            let logged = record(tx, &id, Some(&before), &after, now)?;
            if after.status().is_final() {
                after.logged = logged.or(after.logged);
            }
            put(tx, &id, &after)?;
            Ok(Some(after))
        })
        .await
}

/// Puts what happened to a task into the log, for those who take part. Returns the place of the last entry that it makes.
fn record(
    tx: &mut Transaction<'_>,
    id: &TaskId,
    before: Option<&Task>,
    after: &Task,
    now: UnixMillis,
) -> Result<Option<u64>, StoreError> {
    let mut last = None;
    for event in log::of_change(id, before, after) {
        last = Some(log::append(tx, &Pending::new(now, after.participants().cloned().collect(), event))?);
    }
    Ok(last)
}

/// Writes a changed task, and keeps the tables that follow from its state in step with it.
fn put(tx: &mut Transaction<'_>, id: &TaskId, task: &Task) -> Result<(), StoreError> {
    if task.lease.is_some() {
        tx.insert(&RUNNING, id.as_str(), &())?;
    } else {
        tx.remove(&RUNNING, id.as_str())?;
    }
    // A task that finished without files holds none, and none of its outputs waits for its end.
    if task.status() == Status::Failed || task.status() == Status::Finished && task.has_files() {
        tx.insert(&UNSETTLED, id.as_str(), &())?;
    }
    tx.insert(&TASKS, id.as_str(), task)
}

/// One page of a user's tasks, and the place where the next one begins.
pub(crate) async fn list(
    store: &Store,
    user: UserId,
    after: Option<u64>,
    limit: usize,
) -> Result<(Vec<TaskId>, Option<u64>), StoreError> {
    store
        .read(move |snapshot| {
            let mut range = Range::starting_with(user.as_str());
            if let Some(sequence) = after {
                range = range.after((user.as_str(), NewestFirst(sequence)));
            }
            let mut rows = snapshot.scan(&BY_USER, range, limit + 1)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|((_, NewestFirst(sequence)), _)| *sequence);
            Ok((rows.into_iter().map(|(_, id)| id).collect(), next))
        })
        .await
}

/// Every running task with its lease and time limit in milliseconds.
pub(crate) fn running(store: &Store) -> Result<Vec<(TaskId, Lease, u64)>, StoreError> {
    store.read_blocking(|snapshot| {
        let mut found = Vec::new();
        for (id, ()) in snapshot.scan(&RUNNING, .., usize::MAX)? {
            let task: Option<Task> = snapshot.get(&TASKS, id.as_str())?;
            let leased = task.and_then(|task| Some((id.parse().ok()?, task.lease?, task.time_limit_ms)));
            found.extend(leased);
        }
        Ok(found)
    })
}

/// Tasks that were to be created when the tms stopped, and never were.
pub(crate) fn unborn(store: &Store) -> Result<Vec<TaskId>, StoreError> {
    store.read_blocking(|snapshot| {
        Ok(snapshot.scan(&INTENDED, .., usize::MAX)?.into_iter().filter_map(|(id, ())| id.parse().ok()).collect())
    })
}

/// A task will not be created after all.
pub(crate) async fn no_intent(store: &Store, id: TaskId) -> Result<(), StoreError> {
    store.write(move |tx| tx.remove(&INTENDED, id.as_str()).map(|_| ())).await
}

/// Ended tasks of which the tdfs does not know yet.
pub(crate) async fn unsettled(store: &Store, limit: usize) -> Result<Vec<(TaskId, Task)>, StoreError> {
    store
        .read(move |snapshot| {
            let mut found = Vec::new();
            for (id, ()) in snapshot.scan(&UNSETTLED, .., limit)? {
                let task = snapshot.get(&TASKS, id.as_str())?;
                found.extend(task.and_then(|task| Some((id.parse().ok()?, task))));
            }
            Ok(found)
        })
        .await
}

/// The tdfs must hear once more of a task's end, if it ended.
pub(crate) async fn unsettle(store: &Store, id: TaskId) -> Result<(), StoreError> {
    store
        .write(move |tx| match tx.get(&TASKS, id.as_str())? {
            Some(task) if task.status().is_final() => tx.insert(&UNSETTLED, id.as_str(), &()),
            _ => Ok(()),
        })
        .await
}

/// The tdfs knows that a task ended.
pub(crate) async fn settled(store: &Store, id: TaskId) -> Result<(), StoreError> {
    store.write(move |tx| tx.remove(&UNSETTLED, id.as_str()).map(|_| ())).await
}
