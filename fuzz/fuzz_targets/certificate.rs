//! A leaf certificate from a handshake: refused or accepted, never a panic.
#![no_main]

use std::sync::LazyLock;

use attest::simulated::{SimulatedRoot, SimulatedRootKey};
use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// Signs the seeds; its private key is that of RFC 8032, section 7.1, test 2.
static ROOT: LazyLock<SimulatedRootKey> =
    LazyLock::new(|| SimulatedRoot::from_pem(include_str!("../simulated-root.pem")).expect("the seeds' key").public());

/// When the seeds hold: 2026-11-23T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::certificate(bytes, *ROOT, NOW));
