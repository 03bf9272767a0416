//! Plain rustls on both ends, to compare attested handshakes with: the same provider, key exchange, kind of keys, and
//! no tickets; chains are verified by webpki and nothing else is.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Bytes that a server takes at once.
const PIECE: usize = 64 << 10;

/// Who shows a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    Mutual,
    ServerOnly,
}

/// A plain TLS server and what its clients need.
#[derive(Clone)]
pub(crate) struct Plain {
    address: SocketAddr,
    connector: TlsConnector,
    server: Arc<Server>,
}

/// Ends with its last user.
struct Server(AbortHandle);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Plain {
    pub(crate) async fn start(verification: Verification) -> anyhow::Result<Self> {
        let authority = Authority::generate()?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(verification)?));
        let server = Arc::new(Server(tokio::spawn(serve(listener, acceptor)).abort_handle()));
        Ok(Plain { address, connector: TlsConnector::from(Arc::new(authority.client(verification)?)), server })
    }

    /// A server that takes whatever is sent to it, and ends when its client has.
    pub(crate) async fn start_sink() -> anyhow::Result<Self> {
        Self::start(Verification::ServerOnly).await
    }

    /// A connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        Ok(self.connector.connect(ServerName::try_from("localhost")?, socket).await?)
    }

    /// Shakes hands and has the server end the connection.
    pub(crate) async fn handshake(self) -> anyhow::Result<()> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let mut stream = self.connector.connect(ServerName::try_from("localhost")?, socket).await?;
        stream.shutdown().await?;
        anyhow::ensure!(stream.read(&mut [0]).await? == 0, "the server sends nothing but its end");
        drop(self.server);
        Ok(())
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((socket, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            socket.set_nodelay(true)?;
            let mut stream = acceptor.accept(socket).await?;
            let mut piece = vec![0; PIECE];
            while stream.read(&mut piece).await? > 0 {}
            stream.shutdown().await
        });
    }
}

/// A P-256 CA that makes P-256 leaves, as a deployment's does.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Authority {
    fn generate() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(Authority { issuer: Issuer::new(params, key), roots: Arc::new(roots), provider })
    }

    fn leaf(&self) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>)> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &self.issuer)?;
        Ok((vec![certificate.der().clone()], key.serialize_der().into()))
    }

    fn server(&self, verification: Verification) -> anyhow::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let builder = match verification {
            Verification::Mutual => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(self.roots.clone(), self.provider.clone()).build()?;
                builder.with_client_cert_verifier(verifier)
            }
            Verification::ServerOnly => builder.with_no_client_auth(),
        };
        let (chain, key) = self.leaf()?;
        let mut config = builder.with_single_cert(chain, key.into())?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn client(&self, verification: Verification) -> anyhow::Result<ClientConfig> {
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> =
            ClientConfig::builder_with_provider(self.provider.clone())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(self.roots.clone());
        let mut config = match verification {
            Verification::Mutual => {
                let (chain, key) = self.leaf()?;
                builder.with_client_auth_cert(chain, key.into())?
            }
            Verification::ServerOnly => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}
