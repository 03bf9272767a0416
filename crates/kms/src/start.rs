//! Puts the kms on a host.

use std::sync::Arc;

use attest::attester::PlatformSealer;
use attest::simulated::SimulatedSealer;
use rpc::host::{Host, HostError};
use types::service::{Api as Port, Role};
use types::time::UnixMillis;

use crate::registry::{EnrolmentApi, Registry};
use crate::root::{RootError, at_start};
use crate::{Api, Kms, OpenError};

/// Why the kms does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("kms")]
    Host(#[from] HostError),
    /// The root seed can't be had, so that nothing can be opened.
    #[error("the kms has no root key and serves nothing")]
    Root(#[from] RootError),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Unseals the root, opens the kms and serves its API.
///
/// # Errors
/// When no slot of the root can be unsealed, its store can't be opened or its address can't be had.
pub async fn start(host: &mut Host) -> Result<Arc<Kms>, StartError> {
    let (bound, enrolment) = (host.bind(Port::Kms).await?, host.bind(Port::Enrolment).await?);
    let sealer = SimulatedSealer::default().with_key(Role::Kms, host.sealing_key(Role::Kms)?);
    let sealer = PlatformSealer::Key(Box::new(sealer));
    let root = at_start(&host.config().data_dir, &sealer, &[], UnixMillis::now()).await?;
    let kms = Arc::new(Kms::open(&host.config().data_dir, &root.store_key())?);
    let registry = Arc::new(Registry::new(host.authority()?, &root.store_key()));
    host.set_registrar(registry.clone());
    let credentials = host.join(Role::Kms).await?.credentials;
    host.serve(bound, Arc::new(Api(kms.clone())), &credentials)?;
    host.serve(enrolment, Arc::new(EnrolmentApi(registry)), &credentials)?;
    let last = kms.clone();
    host.at_end(async move {
        last.close().await;
        // Until here, nobody else may change the slots.
        drop(root);
    });
    Ok(kms)
}
