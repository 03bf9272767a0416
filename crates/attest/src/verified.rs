//! The proof that something was appraised.

use std::ops::Deref;

/// A value that an appraisal vouches for. Only this crate's appraisals make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Wraps what an appraisal has just accepted.
    pub(crate) fn appraised(value: T) -> Self {
        Verified(value)
    }

    /// The value without its proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
