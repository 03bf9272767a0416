//! A tar archive that somebody got: a new folder with nothing outside of it, or nothing at all.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|bytes: &[u8]| teehouse::fuzz::archive(bytes, DIR.path()));
