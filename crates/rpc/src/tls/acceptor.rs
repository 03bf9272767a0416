//! The server's side of attested TLS.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server};
use types::service::{Api, Callers, Role};

use super::verifier::{Naming, PeerVerifier};
use super::{ALPN, Credentials, Identity, TlsError, provider};
use crate::Peer;
use crate::attestation::Session;
use crate::stream::Shared;
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
    fn from_alpn(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(b"h2") { Negotiated::Http2 } else { Negotiated::Sniff }
    }
}

/// A connection after its handshake.
pub(crate) struct Accepted {
    pub(crate) negotiated: Negotiated,
    pub(crate) stream: Shared<server::TlsStream<TcpStream>>,
    pub(crate) peer: Peer,
    pub(crate) session: Arc<Session>,
}

/// Shakes hands with whoever connects to one API.
#[derive(Clone)]
pub struct Acceptor {
    credentials: Credentials,
    callers: Callers,
    trust: Arc<Trust>,
    plain: Arc<Mutex<Plain>>,
}

/// For user ports: a configuration that serves every connection for as long as the identity stays.
struct Plain {
    identity: Arc<Identity>,
    config: Arc<ServerConfig>,
}

impl Plain {
    fn new(identity: Arc<Identity>) -> Result<Self, TlsError> {
        let config = Arc::new(server_config(identity.clone(), None)?);
        Ok(Plain { identity, config })
    }
}

impl Acceptor {
    /// An acceptor for an API: anyone on the user plane, the caller table's roles on the service plane.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(api: Api, credentials: Credentials, trust: Arc<Trust>) -> Result<Self, TlsError> {
        let plain = Arc::new(Mutex::new(Plain::new(credentials.current())?));
        Ok(Acceptor { credentials, callers: api.callers(), trust, plain })
    }

    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<Accepted> {
        match self.callers {
            Callers::Anyone => {
                let (identity, config) = self.plain().map_err(io::Error::other)?;
                let stream = TlsAcceptor::from(config).accept(socket).await?;
                Ok(self.accepted(stream, identity, Peer::Anyone))
            }
            Callers::Services(roles) => self.accept_service(socket, roles, Naming::Authority).await,
            Callers::Newcomers => self.accept_service(socket, &Role::ALL, Naming::AuthorityOrItself).await,
        }
    }

    async fn accept_service(&self, socket: TcpStream, roles: &'static [Role], naming: Naming) -> io::Result<Accepted> {
        let (identity, verifier) = (self.credentials.current(), PeerVerifier::new(self.trust.clone(), roles, naming));
        let config = server_config(identity.clone(), Some(verifier.clone())).map_err(io::Error::other)?;
        let stream = TlsAcceptor::from(Arc::new(config)).accept(socket).await?;
        Ok(self.accepted(stream, identity, Peer::Service(verifier.identity()?)))
    }

    fn accepted(&self, stream: server::TlsStream<TcpStream>, identity: Arc<Identity>, peer: Peer) -> Accepted {
        let negotiated = Negotiated::from_alpn(stream.get_ref().1.alpn_protocol());
        let stream = Shared::new(stream);
        let session = Session::new(Box::new(stream.clone()), identity, &peer, self.trust.clone());
        Accepted { negotiated, stream, peer, session: Arc::new(session) }
    }

    /// The user ports' configuration for the identity of now.
    fn plain(&self) -> Result<(Arc<Identity>, Arc<ServerConfig>), TlsError> {
        let current = self.credentials.current();
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&plain.identity, &current) {
            *plain = Plain::new(current)?;
        }
        Ok((plain.identity.clone(), plain.config.clone()))
    }
}

fn server_config(identity: Arc<Identity>, verifier: Option<Arc<PeerVerifier>>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
