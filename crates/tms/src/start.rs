//! Puts the tms on a host.

use std::sync::Arc;

use attest::attester::AttestError;
use consent::signing::Statements;
use rpc::Client;
use rpc::authn::{Identity, RemoteIdentity};
use rpc::host::{Host, HostError, Standing};
use rpc::protocol::TdfsInternal;
use types::service::{Api, Role};
use types::time::UnixMillis;

use crate::{External, Internal, OpenError, Settings, Tms};

/// Why the tms does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("tms")]
    Host(#[from] HostError),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The platform makes no evidence for the key that signs statements.
    #[error("the key that signs the tms's statements can't be attested")]
    Attest(#[from] AttestError),
}

/// A tdfs and its users in this process.
pub struct Neighbour {
    /// The file service.
    pub tdfs: Client<TdfsInternal>,
    /// The users.
    pub identity: Arc<dyn Identity>,
}

/// Opens the tms and serves both APIs. Without a tdfs in this process it asks the configured one.
///
/// # Errors
/// When its store can't be opened or an address can't be had.
pub async fn start(host: &mut Host, neighbour: Option<Neighbour>) -> Result<Arc<Tms>, StartError> {
    let (external, internal) = (host.bind(Api::TmsExternal).await?, host.bind(Api::TmsInternal).await?);
    let Standing { credentials, sealing_key, attester } = host.join(Role::Tms).await?;
    let Neighbour { tdfs, identity } = neighbour.unwrap_or_else(|| {
        let tdfs = host.client(&credentials);
        Neighbour { identity: Arc::new(RemoteIdentity(tdfs.clone())), tdfs }
    });
    let statements = Statements::new(host.deployment().clone(), &sealing_key, attester, UnixMillis::now())?;
    let settings = Settings {
        measurements: host.measurements(),
        trust: host.platform().level(),
        ..Settings::from(&host.config().limits)
    };
    let tms = Arc::new(Tms::open(&host.config().data_dir, &sealing_key, tdfs, identity, statements, settings)?);
    tokio::spawn(tms.clone().settle_unborn());
    tokio::spawn(tms.clone().settle_ended(host.shutdown()));
    tokio::spawn(tms.clone().watch_leases(host.shutdown()));
    tokio::spawn(tms.clone().keep_statements(host.shutdown()));
    host.serve(external, Arc::new(External(tms.clone())), &credentials)?;
    host.serve(internal, Arc::new(Internal(tms.clone())), &credentials)?;
    let last = tms.clone();
    host.at_end(async move { last.close().await });
    Ok(tms)
}
