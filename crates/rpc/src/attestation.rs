//! The second layer of attested TLS: after the handshake, evidence for this very session.
//!
//! The certificate says who is at the other end; the session's evidence says that they are there now, and do not pass
//! on what somebody else is asked. On the service plane nothing else is answered before both sides have appraised
//! each other; on the user plane the client asks, if it wants to know. What evidence is bound to is
//! `attest::session`'s business, the documents are `types::wire::attestation`'s.

mod challenger;
pub(crate) mod over_http;
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use attest::attester::Operation;

    use super::*;

    /// A platform that makes evidence when it is told to.
    struct Slow {
        begun: Sender<()>,
        finish: Mutex<Receiver<()>>,
    }

    impl Attester for Slow {
        fn platform(&self) -> Platform {
            Platform::Tdx
        }

        fn attest(&self, _: &ReportData, _: UnixMillis) -> Result<Evidence, AttestError> {
            self.begun.send(()).expect("the test listens");
            self.finish.lock().expect("no panic").recv().expect("the test lets it go on");
            let source = "it was let go on".into();
            Err(AttestError { platform: Platform::Tdx, operation: Operation::Attest, source })
        }
    }

    /// Strangers keep the hardware busy with two questions at most, of all who ask; services are not in their line.
    #[tokio::test(flavor = "multi_thread")]
    async fn strangers_do_not_keep_services_from_their_evidence() {
        let ((begun, seen), (go_on, finish)) = (channel(), channel());
        let attester: Arc<dyn Attester> = Arc::new(Slow { begun, finish: Mutex::new(finish) });
        let ask = |asker| {
            let attester = attester.clone();
            tokio::spawn(async move { make_evidence(&attester, ReportData([0; 64]), asker).await })
        };
        let strangers = [ask(Asker::Stranger), ask(Asker::Stranger)];
        seen.recv().expect("the first is being answered");
        seen.recv().expect("and the second");
        for _ in 0..3 {
            let third = ask(Asker::Stranger).await.expect("no panic");
            assert!(matches!(third, Err(AttestFault::Busy)));
        }
        let service = ask(Asker::Service);
        seen.recv().expect("the service is being answered meanwhile");
        for _ in 0..3 {
            go_on.send(()).expect("they wait");
        }
        for made in strangers.into_iter().chain([service]) {
            assert!(matches!(made.await.expect("no panic"), Err(AttestFault::Platform(_))));
        }
    }
}
