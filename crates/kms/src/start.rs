//! Puts the kms on a host.

use std::sync::Arc;

use attest::authority::{AuthorityError, CertificateAuthority};
use rpc::host::{Host, HostError};
use types::service::{Api as Port, Role};
use types::time::UnixMillis;

use crate::authority::{self, NoAuthority};
use crate::registry::{EnrolmentApi, Registry};
use crate::root::{Root, RootError, at_start};
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
    /// The deployment's CA can't be had.
    #[error("the deployment's CA")]
    Authority(#[from] NoAuthority),
}

impl From<AuthorityError> for StartError {
    fn from(error: AuthorityError) -> Self {
        StartError::Authority(error.into())
    }
}

/// Unseals the root, opens the kms and serves its APIs.
///
/// # Errors
/// When no slot of the root can be unsealed, its store can't be opened or an address can't be had.
pub async fn start(host: &mut Host) -> Result<Arc<Kms>, StartError> {
    let (bound, enrolment) = (host.bind(Port::Kms).await?, host.bind(Port::Enrolment).await?);
    let root = at_start(&host.config().data_dir, &host.sealer()?, &[], UnixMillis::now()).await?;
    let kms = Arc::new(Kms::open(&host.config().data_dir, &root.store_key())?);
    let registry = Arc::new(Registry::new(authority(host, &kms, &root).await?, &root.store_key()));
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

/// The deployment's CA: a `--dev` deployment has its key on the disk, every other one in the kms's store.
async fn authority(host: &Host, kms: &Kms, root: &Root) -> Result<CertificateAuthority, StartError> {
    match host.dev_authority()? {
        Some(authority) => Ok(authority),
        None => Ok(authority::open_or_create(kms, root, host.deployment(), UnixMillis::now()).await?),
    }
}
