//! TPM evidence: forged quotes in every state, and those of a TPM in software.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forged;
mod swtpm;
