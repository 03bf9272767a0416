//! Intel's collateral, as a file or as a PCCS's answers: read alike when written again, and never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// The quote of the first seed.
const QUOTE: &[u8] = include_bytes!("../../crates/attest/tests/data/dcap/sgx-v3.quote");

/// When its collateral holds: 2025-07-01T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_751_328_000_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::collateral(bytes, QUOTE, NOW));
