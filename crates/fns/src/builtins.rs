//! The functions that a node has of itself.

use std::sync::Arc;

use executor::Function;

/// Every built-in function of the platform.
pub fn builtins() -> impl Iterator<Item = Arc<dyn Function>> {
    functions::builtins().into_iter().chain(learning::builtins())
}
