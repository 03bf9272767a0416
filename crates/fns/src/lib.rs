//! A function node: leases a task, opens its inputs, runs its function, seals its outputs.
//!
//! Keys and plaintext exist here, in memory, while one task runs, and nowhere else in the system. A `session` is one
//! run from lease to report; whatever goes wrong in between ends the task as `Failed` with a reason.

mod agreed;
pub mod alone;
mod api;
mod builtins;
mod code;
mod error;
mod files;
mod invoke;
mod node;
mod places;
mod plan;
mod session;
mod start;
mod stated;

pub use api::Api;
pub use builtins::builtins;
pub use code::CompiledCode;
pub use error::Error;
pub use node::{Fns, Services, Settings};
pub use start::{Neighbours, StartError, start, start_with};
