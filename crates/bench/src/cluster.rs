//! A whole system on free loopback ports, with durable stores in a folder of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use client::{Settings, Simulation, Teehouse, Transfers};
use rpc::config::Config;
use rpc::deployment::{DevDeployment, Trust};
use rpc::tls::{Connector, Credentials, Identity};
use teehouse::system::{Mode, System};
use tempfile::TempDir;
use types::secret::Secret;
use types::service::{Api, Role};
use types::wire::admin;

const TOKEN: &str = "a token for measurements";

/// Services that run for one benchmark.
pub(crate) struct Cluster {
    dir: TempDir,
    system: System,
}

/// A folder in which stores are on a disk: beside the build, not in `/tmp`, which is memory on many machines.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("the program is in a folder")?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?)
}

impl Cluster {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_in(folder()?).await
    }

    /// Starts on a folder that may hold stores already.
    pub(crate) async fn start_in(dir: TempDir) -> anyhow::Result<Self> {
        let mut config = loopback(dir.path());
        // What is measured is the machine, and not how much of it newcomers may have.
        config.limits.handshakes_per_second = 0;
        config.fns.python = std::env::var_os("TEEHOUSE_PYTHON").map(Into::into);
        Self::start_as(dir, config).await
    }

    /// Starts with the limits that services have unless they are told otherwise.
    pub(crate) async fn start_limited() -> anyhow::Result<Self> {
        let dir = folder()?;
        let config = loopback(dir.path());
        Self::start_as(dir, config).await
    }

    async fn start_as(dir: TempDir, config: Config) -> anyhow::Result<Self> {
        let system = System::start(config, &Role::ALL, Mode::Dev).await?;
        Ok(Cluster { dir, system })
    }

    pub(crate) fn address(&self, api: Api) -> anyhow::Result<SocketAddr> {
        self.system.address(api).context("every service runs")
    }

    /// What its clients believe in.
    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        Ok(Trust::load(&self.dir.path().join("trust"), Simulation::Allowed)?)
    }

    /// A new user's handle, with connections of its own.
    pub(crate) async fn user(&self, name: &str) -> anyhow::Result<Teehouse> {
        let token = Some(Secret::new(TOKEN.to_owned()));
        let add = admin::AddUser { user_id: name.parse()?, token };
        identity::operate(self.dir.path(), add.into()).await?;
        self.handle(name)
    }

    /// The same, for whom ciphertext travels so.
    pub(crate) async fn user_with(&self, name: &str, always_send: bool) -> anyhow::Result<Teehouse> {
        self.user(name).await?;
        self.handle_with(name, Transfers { always_send, ..Transfers::default() })
    }

    /// A handle for a user who is there already.
    pub(crate) fn again(&self, name: &str) -> anyhow::Result<Teehouse> {
        self.handle(name)
    }

    fn handle(&self, name: &str) -> anyhow::Result<Teehouse> {
        self.handle_with(name, Transfers::default())
    }

    fn handle_with(&self, name: &str, transfers: Transfers) -> anyhow::Result<Teehouse> {
        Ok(Teehouse::connect(Settings {
            tms: self.address(Api::TmsExternal)?.to_string(),
            tdfs: self.address(Api::TdfsExternal)?.to_string(),
            trust: self.dir.path().join("trust"),
            simulation: Simulation::Allowed,
            user: name.parse()?,
            token: Secret::new(TOKEN.to_owned()),
            transfers,
        })?)
    }

    /// A connector to an API, with a service's identity or none.
    pub(crate) fn connector(&self, api: Api, role: Option<Role>) -> anyhow::Result<Connector> {
        let trust = Trust::load(&self.dir.path().join("trust"), Simulation::Allowed)?;
        let key = role.map(|role| self.identity(role)).transpose()?;
        Ok(Connector::new(api, key.map(Credentials::new), Arc::new(trust)))
    }

    /// A service's certificate and key, as whoever has the data directory makes them.
    pub(crate) fn identity(&self, role: Role) -> anyhow::Result<Identity> {
        Ok(DevDeployment::open(self.dir.path())?.issue(role, &[])?)
    }

    pub(crate) async fn stop(self) {
        self.system.stop().await;
    }

    /// Ends the services and leaves what they stored.
    pub(crate) async fn stop_and_keep(self) -> TempDir {
        self.system.stop().await;
        self.dir
    }
}

/// Every port on loopback and free.
pub(crate) fn loopback(data_dir: &Path) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config { data_dir: data_dir.to_owned(), ..Config::default() };
    config.kms.listen = free;
    (config.tdfs.external, config.tdfs.internal) = (free, free);
    (config.tms.external, config.tms.internal) = (free, free);
    config.fns.external = free;
    config
}
