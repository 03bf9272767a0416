//! What goes wrong in a host function: codes for the guest, or the end of the run.

use wasmtime::component::ResourceTableError;

use super::bindings::wasi::filesystem::types::ErrorCode;
use crate::Failure;

/// How an operation on a file fails.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum FileFault {
    /// For the guest to see.
    Code(ErrorCode),
    /// The end of the run.
    End(wasmtime::Error),
}

/// How an operation on a stream fails.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum StreamFault {
    /// The stream is over.
    Closed,
    /// For the guest to see.
    Code(ErrorCode),
    /// The end of the run.
    End(wasmtime::Error),
}

/// A guest's `wasi:io/error`: the code of a stream's last failure.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Reported(pub(super) ErrorCode);

impl From<ErrorCode> for FileFault {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<ErrorCode> for StreamFault {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<FileFault> for StreamFault {
    fn from(fault: FileFault) -> Self {
        match fault {
            FileFault::Code(code) => Self::Code(code),
            FileFault::End(error) => Self::End(error),
        }
    }
}

impl From<ResourceTableError> for FileFault {
    /// A full table is the guest's to handle; a handle that is not in it is a guest gone wrong.
    fn from(error: ResourceTableError) -> Self {
        match error {
            ResourceTableError::Full => Self::Code(ErrorCode::Quota),
            error => Self::End(error.into()),
        }
    }
}

impl From<ResourceTableError> for StreamFault {
    fn from(error: ResourceTableError) -> Self {
        FileFault::from(error).into()
    }
}

impl From<Failure> for FileFault {
    fn from(failure: Failure) -> Self {
        Self::End(failure.into())
    }
}

impl From<Failure> for StreamFault {
    fn from(failure: Failure) -> Self {
        Self::End(failure.into())
    }
}

impl From<std::io::Error> for StreamFault {
    fn from(error: std::io::Error) -> Self {
        Failure::from(error).into()
    }
}
