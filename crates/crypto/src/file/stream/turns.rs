//! Lets several threads use one thing in the order of their work's numbers, which is not the order in which they finish.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A thing that is used by number 0 first, then by number 1, and so on.
pub(super) struct Turns<T> {
    state: Mutex<State<T>>,
    moved: Condvar,
}

struct State<T> {
    next: u64,
    stopped: bool,
    thing: T,
}

impl<T> Turns<T> {
    pub(super) fn new(thing: T) -> Self {
        Self { state: Mutex::new(State { next: 0, stopped: false, thing }), moved: Condvar::new() }
    }

    /// Waits for its turn and uses the thing; nothing after [`stop`](Self::stop).
    pub(super) fn take<R>(&self, number: u64, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let waiting = |state: &mut State<T>| state.next != number && !state.stopped;
        let mut state = self.moved.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        let result = work(&mut state.thing);
        state.next += 1;
        drop(state);
        self.moved.notify_all();
        Some(result)
    }

    /// Nobody gets a turn any more.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    pub(super) fn into_inner(self) -> T {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).thing
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn turns_come_in_the_order_of_their_numbers() {
        let turns = Turns::new(Vec::new());
        thread::scope(|scope| {
            for number in (0..8).rev() {
                let turns = &turns;
                scope.spawn(move || turns.take(number, |seen| seen.push(number)));
            }
        });
        assert_eq!(turns.into_inner(), (0..8).collect::<Vec<u64>>());
    }

    #[test]
    fn whoever_waits_is_sent_away_by_a_stop() {
        let turns = Turns::new(());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take(1, |()| ()));
            turns.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(turns.take(0, |()| ()), None);
    }
}
