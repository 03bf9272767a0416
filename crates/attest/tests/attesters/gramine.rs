//! Gramine's files.

use std::fs;
use std::path::Path;
use std::thread;

use attest::attester::{AttestError, Attester, Gramine, GramineError, Sealer};
use attest::evidence::ReportData;
use attest::platform::Platform;
use forge::{Enclave, Forge, Machine};
use types::service::Role;

use crate::kernel::{NOW, pipe};

const REPORT_DATA: ReportData = ReportData([0x62; 64]);

/// An enclave whose quoting enclave answers once.
fn enclave(root: &Path, kind: &str) {
    fs::write(root.join("attestation_type"), kind).unwrap();
    fs::create_dir(root.join("keys")).unwrap();
    pipe(&root.join("user_report_data"));
    pipe(&root.join("quote"));
    let root = root.to_owned();
    thread::spawn(move || {
        let Ok(data) = fs::read(root.join("user_report_data")) else { return };
        let report_data = ReportData(data.try_into().unwrap());
        let forge = Forge::new(NOW);
        let quote = forge.install(Machine::default()).sgx_quote(&Enclave::new(report_data));
        fs::write(root.join("quote"), quote).unwrap();
    });
}

fn source(error: AttestError) -> GramineError {
    assert_eq!(error.platform, Platform::Sgx);
    *error.source.downcast().unwrap()
}

#[test]
fn a_quote_binds_what_was_written() {
    let root = tempfile::tempdir().unwrap();
    enclave(root.path(), "dcap");
    let evidence = Gramine::new(root.path()).attest(&REPORT_DATA, NOW).unwrap();
    assert_eq!(evidence.platform(), Platform::Sgx);
    let fields = attest::dcap::layout::fields(evidence.bytes()).unwrap();
    let report_data = fields.into_iter().find(|field| field.name == "REPORTDATA").unwrap();
    assert_eq!(evidence.bytes()[report_data.range], REPORT_DATA.0);
}

#[test]
fn an_enclave_without_dcap_makes_no_evidence() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("attestation_type"), "none\n").unwrap();
    let error = Gramine::new(root.path()).attest(&REPORT_DATA, NOW).unwrap_err();
    assert!(matches!(source(error), GramineError::Type(kind) if kind == "none"));
    let error = Gramine::new(root.path().join("no")).attest(&REPORT_DATA, NOW).unwrap_err();
    assert!(matches!(source(error), GramineError::File("attestation_type", _)));
}

#[test]
fn each_role_has_a_key_that_stays() {
    let root = tempfile::tempdir().unwrap();
    let gramine = Gramine::new(root.path());
    let error = gramine.sealing_key(Role::Kms).unwrap_err();
    assert!(matches!(source(error), GramineError::File("keys/_sgx_mrenclave", _)));
    let path = root.path().join("keys/_sgx_mrenclave");
    fs::create_dir(root.path().join("keys")).unwrap();
    let key = |gramine: &Gramine, role| *gramine.sealing_key(role).unwrap().danger_expose();

    fs::write(&path, [7; 16]).unwrap();
    let first = key(&gramine, Role::Kms);
    assert_eq!(key(&Gramine::new(root.path()), Role::Kms), first);
    assert_ne!(key(&gramine, Role::Tms), first);
    fs::write(&path, [8; 16]).unwrap();
    assert_ne!(key(&gramine, Role::Kms), first, "another enclave");
    for length in [0, 15, 17, 32] {
        fs::write(&path, vec![7; length]).unwrap();
        let error = gramine.sealing_key(Role::Kms).unwrap_err();
        assert!(matches!(source(error), GramineError::KeyLength(found) if found == length));
    }
}
