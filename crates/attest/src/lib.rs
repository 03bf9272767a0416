//! Evidence, reference values and appraisal: bytes, a policy and a time in; verified claims or a reason out.
//!
//! The words are those of RFC 9334 (RATS). An *attester* makes [`evidence::Evidence`] that binds 64 bytes of
//! [`evidence::ReportData`] to what runs on its platform; a verifier holds *reference values* in a
//! [`reference::Policy`] and makers' endorsements as [`collateral::Collateral`]; its [`appraise::Verifier`] compares them
//! with the evidence and answers with
//! [`Verified`]`<`[`claims::Claims`]`>`, which nothing else can make, or with a [`refusal::Refusal`].
//!
//! ```text
//! SPKI ── extension::claims_for_spki ── extension::report_data ── Attester::attest ── Evidence
//!                     │                                                                 │
//!                     └──────────────── extension::encode_extension ────────────────────┘
//!                                                   │
//!                              CertificateAuthority::issue → leaf certificate (DER)
//!                                                   │        … TLS …
//!                             Verifier::appraise_certificate → Verified<PeerIdentity>
//! ```
//!
//! Absent on purpose: sockets, a clock, globals, and the walk from a leaf to the deployment's CA. That walk is
//! `rpc::tls`'s, with webpki, in the same handshake; see [`certificate`].

pub mod appraise;
pub mod attester;
pub mod authority;
mod cbor;
pub mod certificate;
pub mod claimed;
pub mod claims;
pub mod collateral;
pub mod date;
pub mod dcap;
mod der;
pub mod evidence;
pub mod extension;
pub mod fuzz;
pub mod identity;
pub mod leaf;
pub mod manifest;
mod pem;
pub mod platform;
pub mod reference;
pub mod refusal;
pub mod session;
pub mod simulated;
pub mod snp;
pub mod tpm;
pub mod validity;
mod verified;

pub use pem::BadPem;
pub use verified::Verified;
