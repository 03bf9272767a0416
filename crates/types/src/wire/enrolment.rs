//! How a service becomes known: requests to the kms's enrolment port (service plane, port 6017).
//!
//! A service connects with a certificate that it made itself over a fresh key, attests the session, and asks for a
//! certificate of the deployment's CA over the same key. It renews in the same way, with another key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::Base64;
use crate::secret::SecretBytes;

super::requests! {
    /// A request to the kms's enrolment port.
    #[schema(as = EnrolmentRequest)]
    Request {
        /// Asks for a certificate.
        Enrol(Enrol),
    }
}

/// Asks for a certificate over the key of this connection.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EnrolRequest)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The names and addresses under which ordinary TLS clients may reach the service; at most 64.
    pub names: Vec<String>,
    /// The value of the certificate's evidence extension, about the same key.
    pub evidence: Base64,
}

/// The enrolment port's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EnrolmentResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The certificate.
    Enrol(Enrolled),
}

/// What a service needs to be one of the deployment's.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EnrolResponse)]
pub struct Enrolled {
    /// Its certificate (DER).
    pub certificate: Base64,
    /// The CA's certificate (DER).
    pub ca: Base64,
    /// The role's key for data at rest: the same at every enrolment, and only its services get it.
    pub sealing_key: SecretBytes,
}
