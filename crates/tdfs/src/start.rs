//! Puts the tdfs on a host.

use std::sync::Arc;

use identity::{Users, serve_operator};
use rpc::Client;
use rpc::host::{Host, HostError, Standing};
use rpc::protocol::Kms;
use types::service::{Api, Role};

use crate::{External, Internal, OpenError, Settings, Tdfs};

/// Why the tdfs does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("tdfs")]
    Host(#[from] HostError),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The users' store can't be opened.
    #[error(transparent)]
    Users(#[from] identity::OpenError),
    /// The operator's socket can't be had.
    #[error("the operator's socket")]
    Operator(#[source] std::io::Error),
}

/// A tdfs that serves, and the users that it hosts.
pub struct Started {
    /// The service.
    pub tdfs: Arc<Tdfs>,
    /// The deployment's users.
    pub users: Arc<Users>,
}

/// Opens the tdfs and the users, and serves both APIs and the operator's socket. Without a kms in this process it asks
/// the configured one.
///
/// # Errors
/// When a store can't be opened or an address can't be had.
pub async fn start(host: &mut Host, kms: Option<Client<Kms>>) -> Result<Started, StartError> {
    let (external, internal) = (host.bind(Api::TdfsExternal).await?, host.bind(Api::TdfsInternal).await?);
    let Standing { credentials, sealing_key } = host.join(Role::Tdfs).await?;
    let data_dir = host.config().data_dir.clone();
    let users = Arc::new(Users::open(&data_dir, &sealing_key)?);
    let kms = kms.unwrap_or_else(|| host.client(&credentials));
    let settings = Settings { files_dir: host.config().files_dir(), file_bytes: host.config().limits.file_bytes };
    let tdfs = Arc::new(Tdfs::open(&data_dir, &sealing_key, kms, users.clone(), settings)?);
    serve_operator(&data_dir, users.clone(), host.shutdown()).map_err(StartError::Operator)?;
    host.serve(external, Arc::new(External(tdfs.clone())), &credentials)?;
    host.serve(internal, Arc::new(Internal(tdfs.clone())), &credentials)?;
    tokio::spawn(tdfs.clone().keep_house(host.shutdown()));
    let last = (tdfs.clone(), users.clone());
    host.at_end(async move {
        last.0.close().await;
        last.1.close().await;
    });
    Ok(Started { tdfs, users })
}
