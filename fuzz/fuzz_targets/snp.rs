//! An SEV-SNP report with its certificates, or a host's table of them: refused, or signed by AMD.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// When the seeds hold: 2026-11-23T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

fuzz_target!(|bytes: &[u8]| attest::fuzz::snp(bytes, NOW));
