//! The deployment's registry: names services that attested themselves, and gives each role its key for data at rest.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use attest::authority::{AuthorityError, CertificateAuthority};
use attest::certificate::PeerIdentity;
use attest::extension::decode_extension;
use attest::leaf::LeafPublicKey;
use crypto::SealingKey;
use crypto::kdf::Label;
use rpc::enrolment::{Registrar, issue};
use rpc::{Ctx, Fault, Peer, Service};
use types::bytes::Base64;
use types::error::ErrorCode;
use types::secret::SecretBytes;
use types::service::Role;
use types::time::UnixMillis;
use types::wire::enrolment::{Enrol, Enrolled, Replicated, Request, Response};

use crate::root_key::Seeds;

/// Names and addresses that one certificate may have, beside its identity.
const NAMES: usize = 64;

/// The longest of them, in bytes: what DNS allows (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 253;

/// The CA, and what follows from the root.
pub struct Registry {
    authority: CertificateAuthority,
    /// Replaced as a whole when the root goes on to another generation.
    derived: RwLock<Arc<Derived>>,
    lifetime: Duration,
}

/// What follows from the root's seeds.
struct Derived {
    /// The roles' keys follow from it: of the generation in which the kms's store was made, whichever is the present one.
    roles: SealingKey,
    /// For another kms.
    replica: Replicated,
}

impl Derived {
    fn new(authority: &CertificateAuthority, seeds: &Seeds) -> Self {
        let replica = Replicated {
            seeds: seeds.danger_to_bytes(),
            ca: authority.certificate_pem(),
            ca_key: Base64(seeds.seal_authority_key(authority.danger_key_pem().as_bytes())),
        };
        Derived { roles: seeds.store_key().derive(Label::RoleKeys, &[]), replica }
    }
}

impl Registry {
    /// A registry that signs with `authority`, for so long each time, and derives from the root's seeds.
    pub fn new(authority: CertificateAuthority, seeds: &Seeds, lifetime: Duration) -> Self {
        let derived = RwLock::new(Arc::new(Derived::new(&authority, seeds)));
        Registry { authority, derived, lifetime }
    }

    /// Goes on with these seeds: whoever asks from now on gets what follows from them.
    pub fn continue_with(&self, seeds: &Seeds) {
        let derived = Arc::new(Derived::new(&self.authority, seeds));
        *self.derived.write().unwrap_or_else(PoisonError::into_inner) = derived;
    }

    fn derived(&self) -> Arc<Derived> {
        self.derived.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What another kms gets, once its evidence has shown that it is one.
    fn replicate(&self, peer: &PeerIdentity) -> Replicated {
        tracing::warn!(measurement = %peer.claims.measurement, "gave the root to a replica");
        let derived = self.derived();
        let Replicated { seeds, ca, ca_key } = &derived.replica;
        Replicated { seeds: SecretBytes::new(seeds.expose().to_vec()), ca: ca.clone(), ca_key: ca_key.clone() }
    }
}

impl Registrar for Registry {
    fn ca(&self) -> &[u8] {
        self.authority.certificate_der()
    }

    fn issue(
        &self,
        role: Role,
        public_key: &LeafPublicKey,
        enrol: &Enrol,
        now: UnixMillis,
    ) -> Result<Vec<u8>, AuthorityError> {
        issue(&self.authority, role, public_key, enrol, (now, self.lifetime))
    }

    fn sealing_key(&self, role: Role) -> SealingKey {
        self.derived().roles.derive(Label::RoleKeys, role.as_str().as_bytes())
    }
}

/// The registry on the enrolment port. Who may connect, and that they attested themselves, is settled before it is
/// asked.
pub struct EnrolmentApi(pub Arc<Registry>);

impl Service for EnrolmentApi {
    type Protocol = rpc::protocol::Enrolment;
    type Error = EnrolmentFault;

    async fn call(&self, ctx: Ctx, request: Request) -> Result<Response, EnrolmentFault> {
        let Peer::Service(peer) = &ctx.peer else { return Err(EnrolmentFault::Nobody) };
        match request {
            Request::Enrol(enrol) => self.enrol(peer, &enrol, ctx.now).map(Response::Enrol),
            Request::Replicate(_) if peer.role == Role::Kms => Ok(Response::Replicate(self.0.replicate(peer))),
            Request::Replicate(_) => Err(EnrolmentFault::NoKms(peer.role)),
        }
    }
}

impl EnrolmentApi {
    fn enrol(&self, peer: &PeerIdentity, enrol: &Enrol, now: UnixMillis) -> Result<Enrolled, EnrolmentFault> {
        check_names(&enrol.names)?;
        let bound = decode_extension(&enrol.evidence.0).map_err(AuthorityError::Evidence)?;
        if bound.evidence != peer.evidence {
            return Err(EnrolmentFault::OtherEvidence);
        }
        let public_key = LeafPublicKey::from_spki(&peer.spki).map_err(|_| EnrolmentFault::Key)?;
        let certificate = self.0.issue(peer.role, &public_key, enrol, now)?;
        tracing::info!(role = %peer.role, measurement = %peer.claims.measurement, "named a service");
        Ok(Enrolled {
            certificate: Base64(certificate),
            ca: Base64(self.0.ca().to_vec()),
            sealing_key: SecretBytes::new(self.0.sealing_key(peer.role).danger_expose().to_vec()),
        })
    }
}

fn check_names(names: &[String]) -> Result<(), EnrolmentFault> {
    // Host names and addresses; a wildcard would name other services too.
    let plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    let fits = |name: &String| (1..=NAME_BYTES).contains(&name.len()) && plain(name);
    let all = names.len() <= NAMES && names.iter().all(fits);
    if all { Ok(()) } else { Err(EnrolmentFault::Names) }
}

/// Why a service is not named.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentFault {
    /// The request did not come through an attested connection.
    #[error("only attested connections enrol")]
    Nobody,
    /// Only a kms becomes a replica.
    #[error("a {0} is no replica of the kms")]
    NoKms(Role),
    /// The connection's key is not of the kind that the CA names.
    #[error("the connection's key is no P-256 key")]
    Key,
    /// The evidence for the certificate is not that which the connection's showed, and which was appraised.
    #[error("enrol with the evidence of this connection's certificate")]
    OtherEvidence,
    /// Too many names, or one that no certificate can have.
    #[error("at most {NAMES} host names or addresses of 1 to {NAME_BYTES} bytes")]
    Names,
    /// The evidence is not about the connection's key, or a name can't be in a certificate.
    #[error("the certificate can't be made")]
    Authority(#[from] AuthorityError),
}

impl Fault for EnrolmentFault {
    fn code(&self) -> ErrorCode {
        match self {
            EnrolmentFault::Nobody | EnrolmentFault::NoKms(_) => ErrorCode::PermissionDenied,
            EnrolmentFault::Key
            | EnrolmentFault::Names
            | EnrolmentFault::OtherEvidence
            | EnrolmentFault::Authority(_) => ErrorCode::InvalidRequest,
        }
    }

    fn message(&self) -> String {
        match self {
            EnrolmentFault::Key => "enrol with a P-256 key".to_owned(),
            EnrolmentFault::Names => format!("field `names`: {self}"),
            EnrolmentFault::Authority(error) => format!("{self}: {error}"),
            EnrolmentFault::Nobody | EnrolmentFault::NoKms(_) | EnrolmentFault::OtherEvidence => self.to_string(),
        }
    }
}
