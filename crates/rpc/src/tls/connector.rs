//! The client's side of attested TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use attest::Verified;
use attest::certificate::PeerIdentity;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client};
use types::service::{Api, Role};

use super::refusal::explain;
use super::verifier::PeerVerifier;
use super::{Credentials, TlsError, provider};
use crate::trust::Trust;

/// How long connecting and shaking hands may take.
const CONNECT: Duration = Duration::from_secs(10);

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

/// What SNI says; the verifier goes by identity and not by name.
fn server_name(target: &str) -> ServerName<'static> {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host).trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::try_from("teehouse").expect("a DNS name"))
}
