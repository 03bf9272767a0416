//! A forge of evidence: SGX and TDX quotes, and SEV-SNP reports ([`snp`]) and TPM quotes ([`tpm`]), as real machines make them, under a root of its own.
//!
//! Everything that Intel and its machines sign is made here: a root CA, a PCK CA, PCK certificates with Intel's SGX
//! extension, revocation lists, TCB info and QE identity, and quotes with any measurement, debug bit or TCB status. The
//! verifier in `attest` accepts them, unmodified, from whoever believes the forge's root, and refuses them under
//! Intel's. It is for tests: no binary that is shipped links it, and [`attest::dcap::IntelRoot::danger_other`] is the
//! only way to believe it.
//!
//! ```text
//! Forge ── install(Machine) → Installed ─┬─ collateral(platform)   what Intel would publish, as JSON
//!                                        ├─ sgx_quote(&Enclave)    version 3
//!                                        ├─ tdx_quote(&Domain)     version 4 or 5
//!                                        └─ sgx/tdx attester       for whole handshakes
//! ```

mod attester;
mod authority;
mod collateral;
mod der;
mod extension;
mod key;
mod machine;
mod quote;
pub mod snp;
pub mod tpm;

pub use attester::{SgxAttester, SnpAttester, TdxAttester, TpmAttester};
pub use authority::Forge;
pub use machine::{Installed, Level, Machine};
pub use quote::{Domain, DomainVersion, Enclave};
