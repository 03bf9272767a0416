//! The auditors' manifest from outside the crate: what enough auditors signed is believed, and nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod form;
mod house;
mod memory;
mod openssh;
mod refusals;
mod rotation;
