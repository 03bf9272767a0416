//! Python scripts in the sandbox: both forms, what they see, how they fail, every limit.
//!
//! These tests need the runtime that `runtimes/python/build.sh` makes; see `support` for where it is looked for.

mod failures;
mod limits;
mod scripts;
mod support;
