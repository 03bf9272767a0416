//! What a service implements to be served and called.

use std::future::Future;
use std::time::Duration;

use types::error::ErrorCode;

use crate::bodies::Bodies;
use crate::{Ctx, Protocol};

/// A failure that has two sides: `Display` and its sources go to the log, code and message go to the caller.
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// What kind of failure it is.
    fn code(&self) -> ErrorCode;

    /// What the caller reads: what went wrong, in which thing, what to do. [`ErrorCode::Internal`] replaces it.
    fn message(&self) -> String;

    /// With [`ErrorCode::ResourceExhausted`]: when a retry may succeed.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// One API of one service.
pub trait Service: Send + Sync + 'static {
    /// Its requests and answers.
    type Protocol: Protocol;
    /// Its failures.
    type Error: Fault;

    /// What it does with files on their way, if that is its business.
    fn bodies(&self) -> Option<&dyn Bodies> {
        None
    }

    /// Answers one request.
    ///
    /// The future is dropped when the caller is gone, so whatever must end in an orderly way runs in a task of its own.
    fn call(
        &self,
        ctx: Ctx,
        request: <Self::Protocol as Protocol>::Request,
    ) -> impl Future<Output = Result<<Self::Protocol as Protocol>::Response, Self::Error>> + Send;
}
