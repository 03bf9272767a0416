//! What the attacks need: honest services, a thief's servers and clients, and how refusals show.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attest::refusal::Refusal;
use rpc::deployment::Trust;
use rpc::tls::{Connector, Credentials, Identity};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::SingleCertAndKey;
use serde_json::Value;
use testkit::channel::Channel;
use testkit::house::{House, Papers};
use testkit::platform::TestPlatform;
use testkit::stand::{Port, REQUEST, Stand};
use testkit::{Protocol, attesting, wire};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use types::service::{Api, Role};

/// Longer than anything honest takes, even on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends what should have ended by itself.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// A deployment with one service and one that calls it. The thief has a copy of both their papers.
pub(crate) struct Scene {
    pub(crate) platform: TestPlatform,
    pub(crate) house: House,
    pub(crate) api: Api,
    pub(crate) stand: Stand,
    pub(crate) service: Papers,
    pub(crate) caller: Papers,
}

impl Scene {
    /// On the simulated platform, which costs nothing.
    pub(crate) async fn set<P: Port>() -> Self {
        Self::on::<P>(TestPlatform::simulated()).await
    }

    pub(crate) async fn on<P: Port>(platform: TestPlatform) -> Self {
        Self::with::<P>(platform, |trust| trust).await
    }

    /// With another trust on the service's side.
    pub(crate) async fn with<P: Port>(platform: TestPlatform, change: impl FnOnce(Trust) -> Trust) -> Self {
        let house = platform.house("house");
        let service = house.papers(P::API.role(), &*platform.audited);
        let caller = house.papers(Role::Fns, &*platform.audited);
        let stand = Stand::start::<P>(service.with(&platform.audited), change(house.trust())).await;
        Scene { platform, house, api: P::API, stand, service, caller }
    }

    /// The service as it should be, or in a thief's hands: the sessions of either are attested by the same machine.
    pub(crate) fn service(&self) -> Identity {
        self.service.with(&self.platform.audited)
    }

    /// The same of the one that calls it.
    pub(crate) fn caller(&self) -> Identity {
        self.caller.with(&self.platform.audited)
    }

    /// An honest client of the port.
    pub(crate) fn connector(&self) -> Connector {
        self.connector_as(self.caller())
    }

    /// The same, which attests itself otherwise.
    pub(crate) fn connector_as(&self, caller: Identity) -> Connector {
        let caller = (!self.api.callers().roles().is_empty() || self.api == Api::Enrolment).then_some(caller);
        Connector::new(self.api, caller.map(Credentials::new), Arc::new(self.house.trust()))
    }

    /// Where the service is.
    pub(crate) fn target(&self) -> String {
        self.stand.address().to_string()
    }

    /// A connection of whoever holds the caller's papers, with nothing attested.
    pub(crate) async fn connect(&self, alpn: &[&[u8]]) -> wire::Stream {
        let key = Some(self.caller().certified_key());
        soon(wire::connect_as(self.stand.address(), alpn, key)).await.expect("layer one accepts")
    }

    /// The same in any protocol, with the connection's keys.
    pub(crate) async fn open(&self, protocol: Protocol) -> (Channel, wire::Stream) {
        let caller = self.caller();
        let opened = Channel::open_unattested(protocol, self.stand.address(), Some(&caller));
        soon(opened).await.expect("layer one accepts")
    }

    /// A connection whose session is attested as it should be.
    pub(crate) async fn attested(&self) -> wire::Stream {
        let mut stream = self.connect(&[]).await;
        soon(attesting::attest(&mut stream, &self.caller())).await.expect("layer two accepts");
        stream
    }
}

/// One document over frames, and its answer.
pub(crate) async fn ask(stream: &mut wire::Stream, document: &Value) -> Value {
    soon(wire::send(stream, document.to_string().as_bytes())).await.expect("sent");
    soon(wire::receive(stream)).await.expect("an answer")
}

