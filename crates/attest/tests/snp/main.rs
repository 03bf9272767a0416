//! SEV-SNP evidence: a real Milan report while its VCEK holds, and forged ones of every product.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forged;
mod malleability;
mod real;
mod samples;
