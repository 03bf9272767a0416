//! SGX and TDX evidence: real quotes at the time of their collateral, and forged ones in every state.
#![allow(clippy::unwrap_used, reason = "tests")]

mod again;
mod certificate;
mod collateral;
mod forged;
mod malleability;
mod real;
mod samples;
mod third_party;
