//! User code: WebAssembly in a sandbox that has the files of one run and nothing else.
//!
//! ```text
//! Engine::inspect(code) ─▶ Inspection | Refused           at registration: cheap, compiles nothing
//! Engine::load(code, …) ─▶ Program | Refused              compiled or from the cache, and linked
//! run(&program, …)      ─▶ Outcome | Failure              as for every Function: the same limits, streams, stop signal
//! ```
//!
//! Code is a WASI 0.2 component that exports `wasi:cli/run`, or a WASI preview 1 command. The host's side of both is our
//! own, over the same tree of files, so that what is not written here cannot be reached: no network, no environment, no
//! file of the machine. `wasm::tree` says which paths there are.
//!
//! A run stays on the thread that called [`run`](crate::run), blocking there; `door` says how.

mod bindings;
mod cache;
mod cli;
mod clock;
mod compiled;
mod descriptor;
mod directory;
mod door;
mod ending;
mod engine;
mod fault;
mod flavour;
mod host;
mod inspect;
mod kept;
mod memory;
mod poll;
mod preview1;
mod program;
mod random;
mod reader;
mod refused;
mod sockets;
mod streams;
mod tail;
mod ticker;
mod tree;
mod watch;

use serde::{Deserialize, Serialize};

pub use cache::{CodeCache, CodeKey, NoCache};
pub use clock::ClockRule;
pub use engine::{Engine, EngineOptions};
pub use inspect::{Inspection, Kind};
pub use program::Program;
pub use random::Randomness;
pub use refused::{Refused, Unusable};

/// What a registration asks for; the default is a function of its inputs alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    /// Which random numbers it sees.
    pub randomness: Randomness,
    /// Which time it sees.
    pub clock: ClockRule,
}
