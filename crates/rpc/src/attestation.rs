//! The second layer of attested TLS: after the handshake, evidence for this very session.
//!
//! The certificate says who is at the other end; the session's evidence says that they are there now, and do not pass
//! on what somebody else is asked. On the service plane nothing else is answered before both sides have appraised
//! each other; on the user plane the client asks, if it wants to know. What evidence is bound to is
//! `attest::session`'s business, the documents are `types::wire::attestation`'s.

mod challenger;
mod session;

use std::io;
use std::sync::Arc;

use attest::attester::{AttestError, Attester};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use types::time::UnixMillis;

pub(crate) use challenger::Challenger;
pub use challenger::Proof;
pub(crate) use session::Session;

/// Has a platform make evidence. Hardware takes its time, on a thread where that holds up nobody.
async fn make_evidence(attester: &Arc<dyn Attester>, report_data: ReportData) -> Result<Evidence, AttestFault> {
    let now = UnixMillis::now();
    if attester.platform() == Platform::Simulated {
        return Ok(attester.attest(&report_data, now)?);
    }
    let attester = attester.clone();
    tokio::task::spawn_blocking(move || attester.attest(&report_data, now))
        .await
        .map_err(|_| AttestFault::Panicked)?
        .map_err(AttestFault::from)
}

/// The platform made no evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttestFault {
    /// It said why.
    #[error("this service's platform makes no evidence")]
    Platform(#[from] AttestError),
    /// It did not even do that.
    #[error("this service's platform crashed while it made evidence")]
    Panicked,
}

impl From<AttestFault> for io::Error {
    fn from(fault: AttestFault) -> Self {
        io::Error::other(fault)
    }
}
