//! A TPM's quote with its key and signature, or a sealed key: refused or accepted, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// When the seeds hold: 2026-11-23T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::tpm(bytes, NOW));