/// The code of the answer to a request.
pub(crate) async fn request(stream: &mut wire::Stream) -> String {
    soon(wire::send(stream, REQUEST)).await.expect("sent");
    code(&soon(wire::receive(stream)).await.expect("an answer"))
}

/// The code of an error.
pub(crate) fn code(answer: &Value) -> String {
    assert_eq!(answer["type"], "Error", "{answer}");
    answer["code"].as_str().expect("text").to_owned()
}

/// That a service refused evidence, and in these words.
pub(crate) fn check_refused(answer: &Value, words: &str) {
    assert_eq!(code(answer), "unauthenticated", "{answer}");
    assert!(answer["message"].as_str().expect("text").contains(words), "{answer}");
}

/// What evidence of another session is refused as.
pub(crate) const OTHER_SESSION: &str = "binds other report data";

/// Why a client did not speak to whoever is at this address, in either protocol.
pub(crate) async fn refusals(connector: &Connector, target: &str) -> Vec<Refusal> {
    let framed = soon(rpc::raw::call_framed(connector, target, REQUEST)).await.expect_err("a framed request");
    let http = soon(rpc::raw::call_http(connector, target, REQUEST)).await.expect_err("an HTTP request");
    [framed, http].iter().map(reason).collect()
}

/// Why the peer was not believed.
pub(crate) fn reason(error: &io::Error) -> Refusal {
    rpc::tls::refusal(error).unwrap_or_else(|| panic!("{error:?}")).clone()
}

/// A server of whoever holds somebody's papers.
pub(crate) struct FalseServer {
    pub(crate) address: String,
    /// What clients sent.
    pub(crate) heard: Arc<Mutex<Vec<Value>>>,
}

impl FalseServer {
    /// Answers the first document of each connection like this, and takes what follows.
    pub(crate) async fn start<A, F>(papers: &Identity, answer: A) -> Self
    where
        A: Fn(Arc<Mutex<TlsStream<TcpStream>>>, Value) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Value> + Send,
    {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = heard.clone();
        let address = serve(server_config(papers), move |mut stream| {
            let (answer, record) = (answer.clone(), record.clone());
            async move {
                let question = read(&mut stream).await?;
                record.lock().expect("no panic").push(question.clone());
                let shared = Arc::new(Mutex::new(stream));
                let answer = answer(shared.clone(), question).await;
                let mut stream = Arc::into_inner(shared).expect("given back").into_inner().expect("no panic");
                write(&mut stream, &answer).await?;
                let next = read(&mut stream).await?;
                record.lock().expect("no panic").push(next);
                Ok(())
            }
        })
        .await;
        FalseServer { address, heard }
    }

    /// How many documents clients sent.
    pub(crate) fn count(&self) -> usize {
        self.heard.lock().expect("no panic").len()
    }
}

/// What a connection that the thief accepted exports.
pub(crate) fn exported(stream: &Mutex<TlsStream<TcpStream>>, side: &str, role: Role, nonce: &[u8]) -> [u8; 32] {
    attesting::exported(stream.lock().expect("no panic").get_ref().1, side, role.as_str(), nonce)
}

/// TLS with these papers, and no interest in the client's.
pub(crate) fn server_config(papers: &Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from((*papers.certified_key()).clone())))
}

/// Does this with every connection that shakes hands; returns where.
pub(crate) async fn serve<D, F>(mut config: ServerConfig, deed: D) -> String
where
    D: Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = io::Result<()>> + Send,
{
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let socket = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    let address = socket.local_addr().expect("bound").to_string();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((connection, _)) = socket.accept().await {
            let (acceptor, deed) = (acceptor.clone(), deed.clone());
            tokio::spawn(async move {
                connection.set_nodelay(true)?;
                deed(acceptor.accept(connection).await?).await
            });
        }
    });
    address
}

/// Reads one frame.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Value> {
    let mut body = vec![0; usize::try_from(stream.read_u64().await?).expect("a small document")];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Writes one frame.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), document: &Value) -> io::Result<()> {
    let body = document.to_string();
    stream.write_all(&(body.len() as u64).to_be_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}
