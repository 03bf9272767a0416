//! Events of other services: what happened to files and users, in the log exactly once.
//!
//! The sender draws an id with the change that it records, and sends the event until it is answered. An id that came
//! before changes nothing and is answered as the first time, so that neither a lost answer nor a crash on either side
//! loses an entry or makes two.

use store::{Records as _, StoreError, Table, Transaction};
use types::log::Event;
use types::service::Role;
use types::wire::tms_internal::{RecordEvent, Recorded};

use super::{Pending, append};
use crate::{Error, Tms};

/// The indices of the entries that other services sent, by the ids that they chose.
const RECORDED: Table<String, u64> = Table::new("log records");

/// The most users whom an event of another service concerns.
const MAX_CONCERNED: usize = 64;

/// Whether a service may say that such a thing happened: what it decides itself, and nothing else.
pub(crate) fn may_record(role: Role, event: &Event) -> bool {
    match event {
        Event::FilePolicy { .. } | Event::FileErased { .. } => matches!(role, Role::Tdfs | Role::Kms),
        Event::UserKey { .. } | Event::User { .. } => role == Role::Tdfs,
        _ => false,
    }
}

impl Tms {
    /// Puts an event of another service into the log, once.
    pub(crate) async fn record(&self, role: Option<Role>, record: RecordEvent) -> Result<Recorded, Error> {
        if let Some(role) = role.filter(|role| !may_record(*role, &record.event)) {
            return Err(Error::OtherRole(role));
        }
        if !(1..=MAX_CONCERNED).contains(&record.concerns.len()) {
            return Err(Error::field("concerns", format!("1 to {MAX_CONCERNED} users")));
        }
        let RecordEvent { record_id, at_ms, concerns, event } = record;
        let pending = Pending::new(at_ms, concerns, event);
        let write = self.store.write(move |tx| once(tx, record_id.as_str(), &pending));
        Ok(Recorded { index: write.await.map_err(Error::from)? })
    }
}

/// Appends what was not appended under this id before; returns its index in either case.
pub(super) fn once(tx: &mut Transaction<'_>, id: &str, pending: &Pending) -> Result<u64, StoreError> {
    if let Some(index) = tx.get(&RECORDED, id)? {
        return Ok(index);
    }
    let index = append(tx, pending)?;
    tx.insert(&RECORDED, id, &index)?;
    Ok(index)
}

#[cfg(test)]
mod tests {
    use types::log::UserChange;

    use super::*;

    #[test]
    fn services_record_what_they_decide_alone() {
        let (user, file) = (|| "u".parse().expect("a name"), || "f".parse().expect("an id"));
        let check = |event: Event, expected: &[Role]| {
            let allowed: Vec<Role> = Role::ALL.into_iter().filter(|role| may_record(*role, &event)).collect();
            assert_eq!(allowed, expected, "{event:?}");
        };
        check(Event::FilePolicy { file_id: file(), user_id: user(), digest: None }, &[Role::Kms, Role::Tdfs]);
        check(Event::FileErased { file_id: file(), user_id: user() }, &[Role::Kms, Role::Tdfs]);
        check(Event::UserKey { user_id: user(), key: None, required: false }, &[Role::Tdfs]);
        check(Event::User { user_id: user(), change: UserChange::Added }, &[Role::Tdfs]);
        check(Event::Ready { task_id: "t".parse().expect("an id"), manifest: None }, &[]);
    }
}
