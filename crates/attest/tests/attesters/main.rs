//! What makes evidence from files, against a kernel that a thread plays behind pipes with names.
#![allow(clippy::unwrap_used, reason = "tests")]

mod derived;
mod detect;
mod gramine;
mod kernel;
mod tsm;
