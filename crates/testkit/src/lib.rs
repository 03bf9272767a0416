//! A whole cluster inside a test: every service on a free loopback port, in a folder that goes with the test.

pub mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rpc::config::Config;
use rpc::deployment::{DevDeployment, Simulation, Trust};
use rpc::tls::{Connector, Credentials};
use serde_json::{Value, json};
use teehouse::system::{Mode, System};
use tempfile::TempDir;
use types::secret::Secret;
use types::service::{Api, Callers, Role};
use types::wire::admin;

/// Services that run for one test.
pub struct Cluster {
    dir: TempDir,
    config: Config,
    system: Option<System>,
}

/// How a document travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// An 8-byte length and the document.
    Framed,
    /// HTTP/1.1 `POST /`.
    Http1,
}

impl Cluster {
    /// All four services in one process, with default limits.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// All four services in one process, with a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut config = loopback(dir.path());
        change(&mut config);
        let system = System::start(config.clone(), &Role::ALL, Mode::Dev).await.expect("the system starts");
        Cluster { dir, config, system: Some(system) }
    }

    /// Stops the services as SIGTERM does, and starts them again on the same data directory, on other ports.
    pub async fn restart(&mut self) {
        self.system.take().expect("runs").stop().await;
        let system = System::start(self.config.clone(), &Role::ALL, Mode::Dev).await.expect("it starts again");
        self.system = Some(system);
    }

    /// Stops the services as SIGTERM does.
    pub async fn stop(mut self) {
        self.system.take().expect("runs").stop().await;
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where an API listens.
    pub fn address(&self, api: Api) -> SocketAddr {
        self.system.as_ref().and_then(|system| system.address(api)).expect("every service runs")
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
        let settings = client::Settings {
            tms: self.address(Api::TmsExternal).to_string(),
            tdfs: self.address(Api::TdfsExternal).to_string(),
            trust: self.data_dir().join("trust"),
            simulation: Simulation::Allowed,
            user: user.parse().expect("a name"),
            token: Secret::new(token.into()),
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
        let permitted = match api.callers() {
            Callers::Anyone => None,
            Callers::Services(roles) => roles.first().copied(),
        };
        let key = role.or(permitted).map(|role| self.deployment().issue(role, &[]).expect("a certificate"));
        Connector::new(api, key.map(Credentials::new), Arc::new(trust))
    }

    /// Sends one document to an API, as a role that may call it, and returns the answer.
    pub async fn call(&self, protocol: Protocol, api: Api, document: &Value) -> Value {
        let connector = self.connector(api, None);
        let (target, body) = (self.address(api).to_string(), document.to_string());
        let answer = match protocol {
            Protocol::Framed => rpc::raw::call_framed(&connector, &target, body.as_bytes()).await,
            Protocol::Http1 => {
                rpc::raw::call_http(&connector, &target, body.as_bytes()).await.map(|(_, answer)| answer)
            }
        };
        serde_json::from_slice(&answer.expect("an answer")).expect("JSON")
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
