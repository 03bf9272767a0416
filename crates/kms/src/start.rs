//! Puts the kms on a host.

use std::sync::Arc;

use rpc::host::{Host, HostError};
use types::service::{Api as Port, Role};

use crate::registry::{EnrolmentApi, Registry};
use crate::{Api, Kms, OpenError};

/// Why the kms does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("kms")]
    Host(#[from] HostError),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Opens the kms and serves its API.
///
/// # Errors
/// When its store can't be opened or its address can't be had.
pub async fn start(host: &mut Host) -> Result<Arc<Kms>, StartError> {
    let (bound, enrolment) = (host.bind(Port::Kms).await?, host.bind(Port::Enrolment).await?);
    let sealing_key = host.sealing_key(Role::Kms)?;
    let kms = Arc::new(Kms::open(&host.config().data_dir, &sealing_key)?);
    let registry = Arc::new(Registry::new(host.authority()?, &sealing_key));
    host.set_registrar(registry.clone());
    let credentials = host.join(Role::Kms).await?.credentials;
    host.serve(bound, Arc::new(Api(kms.clone())), &credentials)?;
    host.serve(enrolment, Arc::new(EnrolmentApi(registry)), &credentials)?;
    let last = kms.clone();
    host.at_end(async move { last.close().await });
    Ok(kms)
}
