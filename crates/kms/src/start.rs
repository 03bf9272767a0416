//! Puts the kms on a host.

use std::sync::Arc;
use std::time::Duration;

use attest::attester::PlatformSealer;
use attest::authority::{AuthorityError, CertificateAuthority};
use rpc::Client;
use rpc::enrolment::EnrolError;
use rpc::host::{Host, HostError};
use rpc::protocol::TmsInternal;
use types::service::{Api as Port, Role};
use types::time::UnixMillis;

use crate::authority::{self, NoAuthority};
use crate::db::AuthorityRow;
use crate::keeper::Keeper;
use crate::operate::serve_operator;
use crate::registry::{EnrolmentApi, Registry};
use crate::release::Surroundings;
use crate::replica::{RemoteKms, Takeover};
use crate::root_key::{self, BadSeeds, Peer, Root, RootError, at_start};
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
    /// The kms's whose replica it is to be don't give it the root.
    #[error("the kms has no root key and serves nothing: none of its peers gave it one")]
    Peers(#[from] EnrolError),
    /// What a peer gave is no root.
    #[error("the kms has no root key and serves nothing: what a peer gave is none")]
    Seeds(#[from] BadSeeds),
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

/// Unseals the root, opens the kms and serves its APIs and the operator's socket. Without a tms in this process it asks
/// the configured one about tasks.
///
/// # Errors
/// When no slot of the root can be unsealed, its store can't be opened or an address can't be had.
pub async fn start(host: &mut Host, tms: Option<Client<TmsInternal>>) -> Result<Arc<Kms>, StartError> {
    let (bound, enrolment) = (host.bind(Port::Kms).await?, host.bind(Port::Enrolment).await?);
    let (root, offered) = root(host).await?;
    let kms = Arc::new(Kms::open(&host.config().data_dir, &root.store_key())?);
    let lifetime = Duration::from_secs(host.config().attestation.certificate_seconds);
    let registry = Registry::new(authority(host, &kms, &root, offered).await?, root.seeds(), lifetime);
    let registry = Arc::new(registry);
    host.set_registrar(registry.clone());
    let credentials = host.join(Role::Kms).await?.credentials;
    let tms = tms.unwrap_or_else(|| host.client(&credentials));
    kms.attach(Surroundings { tms, platform: host.platform().level(), measurements: host.measurements() });
    host.serve(bound, Arc::new(Api(kms.clone())), &credentials)?;
    host.serve(enrolment, Arc::new(EnrolmentApi(registry.clone())), &credentials)?;
    let keeper = Keeper::new(root, host.sealer()?, peers(host), registry);
    // Where a platform has no such sockets, the slots can't be changed, and all else goes on.
    if let Err(error) = serve_operator(&host.config().data_dir, &keeper, host.shutdown()) {
        tracing::warn!(%error, "the operator's socket can't be had; the root key's slots stay as they are");
    }
    let last = kms.clone();
    host.at_end(async move {
        last.close().await;
        // Until here, nobody else may change the slots.
        keeper.close().await;
    });
    Ok(kms)
}

/// The other kms's, as whom the root's slots ask.
fn peers(host: &Host) -> Vec<Box<dyn Peer>> {
    host.replicas().into_iter().map(|replica| Box::new(RemoteKms(replica)) as Box<dyn Peer>).collect()
}

/// The root: this data directory's, or, where it has none and peers are named, theirs.
async fn root(host: &Host) -> Result<(Root, Option<AuthorityRow>), StartError> {
    let (data_dir, sealer, now) = (&host.config().data_dir, host.sealer()?, UnixMillis::now());
    let fresh = !data_dir.join(root_key::FILE_NAME).exists() && !data_dir.join(Kms::STORE_NAME).exists();
    if fresh && !host.replicas().is_empty() {
        let (root, authority) = take_over(host, &sealer, now).await?;
        return Ok((root, Some(authority)));
    }
    Ok((at_start(data_dir, &sealer, &peers(host), now).await?, None))
}

/// Becomes the replica of the first peer that agrees.
async fn take_over(host: &Host, sealer: &PlatformSealer, now: UnixMillis) -> Result<(Root, AuthorityRow), StartError> {
    let mut last = None;
    for replica in host.replicas() {
        match replica.replicate().await {
            Ok(replicated) => {
                let Takeover { seeds, authority } = Takeover::read(replicated)?;
                let root = Root::replicate(&host.config().data_dir, seeds, sealer, replica.target(), now)?;
                return Ok((root, authority));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(EnrolError::Answer("there is none")).into())
}

/// The CA of the peers of a kms that took their root over and was stopped before it kept their CA as well.
async fn ask_again(host: &Host) -> Option<AuthorityRow> {
    for replica in host.replicas() {
        if let Ok(replicated) = replica.replicate().await {
            return Takeover::read(replicated).ok().map(|takeover| takeover.authority);
        }
    }
    None
}

/// The deployment's CA: a `--dev` deployment has its key on the disk, every other one in the kms's store.
async fn authority(
    host: &Host,
    kms: &Kms,
    root: &Root,
    offered: Option<AuthorityRow>,
) -> Result<CertificateAuthority, StartError> {
    match host.dev_authority()? {
        Some(authority) => Ok(authority),
        None => {
            let offered = match offered {
                None if !authority::is_kept(kms).await? => ask_again(host).await,
                offered => offered,
            };
            let known = (offered, host.has_authority());
            Ok(authority::open_or_create(kms, root, known, host.deployment(), UnixMillis::now()).await?)
        }
    }
}
