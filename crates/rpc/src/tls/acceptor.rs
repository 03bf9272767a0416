//! The server's side of attested TLS.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server};
use types::service::{Api, Callers};

use super::verifier::PeerVerifier;
use super::{ALPN, Credentials, TlsError, provider};
use crate::Peer;
use crate::trust::Trust;

/// What ALPN settled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negotiated {
    /// HTTP/2.
    Http2,
    /// Nothing, or HTTP/1.1: the first byte tells.
    Sniff,
}

impl Negotiated {
    pub(crate) fn from_alpn(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(b"h2") { Negotiated::Http2 } else { Negotiated::Sniff }
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
