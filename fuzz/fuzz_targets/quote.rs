//! An SGX or TDX quote: refused or accepted, never a panic, and no byte of it outside a field.
#![no_main]

use std::sync::LazyLock;

use attest::collateral::IntelCollateral;
use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// Intel's word on the machine of the first seed.
static COLLATERAL: LazyLock<IntelCollateral> = LazyLock::new(|| {
    let json = include_bytes!("../../crates/attest/tests/data/dcap/sgx-v3.json");
    IntelCollateral::from_json(json).expect("the seeds' collateral")
});

/// When it holds: 2025-07-01T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_751_328_000_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::quote(bytes, &COLLATERAL, NOW));
