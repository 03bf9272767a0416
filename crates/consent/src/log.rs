//! The log of what was decided and done: an append-only Merkle tree (RFC 9162, section 2.1) whose head is signed.
//!
//! ```text
//! change ──▶ Entry ── canonical ──▶ bytes ── leaf ──▶ tree ── root, size ──▶ checkpoint ── Ed25519 ──▶ signed note
//!                                     │                │
//!                          chain: each user's entries   └─ inclusion and consistency proofs
//! ```
//!
//! Services keep the nodes of complete subtrees; everything here is a function of those. There are crates for such
//! trees, but the well-kept ones hold all leaves in memory or verify only; what is needed fits into one small module,
//! which is tested against the definitions and against the vectors of Certificate Transparency.

pub mod chain;
pub mod checkpoint;
pub mod entry;
pub mod note;
pub mod reader;
pub mod tree;
