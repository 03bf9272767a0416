//! Group commit: one thread that runs every write, and makes as many durable at a time as are waiting.
//!
//! There is no timer: while one group is being flushed the next one gathers in the queue, so that a lone writer waits
//! for nothing and many writers share a flush.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use redb::{Database, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::{
    anchor::{Anchor, AnchorKey},
    error::{StoreError, catch_damage},
    snapshot::Snapshot,
    store::Shared,
    table::definition,
    transaction::{Changes, Transaction},
};

/// The most writes that share one flush: more would not be faster, and everyone waits for the slowest.
const MAX_GROUP: usize = 256;

/// What the writer's queue holds.
pub(crate) enum Message {
    /// A write to run and answer.
    Write(Box<dyn Write>),
    /// Everything before this is answered; close the database, then answer this.
    Close(oneshot::Sender<()>),
}

/// A write whose result types the writer need not know.
pub(crate) trait Write: Send {
    /// Runs the closure; `true` when its changes are to be kept.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool;

    /// Sends the closure's result, or why nothing of its group was committed.
    fn reply(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A closure, and where its result goes.
pub(crate) struct Pending<T, E, F> {
    closure: F,
    result: Result<T, E>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Pending<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: Fn(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    pub(crate) fn message(closure: F) -> (Message, oneshot::Receiver<Result<T, E>>) {
        let (reply, receiver) = oneshot::channel();
        let result = Err(E::from(StoreError::Closed));
        let pending = Self { closure, result, reply };
        (Message::Write(Box::new(pending)), receiver)
    }
}

impl<T, E, F> Write for Pending<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: Fn(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) -> bool {
        // Unwind safe: after a panic the transaction is dropped unread, and the closure is not called again.
        self.result = catch_unwind(AssertUnwindSafe(|| (self.closure)(transaction)))
            .unwrap_or_else(|_| Err(E::from(StoreError::Panicked)));
        self.result.is_ok()
    }

    fn reply(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = committed.map_err(E::from).and(self.result);
        // A caller that went away changes nothing for the others, or for what was committed.
        let _ = self.reply.send(result);
    }
}

/// The writing thread's state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) anchor_key: AnchorKey,
    pub(crate) queue: mpsc::Receiver<Message>,
}

impl Writer {
    /// Runs until the store is closed or every handle to it is gone, then closes the database.
    pub(crate) fn run(mut self) {
        let closed = self.serve();
        self.shared.close();
        if let Some(closed) = closed {
            // The closing caller may have gone away; the store is closed all the same.
            let _ = closed.send(());
        }
    }

    /// Answers group after group; returns whom to tell when the database is closed.
    fn serve(&mut self) -> Option<oneshot::Sender<()>> {
        while let Some(first) = self.queue.blocking_recv() {
            let (group, close) = self.gather(first);
            self.answer(group);
            if close.is_some() {
                return close;
            }
        }
        None
    }

    /// The writes that wait now, up to a closing message.
    fn gather(&mut self, first: Message) -> (Vec<Box<dyn Write>>, Option<oneshot::Sender<()>>) {
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Write(write) => group.push(write),
                Message::Close(closed) => return (group, Some(closed)),
            }
            if group.len() < MAX_GROUP {
                next = self.queue.try_recv().ok();
            }
        }
        (group, None)
    }

    fn answer(&mut self, mut group: Vec<Box<dyn Write>>) {
        let committed = self.shared.with_database(|database| self.run_group(database, &mut group));
        for write in group {
            write.reply(committed.clone());
        }
    }

    /// Runs each write over those before it, then commits the changes of those that succeeded.
    fn run_group(&self, database: &Database, group: &mut [Box<dyn Write>]) -> Result<(), StoreError> {
        let snapshot = catch_damage(|| Snapshot::new(database, Arc::clone(&self.shared.keys)))?;
        let mut anchor = self.shared.anchor();
        let mut changes = Changes::default();
        let mut succeeded = 0_u32;
        for write in group {
            anchor.sequence += 1;
            let mut transaction = Transaction::new(&snapshot, &changes, anchor.sequence);
            if write.run(&mut transaction) {
                let own = transaction.into_changes();
                changes.merge(own);
                succeeded += 1;
            }
        }
        if succeeded == 0 {
            return Ok(());
        }
        let started = Instant::now();
        catch_damage(|| self.commit(database, &changes, anchor)).inspect_err(|error| self.shared.stop(error))?;
        self.shared.committed(anchor, succeeded, started.elapsed());
        Ok(())
    }

    fn commit(&self, database: &Database, changes: &Changes, anchor: Anchor) -> Result<(), StoreError> {
        let transaction = begin_write(database)?;
        for (name, changes) in changes.tables() {
            let mut table = transaction.open_table(definition(name)).map_err(StoreError::storage)?;
            for (key, change) in changes {
                let replaced = match change {
                    Some(stored) => table.insert(&**key, &**stored),
                    None => table.remove(&**key),
                };
                replaced.map_err(StoreError::storage)?;
            }
        }
        self.anchor_key.write(&transaction, anchor)?;
        transaction.commit().map_err(StoreError::storage)
    }
}

/// A redb transaction that is durable when its commit returns, and needs no repair when it does not.
pub(crate) fn begin_write(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(StoreError::storage)?;
    // Against a commit that was torn on purpose: see redb's design.md, "2-phase + checksum".
    transaction.set_two_phase_commit(true);
    // Opening after a kill takes milliseconds at any size instead of seconds: `spec/performance.md`.
    transaction.set_quick_repair(true);
    Ok(transaction)
}
