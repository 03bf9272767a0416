//! Who a service is in its connections: certificate, key, and the platform that attests it; replaced while connections
//! go on.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use attest::attester::Attester;
use attest::certificate::{public_key, validity};
use attest::identity::Deployment;
use attest::validity::Validity;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use types::service::Role;

use super::{TlsError, provider};

/// What a service shows in the handshake, and how it attests the session after that.
pub struct Identity {
    /// What it does.
    pub role: Role,
    /// Where.
    pub deployment: Deployment,
    pub(crate) attester: Arc<dyn Attester>,
    pub(crate) spki: Vec<u8>,
    pub(crate) validity: Validity,
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// An identity of a certificate (DER), its key (PKCS#8) and the platform that both were made on.
    ///
    /// # Errors
    /// When key or certificate can't be used.
    pub fn new(
        (role, deployment): (Role, Deployment),
        certificate: Vec<u8>,
        pkcs8: &[u8],
        attester: Arc<dyn Attester>,
    ) -> Result<Self, TlsError> {
        let spki = public_key(&certificate).map_err(TlsError::new)?;
        let validity = validity(&certificate).map_err(TlsError::new)?;
        let key = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
        let key = provider().key_provider.load_private_key(key.into()).map_err(TlsError::new)?;
        let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate)], key));
        Ok(Identity { role, deployment, attester, spki, validity, key })
    }

    /// Certificate and key as TLS wants them.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    /// The certificate (DER).
    pub fn certificate(&self) -> &[u8] {
        self.key.end_entity_cert().map_or(&[], |certificate| certificate)
    }

    /// The certificate's public key (SubjectPublicKeyInfo in DER).
    pub fn public_key(&self) -> &[u8] {
        &self.spki
    }

    /// The platform that attests it.
    pub fn attester(&self) -> &Arc<dyn Attester> {
        &self.attester
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} of {})", self.role, self.deployment)
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.clone())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A service's current identity, replaced as it is renewed without touching open connections.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<RwLock<Arc<Identity>>>);

impl Credentials {
    /// Starts with one identity.
    pub fn new(identity: Identity) -> Self {
        Credentials(Arc::new(RwLock::new(Arc::new(identity))))
    }

    /// Uses another identity for every later connection.
    pub fn replace(&self, identity: Identity) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
    }

    /// The identity that a connection gets now.
    pub fn current(&self) -> Arc<Identity> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
