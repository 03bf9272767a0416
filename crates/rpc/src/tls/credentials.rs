//! The certificate and key that a service shows, replaced while connections go on.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, provider};

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

/// Reads a PKCS#8 key and its certificate into what TLS uses.
pub(crate) fn certified_key(certificate: Vec<u8>, pkcs8: &[u8]) -> Result<CertifiedKey, TlsError> {
    let key = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    let key = provider().key_provider.load_private_key(key.into()).map_err(TlsError::new)?;
    Ok(CertifiedKey::new(vec![CertificateDer::from(certificate)], key))
}
