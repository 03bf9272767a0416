//! The root key's file, a holder's share and a recovery key's line: refused or read, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kms::root_key::fuzz::texts(bytes));
