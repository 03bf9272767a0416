//! What a process that serves has in common, whichever services it runs: configuration, trust, listeners, the end.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use attest::attester::{Attester, PlatformSealer};
use attest::authority::CertificateAuthority;
use attest::identity::Deployment;
use attest::platform::Platform;
use attest::simulated::SimulatedSealer;
use crypto::SealingKey;
use rustls::pki_types::CertificateDer;
use tokio::task::JoinSet;
use types::digest::Digest;
use types::service::{Api, Role};

use crate::collateral::{self, Keeper};
use crate::config::{Config, ConfigError};
use crate::deployment::{self, DeploymentError, DevDeployment, Simulation, Trust};
use crate::enrolment::{EnrolError, Member, Membership, Registrar, Replica, Source};
use crate::listener::{self, Bound, reachable};
use crate::machine::{Machine, MachineError};
use crate::shutdown::Shutdown;
use crate::tls::{Acceptor, Connector, Credentials, TlsError};
use crate::{Client, Protocol, Service, telemetry};

/// What a process stands on.
enum Ground {
    /// The simulated platform, with every key on this disk.
    Dev(Box<DevDeployment>),
    /// A real one.
    Attested(Machine),
}

impl Ground {
    fn platform(&self) -> Platform {
        match self {
            Ground::Dev(_) => Platform::Simulated,
            Ground::Attested(machine) => machine.platform(),
        }
    }

    fn attester(&self, role: Role) -> Arc<dyn Attester> {
        match self {
            Ground::Dev(deployment) => deployment.attester(role),
            Ground::Attested(machine) => machine.attester(),
        }
    }

    /// Writes down the CA where nobody knew it before, so that it can't be changed for another.
    fn keep_ca(&self, trust: &Path, ca: &CertificateDer<'_>) -> Result<(), DeploymentError> {
        match self {
            Ground::Dev(_) => Ok(()),
            Ground::Attested(_) => deployment::keep_ca(trust, ca),
        }
    }
}

/// Which platforms a process may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `--dev`: the simulated platform, with every key on this disk.
    Dev,
    /// A real one.
    Attested,
}

