//! The attestation of a session, beside every API's own requests and in both protocols (over HTTP: `POST
//! /.well-known/attestation`). On service ports it comes before anything else; on user ports whoever wants to know asks.
//!
//! ```text
//! client                                      server
//! Attest { nonce }                  ──▶
//!                                   ◀──       Attest { role, deployment, evidence, nonce on service ports }
//! Present { evidence }              ──▶       (service ports only)
//!                                   ◀──       Present {}
//! ```
//!
//! What the evidence is bound to is `attest::session`'s business.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::{Base64, Nonce};
use crate::service::Role;

super::requests! {
    /// A request about the session itself.
    #[schema(as = AttestationRequest)]
    Request {
        /// Asks the server for evidence.
        Attest(Attest),
        /// Gives the server the client's own.
        Present(Present),
    }
}

/// Asks for evidence that is bound to this session and to a nonce.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AttestRequest)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// What the asker chose.
    pub nonce: Nonce,
}

/// Brings evidence that is bound to this session and to the server's nonce.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PresentRequest)]
#[serde(deny_unknown_fields)]
pub struct Present {
    /// The evidence, as it travels in certificates: an Intel quote, or a CMW record of another platform's evidence.
    pub evidence: Base64,
}

/// The server's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AttestationResponse)]
#[serde(tag = "type")]
pub enum Response {
    /// The server's evidence.
    Attest(Attested),
    /// The client's evidence was accepted: requests may follow.
    Present(Presented),
}

/// Who the server is, and evidence of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AttestResponse)]
pub struct Attested {
    /// What it does.
    pub role: Role,
    /// Where.
    pub deployment: String,
    /// Its evidence for this session.
    pub evidence: Base64,
    /// What the client's own evidence is to be bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// Nothing more to say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PresentResponse)]
pub struct Presented {}
