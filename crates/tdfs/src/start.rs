//! Puts the tdfs on a host.

use std::sync::Arc;
use std::time::Duration;

use attest::attester::AttestError;
use blobs::{Blobs, Options};
use consent::signing::Statements;
use crypto::SealingKey;
use identity::{Users, serve_operator};
use rpc::Client;
use rpc::config::{Config, S3};
use rpc::host::{Host, HostError, Standing};
use rpc::protocol::{Kms, TmsInternal};
use types::service::{Api, Role};
use types::time::UnixMillis;

use crate::{External, Internal, OpenError, Settings, Tdfs, operate};

/// Why the tdfs does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("tdfs")]
    Host(#[from] HostError),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The place of ciphertext can't be had.
    #[error("where ciphertext goes")]
    Files(#[from] blobs::OpenError),
    /// The users' store can't be opened.
    #[error(transparent)]
    Users(#[from] identity::OpenError),
    /// The platform makes no evidence for the key that signs statements.
    #[error("the key that signs the tdfs's statements can't be attested")]
    Attest(#[from] AttestError),
}

/// A tdfs that serves, and the users that it hosts.
pub struct Started {
    /// The service.
    pub tdfs: Arc<Tdfs>,
    /// The deployment's users.
    pub users: Arc<Users>,
}

/// The place of ciphertext.
async fn open_files(config: &Config) -> Result<Blobs, StartError> {
    let S3 { endpoint, region, access_key_id, secret_access_key, allow_http } = config.tdfs.s3.clone();
    let options = Options { endpoint, region, access_key_id, secret_access_key, allow_http };
    let address = config.files();
    let opened = tokio::task::spawn_blocking(move || Blobs::open(&address, &options)).await;
    Ok(opened.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?)
}

fn settings(config: &Config) -> Settings {
    let (host, port) = (config.hosts.first().map_or("localhost", String::as_str), config.tdfs.external.port());
    let usual = || format!("https://{}:{port}", if host.contains(':') { format!("[{host}]") } else { host.to_owned() });
    Settings {
        address: config.tdfs.address.clone().unwrap_or_else(usual),
        file_bytes: config.limits.file_bytes,
        chunked_bytes: config.limits.chunked_bytes,
        url_lifetime: Duration::from_secs(config.tdfs.url_seconds),
        upload_lifetime: Duration::from_secs(config.tdfs.upload_hours.saturating_mul(3600)),
        quotas: config.quotas.clone(),
    }
}

/// Opens the tdfs and the users, and serves both APIs and the operator's socket. Without a kms in this process it asks
/// the configured one; and so it does without a tms, which it tells what goes into the log.
///
/// # Errors
/// When a store can't be opened or an address can't be had.
pub async fn start(
    host: &mut Host,
    (kms, tms): (Option<Client<Kms>>, Option<Client<TmsInternal>>),
) -> Result<Started, StartError> {
    let (external, internal) = (host.bind(Api::TdfsExternal).await?, host.bind(Api::TdfsInternal).await?);
    let Standing { credentials, sealing_key, attester } = host.join(Role::Tdfs).await?;
    let statements = Statements::new(host.deployment().clone(), &sealing_key, attester, UnixMillis::now())?;
    let data_dir = host.config().data_dir.clone();
    let users = Arc::new(Users::open(&data_dir, &sealing_key)?);
    let kms = kms.unwrap_or_else(|| host.client(&credentials));
    let tms = tms.unwrap_or_else(|| host.client(&credentials));
    let files = (open_files(host.config()).await?, settings(host.config()));
    let tdfs = Arc::new(Tdfs::open(&data_dir, &sealing_key, (kms, tms), users.clone(), files).await?);
    tdfs.sign_with(Arc::new(statements));
    let sockets = serve_operator(&data_dir, users.clone(), host.shutdown())
        .and_then(|()| operate::serve_operator(&data_dir, tdfs.clone(), host.shutdown()));
    if let Err(error) = sockets {
        // Gramine has no sockets with names in the file system: users are then managed while it is stopped.
        tracing::warn!(%error, "there is no socket for the operator");
    }
    host.serve(external, Arc::new(External(tdfs.clone())), &credentials)?;
    host.serve(internal, Arc::new(Internal(tdfs.clone())), &credentials)?;
    tokio::spawn(tdfs.clone().keep_house(host.shutdown()));
    tokio::spawn(tdfs.clone().keep_statements(host.shutdown()));
    tokio::spawn(tdfs.clone().tell(host.shutdown()));
    let last = (tdfs.clone(), users.clone());
    host.at_end(async move {
        last.0.close().await;
        last.1.close().await;
    });
    Ok(Started { tdfs, users })
}

/// Opens the tdfs of a configuration that is not running, to be checked and closed again.
///
/// # Errors
/// When a store or the place of ciphertext can't be opened.
pub async fn open_stopped(
    config: &Config,
    sealing_key: &SealingKey,
    kms: Client<Kms>,
    users: Arc<Users>,
) -> Result<Tdfs, StartError> {
    let files = (open_files(config).await?, settings(config));
    let (no_tms, _) = Client::later();
    Ok(Tdfs::open(&config.data_dir, sealing_key, (kms, no_tms), users, files).await?)
}
