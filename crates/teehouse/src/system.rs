//! The four services put together in one process: all of them, or the few that a machine is to run.
//!
//! Services that stand in the same process call each other directly; the others are asked through attested TLS at
//! their configured addresses. Either way it is the same code behind the same [`rpc::Client`].

use std::net::SocketAddr;

use anyhow::Context as _;
use attest::platform::Platform;
use rpc::Client;
use rpc::client::Later;
use rpc::config::Config;
use rpc::host::Host;
pub use rpc::host::Mode;
use rpc::protocol::TmsInternal;
use types::service::{Api, Role};

/// Services that run.
pub struct System {
    host: Host,
    services: Vec<Role>,
    /// How the kms and the tdfs reach the tms, which starts after them.
    tms: [Later<TmsInternal>; 2],
}

impl System {
    /// Starts some of the services; when this returns, every port answers.
    ///
    /// # Errors
    /// When the mode allows no platform that this machine has, the data directory can't be used, or an address can't be
    /// had.
    pub async fn start(config: Config, services: &[Role], mode: Mode) -> anyhow::Result<System> {
        let mut host = Host::new(config, mode)?;
        let runs = |role| services.contains(&role);
        let (asked, asked_later) = Client::later();
        let (told, told_later) = Client::later();
        let [asked, told] = [asked, told].map(|tms| Some(tms).filter(|_| runs(Role::Tms)));
        let kms = if runs(Role::Kms) { Some(kms::start(&mut host, asked).await?) } else { None };
        let kms = |role| kms.clone().map(|kms| Client::local(kms::Api(kms).into(), role));
        let files = if runs(Role::Tdfs) { Some(tdfs::start(&mut host, (kms(Role::Tdfs), told)).await?) } else { None };
        let tdfs = |role| files.as_ref().map(|files| Client::local(tdfs::Internal(files.tdfs.clone()).into(), role));
        let tasks = if runs(Role::Tms) {
            let neighbour = files
                .as_ref()
                .and_then(|files| Some(tms::Neighbour { tdfs: tdfs(Role::Tms)?, identity: files.users.clone() }));
            Some(tms::start(&mut host, neighbour).await?)
        } else {
            None
        };
        if let Some(tms) = &tasks {
            let tms = |role| Client::local(tms::Internal(tms.clone()).into(), role);
            asked_later.is(tms(Role::Kms));
            told_later.is(tms(Role::Tdfs));
        }
        if runs(Role::Fns) {
            let tms = tasks.map(|tms| Client::local(tms::Internal(tms).into(), Role::Fns));
            let neighbours = fns::Neighbours { tms, tdfs: tdfs(Role::Fns), kms: kms(Role::Fns) };
            fns::start(&mut host, neighbours).await.context("function node")?;
        }
        Ok(System { host, services: services.to_vec(), tms: [asked_later, told_later] })
    }

    /// Where an API listens; `None` when its service runs elsewhere.
    pub fn address(&self, api: Api) -> Option<SocketAddr> {
        self.services.contains(&api.role()).then(|| self.host.config().listen(api))
    }

    /// The configuration, with the addresses that the listeners really have.
    pub fn config(&self) -> &Config {
        self.host.config()
    }

    /// The order to stop, for whatever runs beside the services.
    pub fn shutdown(&self) -> rpc::shutdown::Shutdown {
        self.host.shutdown()
    }

    /// The platform that the services run on.
    pub fn platform(&self) -> Platform {
        self.host.platform()
    }

    /// Stops accepting, lets requests in flight end, and returns when they have.
    pub async fn stop(self) {
        self.host.stop().await;
        drop(self.tms);
    }
}
