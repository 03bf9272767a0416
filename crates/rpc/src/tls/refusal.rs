//! Why a peer was not believed, on its way through rustls and `io::Error` and back.

use std::io;
use std::sync::Arc;

use attest::refusal::Refusal;
use rustls::{CertificateError, OtherError};

pub(super) fn refused(refusal: Refusal) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

/// Why the peer was not believed, if that is why a connection failed.
pub fn refusal(error: &io::Error) -> Option<&Refusal> {
    let PeerRefused(reason) = error.get_ref()?.downcast_ref()?;
    reason.downcast_ref()
}

/// How a connection fails whose peer is not believed, for this reason.
pub fn refused_for_tests(refusal: Refusal) -> io::Error {
    explain(io::Error::new(io::ErrorKind::InvalidData, refused(refusal)))
}

/// The peer's certificate is not that of the service that is expected there.
#[derive(Debug, thiserror::Error)]
#[error("the peer's certificate is refused")]
struct PeerRefused(#[source] Arc<dyn std::error::Error + Send + Sync>);

/// Shows our verifier's reason where rustls would print its structure.
pub(super) fn explain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(reason))) => {
            io::Error::new(error.kind(), PeerRefused(reason.0.clone()))
        }
        _ => error,
    }
}
