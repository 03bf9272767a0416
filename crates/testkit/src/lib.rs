//! A whole cluster inside a test: every service on a free loopback port, in a folder that goes with the test.

pub mod attesting;
pub mod channel;
pub mod functions;
pub mod house;
pub mod node;
pub mod party;
pub mod platform;
pub mod process;
pub mod stand;
pub mod template;
pub mod wire;

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use channel::Channel;
use executor::Function;
use node::Node;
use party::Party;
use rpc::config::Config;
use rpc::deployment::{DevDeployment, Simulation, Trust};
use rpc::tls::{Connector, Credentials, Identity};
use serde_json::{Value, json};
use teehouse::system::{Mode, System};
use tempfile::TempDir;
use types::secret::Secret;
use types::service::{Api, Role};
use types::wire::admin;

/// Services that run for one test, in its own process.
pub struct Cluster {
    /// Goes last: the services' folder.
    running: Option<Running>,
    wanted: Config,
    functions: Option<Vec<Arc<dyn Function>>>,
    site: Site,
    _dir: TempDir,
}

/// What runs.
struct Running {
    system: System,
    /// A function node apart, when the test brought functions of its own.
    node: Option<Node>,
}

/// Where services stand, whichever process runs them, and what anyone can do there from outside.
#[derive(Clone)]
pub struct Site {
    config: Config,
}

/// How a document travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// An 8-byte length and the document.
    Framed,
    /// HTTP/1.1 `POST /`.
    Http1,
    /// HTTP/2 `POST /`.
    Http2,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Protocol; 3] = [Protocol::Framed, Protocol::Http1, Protocol::Http2];
}

impl Cluster {
    /// All four services in one process, with default limits.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// All four services in one process, with a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(change, None).await
    }

    /// Three services in one process and, beside them, a function node with the functions that misbehave.
    pub async fn start_with_node(change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(change, Some(functions::all())).await
    }

    async fn launch(change: impl FnOnce(&mut Config), functions: Option<Vec<Arc<dyn Function>>>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut wanted = loopback(dir.path());
        change(&mut wanted);
        let mut cluster = Cluster { running: None, site: Site::new(wanted.clone()), wanted, functions, _dir: dir };
        cluster.run().await;
        cluster
    }

    async fn run(&mut self) {
        let roles: &[Role] = if self.functions.is_some() { &Role::ALL[..3] } else { &Role::ALL };
        let system = System::start(self.wanted.clone(), roles, Mode::Dev).await.expect("the system starts");
        let mut config = system.config().clone();
        let node = match &self.functions {
            Some(functions) => Some(Node::start(config.clone(), functions.clone()).await),
            None => None,
        };
        config.fns.external = node.as_ref().map_or(config.fns.external, Node::address);
        self.site = Site::new(config);
        self.running = Some(Running { system, node });
    }

    /// Stops the services as SIGTERM does, and starts them again on the same data directory, on other ports.
    pub async fn restart(&mut self) {
        self.halt().await;
        self.run().await;
    }

    /// Starts the services after a halt, on other ports.
    pub async fn start_again(&mut self) {
        self.run().await;
    }

    /// Stops the services as SIGTERM does.
    pub async fn stop(mut self) {
        self.halt().await;
    }

    /// Stops the services, and leaves their data directory for a while.
    pub async fn halt(&mut self) {
        let Running { system, node } = self.running.take().expect("runs");
        if let Some(node) = node {
            node.stop().await;
        }
        system.stop().await;
    }
}

impl Deref for Cluster {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Site {
    /// The services of a configuration that names their real addresses.
    pub fn new(config: Config) -> Self {
        Site { config }
    }

    /// The configuration, with the addresses that the services really have.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// Where an API listens.
    pub fn address(&self, api: Api) -> SocketAddr {
        self.config.listen(api)
    }

