//! What every request carries besides its fields.

use std::fmt;
use std::sync::Arc;

use attest::Verified;
use attest::certificate::PeerIdentity;
use types::id::RequestId;
use types::service::Role;
use types::time::UnixMillis;
use types::trust::TrustLevel;

/// Who is at the other end of a connection.
#[derive(Clone)]
pub enum Peer {
    /// Somebody; each of their requests carries its own credentials.
    Anyone,
    /// A service, attested in the handshake.
    Service(Arc<Verified<PeerIdentity>>),
    /// A service in this very process.
    SameProcess(Role),
}

impl Peer {
    /// Which service it is; `None` for everybody else.
    pub fn role(&self) -> Option<Role> {
        match self {
            Peer::Anyone => None,
            Peer::Service(identity) => Some(identity.role),
            Peer::SameProcess(role) => Some(*role),
        }
    }

    /// How far its platform is to be trusted, with `own` for services of this process.
    pub fn trust(&self, own: TrustLevel) -> TrustLevel {
        match self {
            Peer::Anyone => TrustLevel::Simulated,
            Peer::Service(identity) => identity.claims.platform().level(),
            Peer::SameProcess(_) => own,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Anyone => f.write_str("anyone"),
            Peer::Service(identity) => identity.role.fmt(f),
            Peer::SameProcess(role) => write!(f, "{role} (same process)"),
        }
    }
}

/// One request's circumstances.
#[derive(Clone)]
pub struct Ctx {
    /// Who asks.
    pub peer: Peer,
    /// Finds the request in the log.
    pub request_id: RequestId,
    /// When it was received: the only clock that logic reads.
    pub now: UnixMillis,
}

impl Ctx {
    /// The circumstances of a request that arrives now.
    pub fn receive(peer: Peer) -> Self {
        Ctx { peer, request_id: RequestId::fresh(), now: UnixMillis::now() }
    }
}
