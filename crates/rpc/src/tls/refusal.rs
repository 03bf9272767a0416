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
    let PeerRefused(_, reason) = error.get_ref()?.downcast_ref()?;
    reason.downcast_ref()
}

/// How a connection fails whose peer is not believed, for this reason.
pub fn refused_for_tests(refusal: Refusal) -> io::Error {
    explain(io::Error::new(io::ErrorKind::InvalidData, refused(refusal)))
}

/// What the peer shows is not what the service that is expected there would show.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PeerRefused(&'static str, #[source] Arc<dyn std::error::Error + Send + Sync>);

/// Shows our verifier's reason where rustls would print its structure.
pub(super) fn explain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(reason))) => {
            io::Error::new(error.kind(), PeerRefused("the peer's certificate is refused", reason.0.clone()))
        }
        _ => error,
    }
}

/// How attesting a session fails whose evidence is not believed.
pub(crate) fn refused_session(refusal: Refusal) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        PeerRefused("the peer's evidence for this session is refused", Arc::new(refusal)),
    )
}
