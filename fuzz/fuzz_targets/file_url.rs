//! URLs that carry leave for a file: accepted just where the tdfs signed them and they are not over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::time::UnixMillis;

/// As in the seeds.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

fuzz_target!(|text: &str| tdfs::fuzz::url(text, NOW));
