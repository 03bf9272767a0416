//! The built-in functions that learn.
