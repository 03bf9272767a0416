//! What parties agree on and what they can show of it afterwards: pure functions over manifests, approvals, policies
//! and statements.
//!
//! ```text
//! TaskManifest ── canonical ──▶ bytes ── SHA-256 ──▶ digest ◀── approval (token, or Ed25519 over a statement)
//!                                                      │
//!                  FilePolicy ── policy::check ────────┤ keys are released for this manifest alone
//!                                                      ▼
//!                                    statement::sign ──▶ receipt, withdrawal, erasure (DSSE, with evidence)
//! ```
//!
//! Every decision takes what it decides on, and the time, as arguments; the services that call them keep the state.
//! `docs/consent.md` has the formats byte for byte.

pub mod agreement;
pub mod approval;
pub mod canonical;
pub mod key;
pub mod log;
pub mod manifest;
pub mod policy;
pub mod receipt;
pub mod signing;
pub mod statement;
pub mod uses;
