//! A table as CSV or Parquet that is looked at before it is put, and a list of columns.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| teehouse::fuzz::table(bytes));
