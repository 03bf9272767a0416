//! The nouns of Teehouse: identifiers, secrets, the task state machine and every wire document.
//!
//! This crate decides what a valid value looks like. Whatever holds one of its types holds a value that was
//! checked when it was parsed, so no later layer validates again. It does no I/O and reads no clock.

pub mod bytes;
pub mod consent;
pub mod digest;
pub mod error;
pub mod file;
pub mod function;
mod hex;
pub mod id;
pub mod key;
pub mod log;
pub mod receipt;
pub mod secret;
pub mod service;
pub mod task;
pub mod time;
pub mod trust;
pub mod user;
pub mod wire;
