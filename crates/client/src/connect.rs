//! One user's handle on one deployment.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use attest::identity::Deployment;
use rpc::Client;
use rpc::courier::Courier;
use rpc::deployment::{DeploymentError, Simulation, Trust};
use rpc::protocol::{FnsExternal, TdfsExternal, TmsExternal};
use rpc::tls::{Connector, TlsError};
use types::secret::Secret;
use types::service::Api;
use types::user::UserId;

use crate::file::resume::Memory;
use crate::log;
use crate::task::RUN_LIMIT;

/// Where a deployment is, what makes it trustworthy, and who asks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The task management service: `host:port`.
    pub tms: String,
    /// The trusted file service: `host:port`.
    pub tdfs: String,
    /// The deployment's trust folder.
    pub trust: PathBuf,
    /// Whether services on a simulated platform, which protects nothing from its operator, are acceptable.
    pub simulation: Simulation,
    /// The user.
    pub user: UserId,
    /// The user's token.
    pub token: Secret,
    /// How ciphertext travels.
    pub transfers: Transfers,
}

/// How ciphertext travels; the default remembers nothing, and believes the public web's roots.
#[derive(Clone, Debug, Default)]
pub struct Transfers {
    /// Where unfinished uploads and the log's checkpoints are remembered; nowhere when absent.
    pub state: Option<PathBuf>,
    /// More roots (PEM) for object stores, besides those of the public web.
    pub ca_file: Option<PathBuf>,
    /// Whether ciphertext goes over the network even where the server's disk is shared.
    pub always_send: bool,
}

/// What one user can do with a deployment. Clones share their connections.
#[derive(Clone)]
pub struct Teehouse {
    pub(crate) user: UserId,
    pub(crate) token: Secret,
    pub(crate) tms: Client<TmsExternal>,
    pub(crate) tdfs: Client<TdfsExternal>,
    /// The tdfs, to tell uploads to one server from those to another.
    pub(crate) server: String,
    pub(crate) courier: Arc<Courier>,
    pub(crate) uploads: Option<Memory>,
    pub(crate) always_send: bool,
    /// What is remembered of the log.
    pub(crate) log: log::Memory,
    pub(crate) trust: Arc<Trust>,
    nodes: Nodes,
}

/// No handle can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The trust folder is missing or not as it was made.
    #[error("the trust folder {dir} can't be used")]
    Trust {
        /// The folder.
        dir: PathBuf,
        /// Which of its files, and why.
        source: DeploymentError,
    },
    /// The file of more roots can't be used.
    #[error("the certificates in {path} can't be used")]
    Roots {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TlsError,
    },
}

impl ConnectError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            ConnectError::Trust { .. } => {
                "name the folder that the server's operator gave out; `serve --dev` makes it as DATA_DIR/trust"
            }
            ConnectError::Roots { .. } => "name a file with certificates in PEM",
        }
        .to_owned()
    }
}

impl Teehouse {
    /// Makes a handle. Connections are made, and whoever answers is appraised, when they are first needed.
    ///
    /// # Errors
    /// When the trust folder can't be used.
    pub fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let Settings { tms, tdfs, trust: dir, simulation, user, token, transfers } = settings;
        let Transfers { state, ca_file, always_send } = transfers;
        let trust = Trust::load(&dir, simulation).map_err(|source| ConnectError::Trust { dir, source })?;
        let trust = Arc::new(trust);
        let connector = |api| Connector::new(api, None, trust.clone());
        let courier = Courier::new(connector(Api::TdfsExternal), tdfs.clone(), ca_file.as_deref());
        let courier = courier.map_err(|source| ConnectError::Roots { path: ca_file.unwrap_or_default(), source })?;
        Ok(Teehouse {
            user,
            token,
            tms: Client::remote(connector(Api::TmsExternal), tms),
            tdfs: Client::remote(connector(Api::TdfsExternal), tdfs.clone()),
            server: tdfs,
            courier: Arc::new(courier),
            log: log::Memory::new(state.as_deref()),
            uploads: state.map(|state| Memory(state.join("uploads"))),
            always_send,
            nodes: Nodes { connector: connector(Api::FnsExternal), clients: Arc::default() },
            trust,
        })
    }

    /// The user who acts.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Whose services these are, as the trust folder says.
    pub fn deployment(&self) -> &Deployment {
        &self.trust.deployment
    }

    pub(crate) fn node(&self, address: SocketAddr) -> Client<FnsExternal> {
        self.nodes.get(address)
    }
}

impl std::fmt::Debug for Teehouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teehouse").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Function nodes, by address: tasks say which one runs them.
#[derive(Clone)]
struct Nodes {
    connector: Connector,
    clients: Arc<Mutex<HashMap<SocketAddr, Client<FnsExternal>>>>,
}

impl Nodes {
    fn get(&self, address: SocketAddr) -> Client<FnsExternal> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Client::remote(self.connector.clone(), address.to_string()).with_timeout(RUN_LIMIT);
        clients.entry(address).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_trust_folder_is_named() {
        let settings = Settings {
            tms: String::new(),
            tdfs: String::new(),
            trust: "/nowhere/trust".into(),
            simulation: Simulation::Refused,
            user: "alice".parse().unwrap(),
            token: Secret::new("s3cret".to_owned()),
            transfers: Transfers::default(),
        };
        assert!(!format!("{settings:?}").contains("s3cret"));
        let error = Teehouse::connect(settings).unwrap_err();
        assert_eq!(error.to_string(), "the trust folder /nowhere/trust can't be used");
    }
}
