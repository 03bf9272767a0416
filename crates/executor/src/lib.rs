//! Runs one function under limits.
//!
//! A function sees names and streams: its payload, numbered inputs, and outputs named by who receives them. It never
//! sees users, keys, URLs, sockets or file ids; the host (a function node, the `function test` verb, a fuzz target)
//! implements [`Files`] and decides what stands behind the numbers.
//!
//! ```text
//! host ── run(function, payload, &mut dyn Files, &Limits, &StopSignal) ──▶ Outcome | Failure
//!                │
//!                └─▶ Function::run(&mut Invocation)     input(i) ▶ InputStream    every read and write checks the
//!                                                       output(o) ▶ OutputStream  deadline, the stop signal, limits
//!                                                       scratch() ▶ ScratchSpace
//! ```
//!
//! What does not stop a function: a host stream that blocks for ever (the host gives its streams timeouts), and a
//! built-in that computes without calling [`Invocation::checkpoint`].

mod bounded;
mod declared;
mod failure;
mod files;
mod function;
mod interface;
mod invocation;
mod limits;
pub mod memory;
mod meter;
mod panics;
mod parameters;
pub mod python;
mod registry;
mod run;
mod scratch;
mod stop;
mod stream;
pub mod wasm;

pub use bounded::{BoundedStream, Room};
pub use declared::undeclared;
pub use failure::{Failure, Stopped};
pub use files::{Files, Output, OutputKind, Sink};
pub use function::Function;
pub use interface::{Inputs, Interface, Mismatch, PayloadRule, ResultRule};
pub use invocation::{Checkpoints, Invocation};
pub use limits::{Limit, Limits};
pub use panics::contain;
pub use registry::{Registry, RegistryError};
pub use run::{Outcome, Usage, run};
pub use scratch::{Scratch, ScratchSpace};
pub use stop::StopSignal;
pub use stream::{InputStream, OutputStream, ResultText};
