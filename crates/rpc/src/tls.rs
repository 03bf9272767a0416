//! Attested TLS 1.3: who is at the other end is settled in the handshake, by one verifier for servers and clients.
//!
//! The verifier builds the chain to the deployment's CA with webpki and then has `attest` appraise the leaf: identity,
//! evidence, and that both belong to the key that signed this handshake. It needs no network and no lock. There are no
//! session tickets and no early data, so every connection is verified whole.

mod acceptor;
mod connector;
mod credentials;
mod refusal;
mod verifier;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};

pub use acceptor::Acceptor;
pub(crate) use acceptor::{Accepted, Negotiated};
pub use connector::Connector;
pub(crate) use connector::{Connected, Connection};
pub use credentials::{Credentials, Identity};
pub(crate) use refusal::refused_session;
pub use refusal::{refusal, refused_for_tests};
pub(crate) use verifier::{check_issuer, check_issuer_at};

/// The protocols that user and service ports offer.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A TLS set-up that can't be made from what was given.
#[derive(Debug, thiserror::Error)]
#[error("TLS can't be set up")]
pub struct TlsError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TlsError {
    pub(crate) fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        TlsError(Box::new(source))
    }
}

/// The public web's roots, and the certificates in a file (PEM).
///
/// # Errors
/// When the file can't be read, or has no certificate.
pub(crate) fn web_roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        for certificate in CertificateDer::pem_file_iter(path).map_err(TlsError::new)? {
            roots.add(certificate.map_err(TlsError::new)?).map_err(TlsError::new)?;
        }
    }
    Ok(roots)
}

/// TLS towards web servers, which attest nothing: see [`crate::collateral`] and [`crate::courier`].
pub(crate) fn web_config(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
    let mut config = builder.map_err(TlsError::new)?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The one cryptographic library that TLS uses.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}
