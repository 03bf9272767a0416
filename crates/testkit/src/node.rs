//! A function node apart from the other services, which it reaches over attested TLS as it would from another machine.

use std::net::SocketAddr;
use std::sync::Arc;

use executor::Function;
use rpc::config::Config;
use rpc::host::{Host, Mode};
use types::service::Api;

/// A function node.
pub struct Node {
    host: Host,
}

impl Node {
    /// Starts a node beside the services of a configuration; registered when this returns.
    pub async fn start(config: Config, functions: Vec<Arc<dyn Function>>) -> Self {
        let mut host = Host::new(config, Mode::Dev).expect("a host");
        let fns = fns::start_with(&mut host, fns::Neighbours::default(), functions).await.expect("a node");
        fns.register(true).await.expect("a tms");
        Node { host }
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.host.config().listen(Api::FnsExternal)
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}
