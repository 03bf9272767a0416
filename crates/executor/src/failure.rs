//! Why a run did not finish, by whose word it is and thus who may read it.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::{Limit, Mismatch};

/// Why a run did not finish.
#[derive(Debug, Error)]
pub enum Failure {
    /// The function refused its input or failed, in its own words. Participants read this: it never quotes a file or
    /// the payload; the numbers of inputs and lines, both from 1, are fine.
    #[error("{0}")]
    Function(String),
    /// The invocation does not have the shape that the function declares; the function did not start.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The function went past a limit.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// The function was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The function panicked. The message is fixed, because a panic's own may quote plaintext.
    #[error("the function panicked")]
    Panicked {
        /// Where in the source, for the host's log.
        place: Option<String>,
    },
    /// A stream of the host broke; the source is the host's own error.
    #[error("a file could not be read or written")]
    Stream(#[source] io::Error),
}

impl Failure {
    /// A failure in the function's own words; see [`Failure::Function`] for what they may say.
    pub fn function(message: impl Into<String>) -> Self {
        Self::Function(message.into())
    }

    /// What is wrong with a member of the payload, in words that do not quote it.
    pub fn payload(member: &str, problem: &str) -> Self {
        Self::Function(format!("payload: {member}: {problem}"))
    }
}

/// Who stopped a function.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Stopped {
    /// It ran for longer than [`Limits::wall`](crate::Limits::wall).
    #[error("the time limit of {0:?} passed")]
    Deadline(Duration),
    /// The host raised the [`StopSignal`](crate::StopSignal), for this reason.
    #[error("stopped: {0}")]
    Cancelled(String),
}

/// A failure travels inside `io::Error` through `std::io` and comes out again as itself.
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_survive_the_trip_through_io() {
        let stopped = Failure::Stopped(Stopped::Cancelled("drain".into()));
        let back = Failure::from(io::Error::from(stopped));
        assert!(matches!(back, Failure::Stopped(Stopped::Cancelled(reason)) if reason == "drain"));

        let broken = io::Error::new(io::ErrorKind::InvalidData, "tag mismatch");
        let back = Failure::from(io::Error::from(Failure::from(broken)));
        assert!(matches!(back, Failure::Stream(error) if error.kind() == io::ErrorKind::InvalidData));
    }
}
