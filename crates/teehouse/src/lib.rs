//! The binary a person meets: everything served from one process, a demonstration, and the client's verbs.
//!
//! One file per noun of the command line. [`system`] is the only place where services are put together; [`demo`] plays
//! the two-party journey on it.

mod attestation;
mod call;
pub mod cli;
mod completions;
pub mod demo;
mod exit;
mod file;
mod fsck;
mod function;
mod key;
mod kms;
mod log;
mod manifest;
mod openapi;
mod output;
mod receipt;
mod recovery;
mod serve;
mod settings;
mod signals;
pub mod system;
mod task;
mod user;
mod utc;

pub use file::fuzz;

/// The version and the commit that it was built from.
pub const VERSION: &str = env!("TEEHOUSE_VERSION");
