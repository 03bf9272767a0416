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
        /// Asks for what makes another kms a replica of this one.
        Replicate(Replicate),
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

/// Asks for the root's seeds and the CA. Only a kms is answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplicateRequest)]
#[serde(deny_unknown_fields)]
pub struct Replicate {}

/// The enrolment port's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EnrolmentResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The certificate.
    Enrol(Enrolled),
    /// What makes a replica.
    Replicate(Replicated),
}

/// What every kms of a deployment has in common.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplicateResponse)]
pub struct Replicated {
    /// The seeds of the root, as `kms::root_key` writes them.
    pub seeds: SecretBytes,
    /// The CA's certificate (PEM).
    pub ca: String,
    /// The CA's private key, sealed by the root seed.
    pub ca_key: Base64,
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
