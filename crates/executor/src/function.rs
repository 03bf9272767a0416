//! The one trait that everything runnable implements: built-ins and user code.

use crate::{Failure, Interface, Invocation};

/// Something that turns a payload and inputs into a result and outputs.
pub trait Function: Send + Sync {
    /// What it declares; the same value every time.
    fn interface(&self) -> &Interface;

    /// Computes once and answers with the result string.
    ///
    /// Called through [`run`](crate::run), which has checked the shape of the invocation. Every output that is
    /// created must be [finished](crate::OutputStream::finish).
    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure>;
}
