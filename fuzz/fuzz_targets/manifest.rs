//! The auditors' manifest: its envelope, the signatures in it, and its payload, also where enough auditors signed it.
#![no_main]

use std::sync::LazyLock;

use attest::manifest::signing::AuditorSecret;
use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// Signs the seeds; it is the key of RFC 8032, section 7.1, test 2.
static AUDITOR: LazyLock<AuditorSecret> =
    LazyLock::new(|| AuditorSecret::from_pem(include_str!("../simulated-root.pem")).expect("the seeds' key"));

/// When the seeds hold: 2026-11-23T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::manifest(bytes, &AUDITOR, NOW));
