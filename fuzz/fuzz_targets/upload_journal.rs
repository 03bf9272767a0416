//! What a client finds of an upload that it did not finish: read as it was written, or taken for nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| client::fuzz::journal(bytes));