/// Why a process can't serve.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is no platform to serve on.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The configuration makes no sense.
    #[error("configuration")]
    Config(#[from] ConfigError),
    /// The data directory's trust can't be had.
    #[error("the deployment in the data directory can't be used")]
    Deployment(#[from] DeploymentError),
    /// TLS can't be set up.
    #[error("TLS")]
    Tls(#[from] TlsError),
    /// The service is not named.
    #[error("enrolment")]
    Enrol(#[from] EnrolError),
    /// An address can't be had.
    #[error("address")]
    Bind(#[source] std::io::Error),
}

/// What a service is and has in its deployment.
pub struct Standing {
    /// Its identity, for its listeners and its calls.
    pub credentials: Credentials,
    /// Its key for data at rest.
    pub sealing_key: SealingKey,
    /// What makes evidence about it.
    pub attester: Arc<dyn Attester>,
}

/// A process that serves.
pub struct Host {
    config: Config,
    ground: Ground,
    trust: Arc<Trust>,
    registrar: Option<Arc<dyn Registrar>>,
    /// What keeps collateral, until the first service joins.
    keeper: Option<Keeper>,
    shutdown: Shutdown,
    listeners: JoinSet<()>,
    /// They end with the host, and let go of the platform.
    renewals: JoinSet<()>,
    at_end: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Host {
    /// Prepares a process: opens or makes the data directory's deployment.
    ///
    /// # Errors
    /// When the mode allows no platform that this machine has, or the data directory can't be used.
    pub fn new(mut config: Config, mode: Mode) -> Result<Self, HostError> {
        config.check()?;
        raise_file_limit();
        // Paths are handed to clients, who may stand elsewhere.
        config.data_dir = std::path::absolute(&config.data_dir)
            .map_err(|source| DeploymentError::Io { path: config.data_dir.clone(), source })?;
        let (ground, trust) = match mode {
            Mode::Dev => {
                let deployment = DevDeployment::open_or_create(&config.data_dir)?;
                let trust = deployment.trust()?;
                (Ground::Dev(Box::new(deployment)), trust)
            }
            Mode::Attested => {
                let machine = config.attestation.machine()?;
                (Ground::Attested(machine), Trust::load(&config.trust_dir(), Simulation::Refused)?)
            }
        };
        let trust = Arc::new(trust.with_evidence_age(Duration::from_secs(config.attestation.max_age_seconds)));
        let keeper = Some(collateral::keeper(&config, trust.collateral.clone())?);
        Ok(Host {
            keeper,
            config,
            ground,
            trust,
            registrar: None,
            shutdown: Shutdown::default(),
            listeners: JoinSet::new(),
            renewals: JoinSet::new(),
            at_end: Vec::new(),
        })
    }

    /// The configuration, with the addresses that listeners really have.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The platform that the services run on.
    pub fn platform(&self) -> Platform {
        self.ground.platform()
    }

    /// SHA-256 of the auditors' manifest that says what may run here.
    pub fn measurements(&self) -> Option<Digest> {
        self.trust.measurements
    }

    /// The order to stop, for background tasks to hear.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Whose services these are.
    pub fn deployment(&self) -> &Deployment {
        &self.trust.deployment
    }

    /// Whether the deployment's CA is known: by its certificate, or by what the manifest says of it.
    pub fn has_authority(&self) -> bool {
        self.trust.ca.is_some() || self.trust.ca_sha256.is_some()
    }

    /// The CA of a `--dev` deployment, whose key is on this disk; none on real platforms.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn dev_authority(&self) -> Result<Option<CertificateAuthority>, HostError> {
        match &self.ground {
            Ground::Dev(_) => Ok(Some(DevDeployment::open(&self.config.data_dir)?.into_authority())),
            Ground::Attested(_) => Ok(None),
        }
    }

    /// How the platform keeps the root's secret, for the kms.
    ///
    /// # Errors
    /// When a `--dev` deployment's key can't be read.
    pub fn sealer(&self) -> Result<PlatformSealer, HostError> {
        match &self.ground {
            Ground::Dev(deployment) => {
                let sealer = SimulatedSealer::default().with_key(Role::Kms, deployment.sealing_key(Role::Kms)?);
                Ok(PlatformSealer::Key(Box::new(sealer)))
            }
            Ground::Attested(machine) => Ok(machine.sealer()),
        }
    }

    /// The other kms's of the deployment, as configured.
    pub fn replicas(&self) -> Vec<Replica> {
        let member = Member {
            role: Role::Kms,
            attester: self.ground.attester(Role::Kms),
            names: Vec::new(),
            trust: self.trust.clone(),
        };
        let replica = |target: &String| Replica { member: member.clone(), target: target.clone() };
        self.config.kms.peers.iter().map(replica).collect()
    }

    /// Takes the kms of this process as the one that names the services of this process.
    pub fn set_registrar(&mut self, registrar: Arc<dyn Registrar>) {
        self.registrar = Some(registrar);
    }

    /// Makes a service one of the deployment's: with an identity that is renewed for as long as this process lives, and
    /// its key for data at rest. Without a kms in this process it waits for the configured one.
    ///
    /// # Errors
    /// When the platform makes no evidence, or the kms gives no certificate.
    pub async fn join(&mut self, role: Role) -> Result<Standing, HostError> {
        if let Some(keeper) = self.keeper.take() {
            self.renewals.spawn(keeper.run(self.shutdown()));
        }
        let source = match &self.registrar {
            Some(registrar) => Source::Here(registrar.clone()),
            None => Source::At(self.config.enrolment()),
        };
        let (attester, names, trust) = (self.ground.attester(role), self.names(role), self.trust.clone());
        let mut member = Member { role, attester: attester.clone(), names, trust };
        let Membership { identity, ca, sealing_key } = member.enrol(&source).await?;
        if !self.trust.accepts_ca(&ca) {
            return Err(EnrolError::OtherAuthority.into());
        }
        self.ground.keep_ca(&self.config.trust_dir(), &ca)?;
        self.trust = Arc::new(self.trust.with_ca(ca));
        member.trust = self.trust.clone();
        let credentials = Credentials::new(identity);
        self.renewals.spawn(member.renew(source, credentials.clone()));
        let sealing_key = match &self.ground {
            Ground::Dev(deployment) => deployment.sealing_key(role)?,
            Ground::Attested(_) => sealing_key,
        };
        Ok(Standing { credentials, sealing_key, attester })
    }

    /// The names for which a service's certificate is good.
    fn names(&self, role: Role) -> Vec<String> {
        let mut names = self.config.hosts.clone();
        for api in Api::ALL.into_iter().filter(|api| api.role() == role) {
            names.push(self.config.listen(api).ip().to_string());
        }
        names.extend(self.config.fns.advertise.filter(|_| role == Role::Fns).map(|at| at.ip().to_string()));
        // An address to listen everywhere names nobody.
        names.retain(|name| !name.parse().is_ok_and(|address: IpAddr| address.is_unspecified()));
        names.sort();
        names.dedup();
        names
    }

    /// Binds an API's configured address; the configuration then names the real one.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn bind(&mut self, api: Api) -> Result<Bound, HostError> {
        let bound = listener::bind(api, self.config.listen(api)).await.map_err(HostError::Bind)?;
        let address = bound.address().map_err(HostError::Bind)?;
        *self.config.listen_mut(api) = address;
        if api == Api::Enrolment {
            let file = self.config.enrolment_file();
            let reached = reachable(address).to_string();
            std::fs::write(&file, reached).map_err(|source| DeploymentError::Io { path: file, source })?;
        }
        Ok(bound)
    }

    /// Serves an API in the background until the end.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn serve<S: Service>(
        &mut self,
        bound: Bound,
        service: Arc<S>,
        credentials: &Credentials,
    ) -> Result<(), HostError> {
        let acceptor = Acceptor::new(S::Protocol::API, credentials.clone(), self.trust.clone())?;
        telemetry::record_platform(self.platform());
        let health = telemetry::health(self.platform());
        let (limits, shutdown) = (self.config.limits.clone(), self.shutdown.clone());
        self.listeners.spawn(async move { bound.serve(service, acceptor, &limits, health, shutdown).await });
        Ok(())
    }

    /// A client of a service in another process, acting with these credentials.
    pub fn client<P: Protocol>(&self, credentials: &Credentials) -> Client<P> {
        let connector = Connector::new(P::API, Some(credentials.clone()), self.trust.clone());
        Client::remote(connector, self.config.connect(P::API))
    }

    /// Has something done at the end, after the listeners have drained and before what was put here earlier.
    pub fn at_end(&mut self, last: impl Future<Output = ()> + Send + 'static) {
        self.at_end.push(Box::pin(last));
    }

    /// Gives the order to stop and returns when every listener has drained and everything for the end is done.
    pub async fn stop(mut self) {
        /// Beyond the drain time a listener only has to notice.
        const GRACE: Duration = Duration::from_secs(1);
        self.shutdown.begin();
        let drained = async { while self.listeners.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.config.limits.drain() + GRACE, drained).await;
        self.renewals.shutdown().await;
        for last in self.at_end.into_iter().rev() {
            last.await;
        }
    }
}

/// Lets the process hold as many connections as the system allows; the default is often 1024.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
