//! How a host function reaches the invocation, which it cannot hold because it outlives no borrow.
//!
//! A store's data is `'static`; an [`Invocation`] is borrowed from the host for one call. So whoever needs to open
//! something leaves a request here and suspends the guest; [`drive`], which has the invocation, answers and goes on.
//! No thread and no executor takes part, so a run works wherever blocking is allowed.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::{Failure, InputStream, Invocation, Output, OutputStream};

/// Both sides of the door; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Quiet,
    WantsInput(usize),
    WantsOutput(Output),
    Input(Result<InputStream, Failure>),
    Output(Result<OutputStream, Failure>),
}

impl Door {
    /// Opens an input at its start.
    pub(super) async fn input(&self, input: usize) -> Result<InputStream, Failure> {
        *self.state() = State::WantsInput(input);
        poll_fn(|_| match self.take() {
            State::Input(opened) => Poll::Ready(opened),
            other => self.wait(other),
        })
        .await
    }

    /// Creates an output.
    pub(super) async fn output(&self, output: Output) -> Result<OutputStream, Failure> {
        *self.state() = State::WantsOutput(output);
        poll_fn(|_| match self.take() {
            State::Output(created) => Poll::Ready(created),
            other => self.wait(other),
        })
        .await
    }

    fn wait<T>(&self, state: State) -> Poll<T> {
        *self.state() = state;
        Poll::Pending
    }

    /// Answers what was asked; says whether anything was.
    fn answer(&self, invocation: &mut Invocation<'_>) -> bool {
        let answer = match self.take() {
            State::WantsInput(input) => State::Input(invocation.input(input)),
            State::WantsOutput(output) => State::Output(invocation.output(output)),
            _ => return false,
        };
        *self.state() = answer;
        true
    }

    fn take(&self) -> State {
        mem::take(&mut *self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `guest` to its end on this thread, answering at the door whenever it suspends.
pub(super) fn drive<T>(
    guest: impl Future<Output = wasmtime::Result<T>>,
    door: &Door,
    invocation: &mut Invocation<'_>,
) -> wasmtime::Result<T> {
    let mut guest = pin!(guest);
    loop {
        if let Poll::Ready(ended) = guest.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return ended;
        }
        if !door.answer(invocation) {
            // Nothing else suspends: whoever comes here would wait for ever.
            return Err(wasmtime::Error::msg("the guest waits for nothing"));
        }
    }
}
