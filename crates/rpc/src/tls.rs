//! Attested TLS 1.3: who is at the other end is settled in the handshake, by one verifier for servers and clients.
//!
//! The verifier builds the chain to the deployment's CA with webpki and then has `attest` appraise the leaf: identity,
//! evidence, and that both belong to the key that signed this handshake. It needs no network and no lock. There are no
//! session tickets and no early data, so every connection is verified whole.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use attest::Verified;
use attest::appraise::Verifier;
use attest::certificate::PeerIdentity;
use attest::refusal::Refusal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use types::service::{Api, Callers, Role};
use types::time::UnixMillis;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Peer;
use crate::connection::Negotiated;
use crate::deployment::Trust;

/// The protocols that user and service ports offer.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How long connecting and shaking hands may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A TLS set-up that can't be made from what was given.
#[derive(Debug, thiserror::Error)]
#[error("TLS can't be set up")]
pub struct TlsError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TlsError {
    fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        TlsError(Box::new(source))
    }
}

/// A service's current certificate and key, replaced as they are renewed without touching open connections.
#[derive(Clone)]
pub struct Credentials(Arc<RwLock<Arc<CertifiedKey>>>);

impl Credentials {
    /// Starts with one certificate.
    pub fn new(key: CertifiedKey) -> Self {
        Credentials(Arc::new(RwLock::new(Arc::new(key))))
    }

    /// Uses another certificate for every later connection.
    pub fn replace(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([redacted])")
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The one cryptographic library that TLS uses.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}

/// Reads a PKCS#8 key and its certificate into what TLS uses.
pub(crate) fn certified_key(certificate: Vec<u8>, pkcs8: &[u8]) -> Result<CertifiedKey, TlsError> {
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    let key = provider().key_provider.load_private_key(key.into()).map_err(TlsError::new)?;
    Ok(CertifiedKey::new(vec![CertificateDer::from(certificate)], key))
}

/// Checks one connection's peer and remembers whom it found.
struct PeerVerifier {
    trust: Arc<Trust>,
    expected: &'static [Role],
    found: OnceLock<Arc<Verified<PeerIdentity>>>,
}

impl PeerVerifier {
    fn new(trust: Arc<Trust>, expected: &'static [Role]) -> Arc<Self> {
        Arc::new(PeerVerifier { trust, expected, found: OnceLock::new() })
    }

    fn verify(&self, leaf: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), rustls::Error> {
        self.verify_chain(leaf, usage, now)?;
        let now = UnixMillis(now.as_secs().saturating_mul(1000));
        let Trust { deployment, policy, collateral, .. } = &*self.trust;
        match (Verifier { policy, collateral }).appraise_certificate(leaf, self.expected, deployment, now) {
            Ok(identity) => {
                let _ = self.found.set(Arc::new(identity));
                Ok(())
            }
            Err(refusal) => Err(refused(refusal)),
        }
    }

    fn verify_chain(&self, leaf: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), rustls::Error> {
        let algorithms = provider().signature_verification_algorithms.all;
        let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(&self.trust.ca).map_err(bad_certificate)?];
        let leaf = EndEntityCert::try_from(leaf).map_err(bad_certificate)?;
        leaf.verify_for_usage(algorithms, &anchors, &[], now, usage, None, None).map_err(bad_certificate)?;
        Ok(())
    }

    fn identity(&self) -> io::Result<Arc<Verified<PeerIdentity>>> {
        self.found.get().cloned().ok_or_else(|| io::Error::other("the handshake verified no peer"))
    }
}

fn refused(refusal: Refusal) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

/// Why the peer was not believed, if that is why a connection failed.
pub fn refusal(error: &io::Error) -> Option<&Refusal> {
    let PeerRefused(reason) = error.get_ref()?.downcast_ref()?;
    reason.downcast_ref()
}

/// How a connection fails whose peer is not believed, for this reason.
pub fn refused_for_tests(refusal: Refusal) -> io::Error {
    explain(io::Error::new(io::ErrorKind::InvalidData, refused(refusal)))
}

fn bad_certificate(error: webpki::Error) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

