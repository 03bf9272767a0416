//! The client's side of attested TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use attest::Verified;
use attest::certificate::PeerIdentity;
use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client};
use types::service::{Api, Role};

use super::refusal::explain;
use super::verifier::{Naming, PeerVerifier};
use super::{Credentials, Identity, TlsError, provider};
use crate::attestation::{Challenger, Proof};
use crate::frame;
use crate::stream::Shared;
use crate::trust::Trust;

/// How long connecting, shaking hands and attesting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects to services of one role and verifies them.
#[derive(Clone)]
pub struct Connector {
    expected: &'static [Role],
    naming: Naming,
    credentials: Option<Credentials>,
    trust: Arc<Trust>,
}

/// A verified connection's bytes.
pub(crate) type Connection = Shared<client::TlsStream<TcpStream>>;

/// A connection after its handshake, whose session may still have to be attested.
pub(crate) struct Connected {
    pub(crate) stream: Connection,
    pub(crate) challenger: Challenger,
}

impl Connected {
    /// The certificate that the peer showed.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        shown(&self.stream)
    }

    /// Sends one document in a frame and waits for the answer, of which so many bytes are read.
    ///
    /// # Errors
    /// When the connection breaks, or no answer comes in time.
    pub(crate) async fn exchange(&mut self, document: &[u8], limit: usize) -> io::Result<Bytes> {
        in_time(async {
            frame::write(&mut self.stream, document).await?;
            frame::read(&mut self.stream, &mut BytesMut::new(), limit).await
        })
        .await
    }
}

impl Connector {
    /// A connector to an API, with an identity for the service plane.
    pub fn new(api: Api, credentials: Option<Credentials>, trust: Arc<Trust>) -> Self {
        const EACH: [&[Role]; 4] = [&[Role::Kms], &[Role::Tdfs], &[Role::Tms], &[Role::Fns]];
        let expected = EACH.into_iter().find(|roles| roles.contains(&api.role())).unwrap_or(&[]);
        let naming = if api == Api::Enrolment { Naming::AuthorityOnceKnown } else { Naming::Authority };
        Connector { expected, naming, credentials, trust }
    }

    /// A connector that takes any service of the deployment, to find out which one answers.
    pub fn to_any(trust: Arc<Trust>) -> Self {
        Connector { expected: &Role::ALL, naming: Naming::Authority, credentials: None, trust }
    }

    /// How old a session's evidence may become before it is asked for again.
    pub(crate) fn evidence_age(&self) -> Duration {
        self.trust.evidence_age
    }

    /// Connects to `host:port`, shakes hands and has the session attested over frames; both sides have then verified
    /// each other, as far as the port demands it.
    ///
    /// # Errors
    /// When nobody answers in time, or either side refuses the other.
    pub(crate) async fn connect(&self, target: &str) -> io::Result<(Connected, Proof)> {
        in_time(async {
            let mut connected = self.handshake(target, &[]).await?;
            let proof = connected.challenger.challenge(&mut connected.stream).await?;
            Ok((connected, proof))
        })
        .await
    }

    /// Connects and has the session attested; returns whom it leads to, and what was proven how.
    ///
    /// # Errors
    /// When nobody answers in time, or either side refuses the other.
    pub async fn attest(&self, target: &str) -> io::Result<Proof> {
        let (mut connected, proof) = self.connect(target).await?;
        let _ = connected.stream.shutdown().await;
        Ok(proof)
    }

    /// Connects to `host:port` and shakes hands, no more.
    ///
    /// # Errors
    /// When nobody answers in time, or whoever answers is not the service that is expected there.
    pub(crate) async fn connect_unattested(&self, target: &str, alpn: &[&[u8]]) -> io::Result<Connected> {
        in_time(self.handshake(target, alpn)).await
    }

    /// Connects, has the peer end the connection, and returns whom it led to: both sides have then verified each
    /// other's certificates, and nothing about the session.
    ///
    /// # Errors
    /// When nobody answers in time, or either side refuses the other.
    pub async fn probe(&self, target: &str) -> io::Result<Arc<Verified<PeerIdentity>>> {
        in_time(async {
            let mut connected = self.handshake(target, &[]).await?;
            connected.stream.shutdown().await?;
            // In TLS 1.3 a server's refusal comes after the client's handshake, in place of the end.
            let _: usize = connected.stream.read(&mut [0]).await?;
            Ok(connected.challenger.peer().clone())
        })
        .await
    }

    async fn handshake(&self, target: &str, alpn: &[&[u8]]) -> io::Result<Connected> {
        let socket = TcpStream::connect(target).await?;
        socket.set_nodelay(true)?;
        let verifier = PeerVerifier::new(self.trust.clone(), self.expected, self.naming);
        let own = self.credentials.as_ref().map(Credentials::current);
        let mut config = config(verifier.clone(), own.clone()).map_err(io::Error::other)?;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let stream = TlsConnector::from(Arc::new(config)).connect(server_name(target), socket).await;
        let stream = Shared::new(stream.map_err(explain)?);
        let leaf = shown(&stream).map(|leaf| leaf.to_vec()).unwrap_or_default();
        let peer = (leaf, verifier.identity()?);
        let challenger = Challenger::new(Box::new(stream.clone()), peer, own, self.trust.clone());
        Ok(Connected { stream, challenger })
    }
}

/// The certificate that the peer showed.
fn shown(stream: &Connection) -> Option<CertificateDer<'static>> {
    Some(stream.lock().get_ref().1.peer_certificates()?.first()?.clone().into_owned())
}

async fn in_time<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(CONNECT, future).await.map_err(timed_out)?
}

fn config(verifier: Arc<PeerVerifier>, own: Option<Arc<Identity>>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What SNI says; the verifier goes by identity and not by name.
fn server_name(target: &str) -> ServerName<'static> {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host).trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::try_from("teehouse").expect("a DNS name"))
}
