//! The one verifier of peers, for servers and clients: the chain to the deployment's CA, then the appraisal of the leaf.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use attest::Verified;
use attest::certificate::PeerIdentity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};
use types::service::Role;
use types::time::UnixMillis;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::provider;
use super::refusal::refused;
use crate::trust::Trust;

/// Whose word on a peer's name is good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The deployment's CA's alone.
    Authority,
    /// Also the peer's own: it wants to be named by the CA.
    AuthorityOrItself,
    /// Until the CA is known nobody's: the evidence and the deployment's name must do.
    AuthorityOnceKnown,
}

/// Checks one connection's peer and remembers whom it found.
pub(super) struct PeerVerifier {
    trust: Arc<Trust>,
    naming: Naming,
    expected: &'static [Role],
    found: OnceLock<Arc<Verified<PeerIdentity>>>,
}

impl PeerVerifier {
    pub(super) fn new(trust: Arc<Trust>, expected: &'static [Role], naming: Naming) -> Arc<Self> {
        Arc::new(PeerVerifier { trust, naming, expected, found: OnceLock::new() })
    }

    fn verify(&self, leaf: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), rustls::Error> {
        self.verify_chain(leaf, usage, now)?;
        let now = UnixMillis(now.as_secs().saturating_mul(1000));
        match self.trust.appraise_certificate(leaf, self.expected, now) {
            Ok(identity) => {
                let _ = self.found.set(Arc::new(identity));
                Ok(())
            }
            Err(refusal) => Err(refused(refusal)),
        }
    }

    fn verify_chain(&self, leaf: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), rustls::Error> {
        let ca = self.trust.ca.as_ref();
        let named = ca.map_or(Err(webpki::Error::UnknownIssuer), |ca| check_chain(leaf, ca, usage, now));
        let named = match (named, self.naming, ca) {
            (Err(_), Naming::AuthorityOrItself, _) => check_chain(leaf, leaf, usage, now),
            (Err(_), Naming::AuthorityOnceKnown, None) => Ok(()),
            (named, _, _) => named,
        };
        named.map_err(bad_certificate)
    }

    pub(super) fn identity(&self) -> io::Result<Arc<Verified<PeerIdentity>>> {
        self.found.get().cloned().ok_or_else(|| io::Error::other("the handshake verified no peer"))
    }
}

/// Whether a CA's certificate vouches for a service's now.
pub(crate) fn check_issuer(leaf: &CertificateDer<'_>, ca: &CertificateDer<'_>) -> Result<(), webpki::Error> {
    check_chain(leaf, ca, KeyUsage::server_auth(), UnixTime::now())
}

/// Whether a CA's certificate vouches for a service's at an instant.
pub(crate) fn check_issuer_at(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
    now: UnixMillis,
) -> Result<(), webpki::Error> {
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
    check_chain(leaf, ca, KeyUsage::server_auth(), now)
}

/// Whether a CA's certificate vouches for a leaf, for a use and at a time.
fn check_chain(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
    usage: KeyUsage,
    now: UnixTime,
) -> Result<(), webpki::Error> {
    let algorithms = provider().signature_verification_algorithms.all;
    let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(ca)?];
    EndEntityCert::try_from(leaf)?.verify_for_usage(algorithms, &anchors, &[], now, usage, None, None)?;
    Ok(())
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

/// Whether the handshake was signed with the leaf's key.
fn check_signature(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    verify_tls13_signature(message, leaf, signature, &provider().signature_verification_algorithms)
}

fn schemes() -> Vec<SignatureScheme> {
    provider().signature_verification_algorithms.supported_schemes()
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
        check_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
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
        check_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