    /// Somebody who says that this is their name and token.
    pub fn party<'a>(&'a self, name: &'a str, token: &'a str) -> Party<'a> {
        Party::new(self, name, token)
    }

    /// The users of the reference's examples.
    pub fn examples(&self) -> [Party<'_>; 4] {
        [("user1", "token1"), ("user2", "token2"), ("user3", "token3"), ("user4", "token4")]
            .map(|(name, token)| self.party(name, token))
    }

    /// Adds a user with this token.
    pub async fn add_user(&self, name: &str, token: &str) {
        let add = admin::AddUser { user_id: name.parse().expect("a name"), token: Some(Secret::new(token.into())) };
        identity::operate(self.data_dir(), add.into()).await.expect("the user is added");
    }

    /// Adds the users of the reference's examples: `user1` to `user4` with `token1` to `token4`.
    pub async fn add_example_users(&self) {
        for number in 1..=4 {
            self.add_user(&format!("user{number}"), &format!("token{number}")).await;
        }
    }

    /// A client of one user.
    pub fn client(&self, user: &str, token: &str) -> client::Teehouse {
        self.client_with(user, token, client::Transfers::default())
    }

    /// A client of one user, whose ciphertext travels so.
    pub fn client_with(&self, user: &str, token: &str, transfers: client::Transfers) -> client::Teehouse {
        let settings = client::Settings {
            tms: self.address(Api::TmsExternal).to_string(),
            tdfs: self.address(Api::TdfsExternal).to_string(),
            trust: self.data_dir().join("trust"),
            simulation: Simulation::Allowed,
            user: user.parse().expect("a name"),
            token: Secret::new(token.into()),
            transfers,
        };
        client::Teehouse::connect(settings).expect("a client")
    }

    /// The deployment's keys, as only a `--dev` data directory has them.
    pub fn deployment(&self) -> DevDeployment {
        DevDeployment::open(self.data_dir()).expect("the deployment")
    }

    /// A connector to an API: with the identity of a role, or of a role that may call it, or with none.
    pub fn connector(&self, api: Api, role: Option<Role>) -> Connector {
        let trust = Trust::load(&self.data_dir().join("trust"), Simulation::Allowed).expect("trust");
        let permitted = api.callers().roles().first().copied();
        let identity = role.or(permitted).map(|role| self.identity(role));
        Connector::new(api, identity.map(Credentials::new), Arc::new(trust))
    }

    /// A fresh identity of a service.
    pub fn identity(&self, role: Role) -> Identity {
        self.deployment().issue(role, &[]).expect("a certificate")
    }

    /// A connection to an API, as a role that may call it.
    pub async fn open(&self, protocol: Protocol, api: Api) -> Channel {
        self.try_open(protocol, api).await.expect("a connection")
    }

    /// The same, where the server may be gone.
    ///
    /// # Errors
    /// When it is.
    pub async fn try_open(&self, protocol: Protocol, api: Api) -> std::io::Result<Channel> {
        let identity = api.callers().roles().first().map(|role| self.identity(*role));
        Channel::open(protocol, self.address(api), identity.as_ref()).await
    }

    /// Another machine of the deployment, which asks this kms for the root: the same trust, and a platform of its own.
    pub fn beside(&self, dir: &Path) -> Config {
        for folder in ["trust", "trust/auditors", "dev"] {
            fs::create_dir_all(dir.join(folder)).expect("a folder");
            let entries = fs::read_dir(self.data_dir().join(folder)).expect("a folder");
            for entry in entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
                fs::copy(&entry, dir.join(folder).join(entry.file_name().expect("a name"))).expect("copied");
            }
        }
        let mut config = loopback(dir);
        config.kms.peers = vec![self.address(Api::Enrolment).to_string()];
        config
    }

    /// Sends one document to an API, as a role that may call it, and returns the answer.
    pub async fn call(&self, protocol: Protocol, api: Api, document: &Value) -> Value {
        self.open(protocol, api).await.send(&document.to_string()).await.expect("an answer").json()
    }

    /// Sends one document in a frame as a service of this role.
    pub async fn framed_as(&self, role: Role, api: Api, document: Value) -> Value {
        let mut channel = Channel::open(Protocol::Framed, self.address(api), Some(&self.identity(role))).await;
        let channel = channel.as_mut().expect("a connection");
        channel.send(&document.to_string()).await.expect("an answer").json()
    }

    /// Sends one document in a frame.
    pub async fn framed(&self, api: Api, document: Value) -> Value {
        self.call(Protocol::Framed, api, &document).await
    }

    /// Puts a file as clients of the reference do: declare, encrypt, write where the answer says. Returns its id.
    pub async fn put(&self, user: &str, token: &str, content: &[u8]) -> String {
        let create = json!({
            "type": "Create",
            "file_name": "file",
            "sha256": crypto::hash::hex(&crypto::hash::Sha256::digest(content)),
            "file_size": content.len(),
            "user_id": user,
            "user_token": token,
        });
        let created = self.framed(Api::TdfsExternal, create).await;
        let key = wire::file_key(&created["key_config"]);
        let sealed = crypto::file::seal(content.to_vec(), key).expect("a small file");
        std::fs::write(created["access_path"].as_str().expect("a path"), sealed).expect("written");
        created["file_id"].as_str().expect("an id").to_owned()
    }

    /// Gets a file as clients of the reference do: ask, read, decrypt.
    pub async fn get(&self, user: &str, token: &str, id: &str) -> Vec<u8> {
        let get = json!({ "type": "Get", "file_id": id, "user_id": user, "user_token": token });
        let found = self.framed(Api::TdfsExternal, get).await;
        let info = &found["file_info"];
        let sealed = std::fs::read(info["access_path"].as_str().expect("a path")).expect("stored");
        let sha256: types::digest::Digest = info["sha256"].as_str().expect("text").parse().expect("a digest");
        let size = info["file_size"].as_u64().expect("a number");
        let key = wire::file_key(&info["key_config"]);
        crypto::file::Reader::new(&key, size, *sha256.as_bytes()).open(sealed).expect("what was declared").to_vec()
    }
}

/// A configuration with every port on loopback and free.
pub fn loopback(data_dir: &Path) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config { data_dir: data_dir.to_owned(), ..Config::default() };
    config.kms.listen = free;
    (config.tdfs.external, config.tdfs.internal) = (free, free);
    (config.tms.external, config.tms.internal) = (free, free);
    config.fns.external = free;
    config
}
