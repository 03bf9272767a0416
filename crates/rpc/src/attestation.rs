//! The second layer of attested TLS: after the handshake, evidence for this very session.
//!
//! The certificate says who is at the other end; the session's evidence says that they are there now, and do not pass
//! on what somebody else is asked. On the service plane nothing else is answered before both sides have appraised
//! each other; on the user plane the client asks, if it wants to know. What evidence is bound to is
//! `attest::session`'s business, the documents are `types::wire::attestation`'s.

mod challenger;
mod session;

use std::io;
use std::sync::{Arc, LazyLock};

use attest::attester::{AttestError, Attester};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use tokio::sync::Semaphore;
use types::time::UnixMillis;

pub(crate) use challenger::Challenger;
pub use challenger::Proof;
pub(crate) use session::Session;

/// Pieces of evidence that a process has made at once for whoever asks without being anybody: hardware needs up to a
/// second for each, and the threads on which it is waited for are the stores' too.
static FOR_STRANGERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));

/// The same for the deployment's services, who wait for their turn.
static FOR_SERVICES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(8)));

/// For whom evidence is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Stranger,
    Service,
}

/// Has a platform make evidence. Hardware takes its time, on a thread where that holds up nobody.
async fn make_evidence(
    attester: &Arc<dyn Attester>,
    report_data: ReportData,
    asker: Asker,
) -> Result<Evidence, AttestFault> {
    let now = UnixMillis::now();
    if attester.platform() == Platform::Simulated {
        return Ok(attester.attest(&report_data, now)?);
    }
    let turn = match asker {
        Asker::Stranger => FOR_STRANGERS.clone().try_acquire_owned().map_err(|_| AttestFault::Busy)?,
        Asker::Service => FOR_SERVICES.clone().acquire_owned().await.map_err(|_| AttestFault::Busy)?,
    };
    let attester = attester.clone();
    let made = tokio::task::spawn_blocking(move || {
        // Held until it is made, also when nobody waits for it any more.
        let _turn = turn;
        attester.attest(&report_data, now)
    });
    Ok(made.await.map_err(|_| AttestFault::Panicked)??)
}

/// The platform made no evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttestFault {
    /// It said why.
    #[error("this service's platform makes no evidence")]
    Platform(#[from] AttestError),
    /// Too many want some.
    #[error("this service's platform makes evidence for others; try again")]
    Busy,
    /// It did not even do that.
    #[error("this service's platform crashed while it made evidence")]
    Panicked,
}

impl From<AttestFault> for io::Error {
    fn from(fault: AttestFault) -> Self {
        io::Error::other(fault)
    }
}
