//! Keeps a function's panic inside its run, and its panic message, which may quote plaintext, off standard error.
//!
//! The process-wide panic hook is replaced once by one that defers to its predecessor outside of functions. A host that
//! sets a hook of its own does so before the first run.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::Failure;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Calls `function` and turns a panic into [`Failure::Panicked`]; so does [`run`](crate::run) on its own thread, and so
/// does a function on each further thread that it starts. A stack overflow or an abort is not a panic.
///
/// # Errors
/// What `function` fails with, and [`Failure::Panicked`].
pub fn contain<T>(function: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    silence();
    let outside = INSIDE.replace(true);
    // Whoever is left with half-changed state discards it: the host drops the files of a failed run.
    let caught = panic::catch_unwind(AssertUnwindSafe(function));
    INSIDE.set(outside);
    caught.unwrap_or_else(|_| Err(Failure::Panicked { place: PLACE.take() }))
}

fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if INSIDE.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}
