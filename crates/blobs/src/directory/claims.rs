//! Who may write what of an upload right now: a newer request takes the place of an older one.
//!
//! A client whose connection was cut comes back long before the server notices. So nobody waits for an older request
//! of the same part: the newer one closes its gate and goes ahead, and the older one fails at its next step. Completing,
//! deleting and sweeping take the whole file: they close every gate, and newcomers wait until they are done.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::Id;
use crate::error::Reason;

/// What a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Part(u32),
    Draft,
    All,
}

/// Lets a request act, until a newer one closes it.
struct Gate {
    scope: Scope,
    open: Mutex<bool>,
}

/// Everything that is being written in one folder.
#[derive(Default)]
pub(super) struct Claims {
    held: Mutex<HashMap<Id, Vec<Arc<Gate>>>>,
    released: Condvar,
}

/// One request's right to write; it ends when the last user of it is gone.
pub(super) struct Claim {
    claims: Arc<Claims>,
    id: Id,
    gate: Arc<Gate>,
}

impl Claims {
    /// To write one part. Waits while the whole file is taken, and stops an older request for this part.
    pub(super) fn part(self: &Arc<Self>, id: &Id, part: u32) -> Claim {
        self.take(id, Scope::Part(part), |older| *older == Scope::Part(part))
    }

    /// To write a draft of the whole file. Waits while the whole file is taken.
    pub(super) fn draft(self: &Arc<Self>, id: &Id) -> Claim {
        self.take(id, Scope::Draft, |_| false)
    }

    /// To complete or delete a file. Waits for others who do, and stops everybody else.
    pub(super) fn all(self: &Arc<Self>, id: &Id) -> Claim {
        self.take(id, Scope::All, |_| true)
    }

    /// The whole file, if nobody is writing any of it.
    pub(super) fn all_if_idle(self: &Arc<Self>, id: &Id) -> Option<Claim> {
        let mut held = lock(&self.held);
        (!held.contains_key(id)).then(|| self.enter(&mut held, id, Scope::All))
    }

    fn take(self: &Arc<Self>, id: &Id, scope: Scope, stops: impl Fn(&Scope) -> bool) -> Claim {
        let mut held = lock(&self.held);
        while held.get(id).is_some_and(|gates| gates.iter().any(|gate| gate.scope == Scope::All)) {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        let older: Vec<_> = held.get(id).into_iter().flatten().filter(|gate| stops(&gate.scope)).cloned().collect();
        let claim = self.enter(&mut held, id, scope);
        drop(held);
        // Waits for a step that is under way, so that afterwards only the newcomer acts.
        older.iter().for_each(|gate| *lock(&gate.open) = false);
        claim
    }

    fn enter(self: &Arc<Self>, held: &mut HashMap<Id, Vec<Arc<Gate>>>, id: &Id, scope: Scope) -> Claim {
        let gate = Arc::new(Gate { scope, open: Mutex::new(true) });
        held.entry(id.clone()).or_default().push(gate.clone());
        Claim { claims: self.clone(), id: id.clone(), gate }
    }
}

impl Claim {
    /// Takes one step, unless a newer request took this one's place. Nobody else takes over before the step is done.
    pub(super) fn act<T>(&self, step: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
        match *lock(&self.gate.open) {
            true => step(),
            false => Err(Reason::Superseded),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = lock(&self.claims.held);
        if let Some(gates) = held.get_mut(&self.id) {
            gates.retain(|gate| !Arc::ptr_eq(gate, &self.gate));
            if gates.is_empty() {
                held.remove(&self.id);
            }
        }
        self.claims.released.notify_all();
    }
}

/// What these locks guard is whole after every statement, so a panic elsewhere does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(claim: &Claim) -> bool {
        claim.act(|| Ok(())).is_ok()
    }

    #[test]
    fn the_newer_request_wins_its_part() {
        let (claims, id) = (Arc::new(Claims::default()), "a".parse().unwrap());
        let (old, other) = (claims.part(&id, 0), claims.part(&id, 1));
        let new = claims.part(&id, 0);
        assert_eq!([acts(&old), acts(&other), acts(&new)], [false, true, true]);
        drop(old);
        assert!(acts(&new), "an old claim's end is nobody else's");
        assert!(claims.all_if_idle(&id).is_none());
        drop((other, new));
        assert!(claims.all_if_idle(&id).is_some());
        assert!(lock(&claims.held).is_empty(), "nothing is kept of files that nobody writes");
    }

    #[test]
    fn newcomers_wait_for_who_has_the_whole_file() {
        let (claims, id): (_, Id) = (Arc::new(Claims::default()), "a".parse().unwrap());
        let (part, draft) = (claims.part(&id, 0), claims.draft(&id));
        let all = claims.all(&id);
        assert_eq!([acts(&part), acts(&draft), acts(&all)], [false, false, true]);
        let late = std::thread::spawn({
            let (claims, id) = (claims.clone(), id.clone());
            move || acts(&claims.part(&id, 0))
        });
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!late.is_finished());
        drop(all);
        assert!(late.join().unwrap());
    }
}
