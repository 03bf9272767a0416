//! Puts a function node on a host.

use std::path::PathBuf;
use std::sync::Arc;

use attest::attester::AttestError;
use consent::signing::Statements;
use executor::{Function, Registry, RegistryError};
use rpc::Client;
use rpc::config::Config;
use rpc::courier::Courier;
use rpc::host::{Host, HostError, Standing};
use rpc::protocol::{Kms, TdfsInternal, TmsInternal};
use rpc::tls::TlsError;
use types::service::{Api as Port, Role};
use types::time::UnixMillis;

use crate::code::Codes;
use crate::{Api, Error, Fns, Services, Settings};

/// Why a function node does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host can't give what it needs.
    #[error("fns")]
    Host(#[from] HostError),
    /// The roots that vouch for object stores can't be had.
    #[error("roots of object stores")]
    Roots(#[source] TlsError),
    /// Two functions have the same name.
    #[error("functions")]
    Registry(#[from] RegistryError),
    /// The platform makes no evidence for the key that signs statements.
    #[error("the key that signs the node's statements can't be attested")]
    Attest(#[from] AttestError),
    /// The tms in this process refuses the node.
    #[error("register the node")]
    Register(#[source] Error),
}

/// The services that run in this process; the others are asked at their configured addresses.
#[derive(Default)]
pub struct Neighbours {
    /// Task management.
    pub tms: Option<Client<TmsInternal>>,
    /// The file service.
    pub tdfs: Option<Client<TdfsInternal>>,
    /// Key management.
    pub kms: Option<Client<Kms>>,
}

/// Starts a node with the built-in functions and serves its API. Services that are not in this process are asked at
/// their configured addresses, and the node registers as soon as the tms can be reached.
///
/// # Errors
/// When its address can't be had, or the tms in this process refuses it.
pub async fn start(host: &mut Host, neighbours: Neighbours) -> Result<Arc<Fns>, StartError> {
    start_with(host, neighbours, crate::builtins()).await
}

/// As [`start`], with these functions and no others.
///
/// # Errors
/// As [`start`], and when two functions have the same name and version.
pub async fn start_with(
    host: &mut Host,
    neighbours: Neighbours,
    functions: impl IntoIterator<Item = Arc<dyn Function>>,
) -> Result<Arc<Fns>, StartError> {
    let bound = host.bind(Port::FnsExternal).await?;
    let Standing { credentials, sealing_key, attester } = host.join(Role::Fns).await?;
    let statements = Statements::new(host.deployment().clone(), &sealing_key, attester, UnixMillis::now())?;
    let together = neighbours.tms.is_some();
    let services = Services {
        tms: neighbours.tms.unwrap_or_else(|| host.client(&credentials)),
        tdfs: neighbours.tdfs.unwrap_or_else(|| host.client(&credentials)),
        kms: neighbours.kms.unwrap_or_else(|| host.client(&credentials)),
        courier: Arc::new(Courier::for_stores(host.config().collateral.ca_file.as_deref()).map_err(StartError::Roots)?),
    };
    let registry = Registry::new(functions)?;
    let settings = Settings { measurements: host.measurements(), ..Settings::from(host.config()) };
    let codes = Codes::open(&settings.data_dir, sealing_key, settings.code_bytes);
    let codes = codes.inspect_err(|error| tracing::warn!(%error, "this node runs no users' code"));
    let fns = Arc::new(Fns::new(registry, codes.ok(), (services, statements), settings));
    if together {
        fns.register(true).await.map_err(StartError::Register)?;
    }
    if let Some(runtime) = python(host.config()) {
        tokio::spawn(fns.clone().start_python(runtime));
    }
    tokio::spawn(fns.clone().keep_registered(!together, host.shutdown()));
    host.serve(bound, Arc::new(Api(fns.clone())), &credentials)?;
    let last = fns.clone();
    host.at_end(async move { last.stop().await });
    Ok(fns)
}

/// Where the interpreter for Python is: as configured, or else in the data directory, if it is there.
fn python(config: &Config) -> Option<PathBuf> {
    let usual = || Some(config.data_dir.join("python.wasm")).filter(|path| path.exists());
    config.fns.python.clone().or_else(usual)
}
