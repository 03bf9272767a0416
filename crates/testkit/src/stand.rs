//! One port of a service that has nothing, under any identity and any trust.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rpc::config::Limits;
use rpc::deployment::Trust;
use rpc::shutdown::Shutdown;
use rpc::tls::{Acceptor, Credentials, Identity};
use rpc::{Ctx, Fault, Protocol, Service, listener};
use tokio::task::JoinHandle;
use types::error::ErrorCode;
use types::service::Api;
use types::wire::kms::{Request, Response};

/// Every port takes the kms's requests, so that planes can be compared.
pub trait Port: Protocol<Request = Request, Response = Response> {}
impl<P: Protocol<Request = Request, Response = Response>> Port for P {}

/// A port of the service plane: the kms's.
pub use rpc::protocol::Kms as ServicePort;

/// A port of the user plane: the tdfs's.
#[derive(Debug)]
pub enum UserPort {}

/// Where newcomers ask for certificates.
#[derive(Debug)]
pub enum NewcomersPort {}

impl Protocol for UserPort {
    const API: Api = Api::TdfsExternal;
    type Request = Request;
    type Response = Response;
}

impl Protocol for NewcomersPort {
    const API: Api = Api::Enrolment;
    type Request = Request;
    type Response = Response;
}

/// A request that every port understands and that brings nothing.
pub const REQUEST: &[u8] = br#"{"type":"Get","key_id":"none"}"#;

/// A port that is served.
pub struct Stand {
    address: SocketAddr,
    heard: Arc<AtomicUsize>,
    shutdown: Shutdown,
    served: JoinHandle<()>,
}

impl Stand {
    /// Serves a port as this service, which believes in this.
    pub async fn start<P: Port>(identity: Identity, trust: Trust) -> Self {
        let bound = listener::bind(P::API, SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = bound.address().expect("bound");
        let acceptor = Acceptor::new(P::API, Credentials::new(identity), Arc::new(trust)).expect("TLS");
        let (heard, shutdown) = (Arc::new(AtomicUsize::new(0)), Shutdown::default());
        let service = Arc::new(Nothing::<P>(heard.clone(), PhantomData));
        let order = shutdown.clone();
        let served = tokio::spawn(async move {
            // Who measures connections opens them as fast as they come.
            let limits = Limits { handshakes_per_second: 0, ..Limits::default() };
            bound.serve(service, acceptor, &limits, b"{}".as_slice().into(), order).await;
        });
        Stand { address, heard, shutdown, served }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests reached the service.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }

    /// Ends it.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.served.await.expect("no panic");
    }
}

/// Has no key.
struct Nothing<P>(Arc<AtomicUsize>, PhantomData<fn() -> P>);

impl<P: Port> Service for Nothing<P> {
    type Protocol = P;
    type Error = NoKey;

    async fn call(&self, _: Ctx, _: Request) -> Result<Response, NoKey> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(NoKey)
    }
}

/// There is no such key.
#[derive(Debug)]
struct NoKey;

impl std::fmt::Display for NoKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no key")
    }
}

impl std::error::Error for NoKey {}

impl Fault for NoKey {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }

    fn message(&self) -> String {
        "there is no key here".to_owned()
    }
}
