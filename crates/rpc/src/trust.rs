//! What a participant of a deployment believes in.

use std::sync::Arc;

use attest::collateral::Collateral;
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
    /// What makers say of the platforms it runs on; simulated ones need none.
    pub(crate) collateral: Arc<Collateral>,
}
