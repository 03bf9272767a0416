//! Reports of configfs-tsm.

use std::fs;

use attest::attester::{Attester, Directories, TsmAttester, TsmError};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::snp::layout::REPORT_BYTES;

use crate::kernel::{DISTURBED, NONSENSE, NOW, OTHER, SNP, SNP_ALONE, TDX};

const REPORT_DATA: ReportData = ReportData([0x61; 64]);

/// Asks once; whatever comes of it, nothing stays behind.
fn ask(platform: Platform, directories: Directories) -> Result<Evidence, TsmError> {
    let root = tempfile::tempdir().unwrap();
    let attester = TsmAttester::new(root.path(), platform).with_directories(directories);
    assert_eq!(attester.platform(), platform);
    let answer = attester.attest(&REPORT_DATA, NOW);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "the report is removed");
    answer.map_err(|error| *error.source.downcast().unwrap())
}

#[test]
fn a_quote_loses_the_kernels_padding() {
    let evidence = ask(Platform::Tdx, TDX).unwrap();
    let fields = attest::dcap::layout::fields(evidence.bytes()).unwrap();
    let report_data = fields.into_iter().find(|field| field.name == "REPORTDATA").unwrap();
    assert_eq!(evidence.bytes()[report_data.range], REPORT_DATA.0);
}

#[test]
fn a_report_comes_with_its_certificates_in_the_form_of_evidence() {
    let with = ask(Platform::SevSnp, SNP).unwrap();
    let table = &with.bytes()[REPORT_BYTES..];
    assert!(!table.is_empty());
    assert_eq!(attest::snp::table::canonical(table).as_deref(), Ok(table));
    let alone = ask(Platform::SevSnp, SNP_ALONE).unwrap();
    assert_eq!(alone.bytes().len(), REPORT_BYTES);
    assert_eq!(alone.bytes()[0x50..0x90], REPORT_DATA.0);
}

#[test]
fn what_is_no_report_is_refused() {
    assert!(matches!(ask(Platform::SevSnp, TDX), Err(TsmError::Provider(name)) if name == "tdx_guest"));
    assert!(matches!(ask(Platform::Tdx, OTHER), Err(TsmError::Provider(name)) if name == "cca_guest"));
    assert!(matches!(ask(Platform::Tdx, NONSENSE), Err(TsmError::Form(_))));
    assert!(matches!(ask(Platform::SevSnp, DISTURBED), Err(TsmError::Generation { found: 2, expected: 1 })));
}

#[test]
fn a_machine_without_the_interface_says_so() {
    let root = tempfile::tempdir().unwrap();
    let attester = TsmAttester::new(root.path().join("none"), Platform::Tdx);
    let error = attester.attest(&REPORT_DATA, NOW).unwrap_err();
    assert_eq!(error.to_string(), "the tdx platform could not make evidence");
    let source = error.source.downcast::<TsmError>().unwrap();
    assert!(matches!(*source, TsmError::File("the report's directory", _)), "{source:?}");
}