impl fmt::Debug for PeerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerVerifier").field("expected", &self.expected).finish_non_exhaustive()
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::Error::General("only TLS 1.3 is spoken here".to_owned()))
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(leaf, KeyUsage::server_auth(), now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(leaf, KeyUsage::client_auth(), now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Shakes hands with whoever connects to one API.
#[derive(Clone)]
pub struct Acceptor {
    credentials: Credentials,
    callers: Callers,
    trust: Arc<Trust>,
    /// For user ports, where nothing differs between connections.
    plain: Arc<ServerConfig>,
}

impl Acceptor {
    /// An acceptor for an API: anyone on the user plane, the caller table's roles on the service plane.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(api: Api, credentials: Credentials, trust: Arc<Trust>) -> Result<Self, TlsError> {
        let plain = server_config(credentials.clone(), None)?;
        Ok(Acceptor { credentials, callers: api.callers(), trust, plain: Arc::new(plain) })
    }

    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
    ) -> io::Result<(Negotiated, server::TlsStream<TcpStream>, Peer)> {
        match self.callers {
            Callers::Anyone => {
                let stream = TlsAcceptor::from(self.plain.clone()).accept(socket).await?;
                Ok((negotiated(&stream), stream, Peer::Anyone))
            }
            Callers::Services(roles) => {
                let verifier = PeerVerifier::new(self.trust.clone(), roles);
                let config = server_config(self.credentials.clone(), Some(verifier.clone()));
                let config = Arc::new(config.map_err(io::Error::other)?);
                let stream = TlsAcceptor::from(config).accept(socket).await?;
                Ok((negotiated(&stream), stream, Peer::Service(verifier.identity()?)))
            }
        }
    }
}

fn negotiated(stream: &server::TlsStream<TcpStream>) -> Negotiated {
    Negotiated::from_alpn(stream.get_ref().1.alpn_protocol())
}

fn server_config(credentials: Credentials, verifier: Option<Arc<PeerVerifier>>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(credentials));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Connects to services of one role and verifies them.
#[derive(Clone)]
pub struct Connector {
    expected: &'static [Role],
    credentials: Option<Credentials>,
    trust: Arc<Trust>,
}

/// A verified connection.
pub(crate) type Connection = client::TlsStream<TcpStream>;

impl Connector {
    /// A connector to an API, with an identity for the service plane.
    pub fn new(api: Api, credentials: Option<Credentials>, trust: Arc<Trust>) -> Self {
        const EACH: [&[Role]; 4] = [&[Role::Kms], &[Role::Tdfs], &[Role::Tms], &[Role::Fns]];
        let expected = EACH.into_iter().find(|roles| roles.contains(&api.role())).unwrap_or(&[]);
        Connector { expected, credentials, trust }
    }

    /// Connects to `host:port` and shakes hands; returns the stream and whom it leads to.
    ///
    /// # Errors
    /// When nobody answers in time, or whoever answers is not the service that is expected there.
    pub(crate) async fn connect(
        &self,
        target: &str,
        alpn: &[&[u8]],
    ) -> io::Result<(Connection, Arc<Verified<PeerIdentity>>)> {
        let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        tokio::time::timeout(CONNECT, self.connect_untimed(target, alpn)).await.map_err(timed_out)?
    }

    /// Connects, has the peer end the connection, and returns whom it led to: both sides have then verified each other.
    ///
    /// # Errors
    /// When nobody answers in time, or either side refuses the other.
    pub async fn probe(&self, target: &str) -> io::Result<Arc<Verified<PeerIdentity>>> {
        let (mut connection, identity) = self.connect(target, &[]).await?;
        connection.shutdown().await?;
        // In TLS 1.3 a server's refusal comes after the client's handshake, in place of the end.
        let mut byte = [0];
        let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, "no end in time");
        tokio::time::timeout(CONNECT, connection.read(&mut byte)).await.map_err(timed_out)??;
        Ok(identity)
    }

    async fn connect_untimed(
        &self,
        target: &str,
        alpn: &[&[u8]],
    ) -> io::Result<(Connection, Arc<Verified<PeerIdentity>>)> {
        let socket = TcpStream::connect(target).await?;
        socket.set_nodelay(true)?;
        let verifier = PeerVerifier::new(self.trust.clone(), self.expected);
        let mut config = self.config(verifier.clone()).map_err(io::Error::other)?;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let connected = TlsConnector::from(Arc::new(config)).connect(server_name(target), socket).await;
        let stream = connected.map_err(explain)?;
        Ok((stream, verifier.identity()?))
    }

    fn config(&self, verifier: Arc<PeerVerifier>) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::new)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.credentials {
            Some(credentials) => builder.with_client_cert_resolver(Arc::new(credentials.clone())),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// The peer's certificate is not that of the service that is expected there.
#[derive(Debug, thiserror::Error)]
#[error("the peer's certificate is refused")]
struct PeerRefused(#[source] Arc<dyn std::error::Error + Send + Sync>);

/// Shows our verifier's reason where rustls would print its structure.
fn explain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(reason))) => {
            io::Error::new(error.kind(), PeerRefused(reason.0.clone()))
        }
        _ => error,
    }
}

/// What SNI says; the verifier goes by identity and not by name.
fn server_name(target: &str) -> ServerName<'static> {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host).trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::try_from("teehouse").expect("a DNS name"))
}
