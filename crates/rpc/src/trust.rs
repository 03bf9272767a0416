//! What a participant of a deployment believes in.

use attest::identity::Deployment;
use attest::reference::Policy;
use rustls::pki_types::CertificateDer;

/// What a participant of a deployment believes in.
pub struct Trust {
    /// Whose services these are.
    pub deployment: Deployment,
    /// The certificate (DER) of the CA that names them.
    pub(crate) ca: CertificateDer<'static>,
    /// What may run there.
    pub(crate) policy: Policy,
}
