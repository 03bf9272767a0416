//! The programs that an engine keeps loaded, and loads each only once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::digest::Digest;

use super::Refused;

/// Values by digest, the least recently used of them given up when they take too much.
pub(super) struct Kept<T> {
    room: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    entries: HashMap<Digest, Entry<T>>,
    clock: u64,
}

struct Entry<T> {
    /// Locked by whoever makes the value, so that others who want it wait.
    place: Arc<Mutex<Option<Arc<T>>>>,
    bytes: usize,
    used: u64,
}

impl<T> Kept<T> {
    pub(super) fn new(room: usize) -> Self {
        Self { room, state: Mutex::new(State { entries: HashMap::new(), clock: 0 }) }
    }

    /// The value of `digest`, made by `make` if it is not there, with the bytes that it takes.
    pub(super) fn get_or_make(
        &self,
        digest: &Digest,
        make: impl FnOnce() -> Result<Option<(T, usize)>, Refused>,
    ) -> Result<Option<Arc<T>>, Refused> {
        let place = self.place(digest);
        let mut held = lock(&place);
        if let Some(value) = &*held {
            return Ok(Some(value.clone()));
        }
        let made = make();
        let Ok(Some((value, bytes))) = made else {
            self.forget(digest);
            return made.map(|_| None);
        };
        let value = Arc::new(value);
        *held = Some(value.clone());
        drop(held);
        self.weigh(digest, bytes);
        Ok(Some(value))
    }

    fn place(&self, digest: &Digest) -> Arc<Mutex<Option<Arc<T>>>> {
        let mut state = lock(&self.state);
        state.clock += 1;
        let used = state.clock;
        let entry = state.entries.entry(*digest).or_insert_with(|| Entry { place: Arc::default(), bytes: 0, used });
        entry.used = used;
        entry.place.clone()
    }

    fn forget(&self, digest: &Digest) {
        lock(&self.state).entries.remove(digest);
    }

    fn weigh(&self, digest: &Digest, bytes: usize) {
        let mut state = lock(&self.state);
        if let Some(entry) = state.entries.get_mut(digest) {
            entry.bytes = bytes;
        }
        while state.entries.len() > 1 && state.total() > self.room {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(digest, _)| *digest);
            oldest.map(|digest| state.entries.remove(&digest));
        }
    }
}

impl<T> State<T> {
    fn total(&self) -> usize {
        self.entries.values().map(|entry| entry.bytes).sum()
    }
}

/// A panic under the lock leaves a value that is whole: places and entries change in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::new([n; 32])
    }

    fn get(kept: &Kept<u8>, n: u8, made: &AtomicUsize) -> u8 {
        let make = || {
            made.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_millis(5));
            Ok(Some((n, 10)))
        };
        *kept.get_or_make(&digest(n), make).unwrap().unwrap()
    }

    #[test]
    fn the_least_recently_used_goes() {
        let (kept, made) = (Kept::new(20), AtomicUsize::new(0));
        for (n, makes) in [(1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4), (1, 4), (3, 5)] {
            assert_eq!((get(&kept, n, &made), made.load(SeqCst)), (n, makes));
        }
    }

    #[test]
    fn the_last_one_stays_whatever_it_takes() {
        let (kept, made) = (Kept::new(5), AtomicUsize::new(0));
        get(&kept, 1, &made);
        get(&kept, 1, &made);
        assert_eq!(made.load(SeqCst), 1);
    }

    #[test]
    fn what_many_want_at_once_is_made_once() {
        let (kept, made) = (Kept::new(20), AtomicUsize::new(0));
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| get(&kept, 1, &made)))));
        assert_eq!(made.load(SeqCst), 1);
    }

    #[test]
    fn failures_are_not_kept() {
        let kept = Kept::<u8>::new(20);
        assert_eq!(kept.get_or_make(&digest(1), || Err(Refused::NoMemory)).unwrap_err(), Refused::NoMemory);
        assert_eq!(kept.get_or_make(&digest(1), || Ok(None)).unwrap(), None);
        assert!(lock(&kept.state).entries.is_empty());
    }
}
