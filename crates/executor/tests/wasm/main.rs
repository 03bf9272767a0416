//! User code in the sandbox: what it sees, every limit, every refusal, and what its host can rely on.

mod engine;
mod files;
mod limits;
mod refusals;
mod support;
