//! Which platform a machine is.

use std::fs;
use std::path::Path;

use attest::attester::{Directories, detect, detect_with};
use attest::platform::Platform;

use crate::kernel::{OTHER, SNP, TDX};

fn check(prepare: impl Fn(&Path), directories: Directories, expected: Option<Platform>) {
    let root = tempfile::tempdir().unwrap();
    prepare(root.path());
    assert_eq!(detect_with(root.path(), directories), expected);
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn tsm(root: &Path) {
    fs::create_dir_all(root.join("sys/kernel/config/tsm/report")).unwrap();
}

fn tpm(root: &Path) {
    put(root, "dev/tpmrm0", "");
}

#[test]
fn the_strongest_interface_that_is_there_counts() {
    let gramine = |kind: &'static str| move |root: &Path| put(root, "dev/attestation/attestation_type", kind);
    check(gramine("dcap\n"), Directories::default(), Some(Platform::Sgx));
    check(gramine("none"), Directories::default(), None);
    check(tsm, TDX, Some(Platform::Tdx));
    check(tsm, SNP, Some(Platform::SevSnp));
    check(tsm, OTHER, None);
    check(tpm, Directories::default(), Some(Platform::Tpm));
    let both = |root: &Path| {
        tsm(root);
        tpm(root);
    };
    check(both, SNP, Some(Platform::SevSnp));
    check(both, OTHER, Some(Platform::Tpm));
    check(|_| {}, Directories::default(), None);
    assert_eq!(detect(tempfile::tempdir().unwrap().path()), None, "nobody gets the simulated platform unasked");
}
