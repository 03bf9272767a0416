//! Events for the log that wait in a store until the tms has them.
//!
//! An event is put in with the change that it tells of, in one transaction, under an id of its own. It is sent until the
//! tms answers and only then removed; the tms makes one entry of an id, however often it comes. So neither a crash on
//! either side nor a lost answer leaves a change without its entry, or makes two of it. What one store holds is sent in
//! the order in which it happened.

use std::sync::Arc;

use rpc::protocol::TmsInternal;
use rpc::{CallError, Client};
use store::{Records as _, Store, StoreError, Table, Transaction};
use tokio::sync::Notify;
use types::id::RecordId;
use types::log::Event;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_internal::RecordEvent;

/// What waits, by the write that put it there and its own id.
const WAITING: Table<(u64, String), RecordEvent> = Table::new("events for the log");

/// Events that one round sends.
const AT_ONCE: usize = 100;

/// Why events wait on.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The tms can't be reached or does not take them.
    #[error("tms")]
    Tms(#[from] CallError),
    /// The store failed.
    #[error("events for the log")]
    Store(#[from] StoreError),
}

/// The events that wait in one store.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    filled: Arc<Notify>,
}

impl Outbox {
    /// That of a store.
    pub fn of(store: Store) -> Self {
        Outbox { store, filled: Arc::default() }
    }

    /// Puts in what happened to a user or to something of theirs, with the change that `tx` makes. Whoever commits it
    /// says so with [`Outbox::filled`].
    ///
    /// # Errors
    /// When the store fails.
    pub fn put(tx: &mut Transaction<'_>, at_ms: UnixMillis, user: &UserId, event: Event) -> Result<(), StoreError> {
        let record_id = RecordId::from_random(crypto::random::bytes());
        let key = (tx.sequence(), record_id.to_string());
        let record = RecordEvent { record_id, at_ms, concerns: vec![user.clone()], event };
        tx.insert(&WAITING, (key.0, key.1.as_str()), &record)
    }

    /// There may be something to send.
    pub fn filled(&self) {
        self.filled.notify_one();
    }

    /// Waits until there may be something to send.
    pub async fn until_filled(&self) {
        self.filled.notified().await;
    }

    /// Sends what waits, oldest first.
    ///
    /// # Errors
    /// When the tms does not take an event: it and those after it wait on.
    pub async fn send(&self, tms: &Client<TmsInternal>) -> Result<(), NotSent> {
        loop {
            let waiting = self.store.read(|snapshot| snapshot.scan(&WAITING, .., AT_ONCE)).await?;
            let last = waiting.len() < AT_ONCE;
            let mut taken = Vec::with_capacity(waiting.len());
            let mut outcome = Ok(());
            for (key, record) in waiting {
                outcome = tms.call(record).await.map(|_| taken.push(key));
                if outcome.is_err() {
                    break;
                }
            }
            self.remove(taken).await?;
            outcome?;
            if last {
                return Ok(());
            }
        }
    }

    async fn remove(&self, taken: Vec<(u64, String)>) -> Result<(), StoreError> {
        if taken.is_empty() {
            return Ok(());
        }
        let each = |tx: &mut Transaction<'_>, (sequence, id): &(u64, String)| {
            tx.remove(&WAITING, (*sequence, id.as_str())).map(|_| ())
        };
        self.store.write(move |tx| taken.iter().try_for_each(|key| each(tx, key))).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crypto::SealingKey;
    use rpc::{Ctx, Service};
    use store::Options;
    use types::log::UserChange;
    use types::service::Role;
    use types::wire::tms_internal::{Recorded, Request, Response};

    use super::*;

    /// A tms that takes so many events and then none.
    #[derive(Default)]
    struct Tms {
        left: Mutex<usize>,
        taken: Mutex<Vec<RecordEvent>>,
    }

    impl Service for Tms {
        type Protocol = TmsInternal;
        type Error = crate::Error;

        async fn call(&self, _: Ctx, request: Request) -> Result<Response, crate::Error> {
            let Request::Record(record) = request else { panic!("not asked for") };
            let mut left = self.left.lock().expect("no panic");
            *left = left.checked_sub(1).ok_or(crate::Error::BadToken)?;
            self.taken.lock().expect("no panic").push(record);
            Ok(Response::Record(Recorded { index: 0 }))
        }
    }

    fn user(number: u64) -> UserId {
        format!("user{number}").parse().expect("a name")
    }

    #[tokio::test]
    async fn what_is_not_taken_waits_and_keeps_its_order() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("store"), &SealingKey::generate(), Options::default());
        let outbox = Outbox::of(store.expect("opens"));
        let count = AT_ONCE as u64 * 2 + 5;
        for number in 0..count {
            let event = move || Event::User { user_id: user(number), change: UserChange::Added };
            let put = outbox.store.write(move |tx| Outbox::put(tx, UnixMillis(number), &user(number), event()));
            put.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        }
        let tms = Arc::new(Tms::default());
        let (client, later) = Client::later();
        assert!(matches!(outbox.send(&client).await, Err(NotSent::Tms(CallError::Unreachable { .. }))));
        later.is(Client::local(tms.clone(), Role::Tdfs));
        for left in [0, 3, AT_ONCE] {
            *tms.left.lock().expect("no panic") = left;
            assert!(matches!(outbox.send(&client).await, Err(NotSent::Tms(CallError::Refused(_)))));
        }
        *tms.left.lock().expect("no panic") = usize::MAX;
        outbox.send(&client).await.expect("all are taken");
        outbox.send(&client).await.expect("nothing is left");
        let taken = tms.taken.lock().expect("no panic");
        assert!(taken.iter().map(|record| record.at_ms.0).eq(0..count), "once each, in order");
        assert!(taken.iter().all(|record| record.concerns == [user(record.at_ms.0)]));
    }

    #[tokio::test]
    async fn a_change_that_fails_leaves_nothing_to_send() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("store"), &SealingKey::generate(), Options::default());
        let outbox = Outbox::of(store.expect("opens"));
        let failed = outbox.store.write(|tx| {
            let event = Event::User { user_id: user(1), change: UserChange::Added };
            Outbox::put(tx, UnixMillis(0), &user(1), event)?;
            Err::<(), _>(StoreError::Closed)
        });
        assert!(failed.await.is_err());
        let (nobody, _later) = Client::later();
        outbox.send(&nobody).await.expect("nobody is asked");
    }
}
