//! Why code is not run, in words for its author.

use thiserror::Error;

use super::Kind;

/// Why code was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It does not start like WebAssembly.
    #[error("this is not a WebAssembly binary{hint}")]
    NotWasm {
        /// What it may be instead.
        hint: &'static str,
    },
    /// It has more bytes than the engine takes.
    #[error("the code has {bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`EngineOptions::code_bytes`](super::EngineOptions::code_bytes).
        limit: usize,
    },
    /// It ends too early, or breaks a rule of WebAssembly.
    #[error("the code is not valid WebAssembly: {reason} (at byte {offset})")]
    Invalid {
        /// Which rule.
        reason: String,
        /// Where.
        offset: usize,
    },
    /// It needs something that functions don't have.
    #[error("the code imports `{name}`, which functions don't have ({hint})")]
    Import {
        /// What it imports.
        name: String,
        /// What there is instead.
        hint: &'static str,
    },
    /// It has no place to start.
    #[error("the code exports no `{}`: build a program, not a library", .0.entry())]
    NoEntry(Kind),
    /// It exports no memory, which a preview 1 command must.
    #[error("the code exports no memory named `memory`")]
    NoMemory,
    /// It could not be compiled or linked.
    #[error("the code can't be loaded: {0}")]
    Unloadable(String),
    /// It is no script, or none that compiles.
    #[error("the script is refused: {0}")]
    Script(String),
}

/// Why there is no engine.
#[derive(Debug, Error)]
#[error("the WebAssembly engine does not start: {0}")]
pub struct Unusable(pub(super) String);
