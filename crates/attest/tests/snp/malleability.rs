//! No byte of an accepted report or of the certificates it carries can be another: the table of
//! `docs/attestation-malleability.md`.
//!
//! `UPDATE_DOCS=1 cargo test -p attest --test snp malleability` writes the table anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use attest::appraise::Verifier;
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::snp::SnpProduct;
use attest::snp::layout::{REPORT_BYTES, fields};
use forge::snp::{Chip, Guest};
use types::service::Role;

use crate::samples::{NOW, evidence, forge, forged_policy, lenient, policy, report_data, strict};

const BEGIN: &str = "<!-- begin of the table of reports: made by a test -->\n";
const END: &str = "<!-- end of the table of reports -->\n";

struct Judge {
    policy: Policy,
    collateral: Collateral,
    report_data: ReportData,
}

impl Judge {
    fn refusal(&self, bytes: &[u8]) -> Option<Refusal> {
        let verifier = Verifier { policy: &self.policy, collateral: &self.collateral };
        let evidence = Evidence::new(Platform::SevSnp, bytes.to_vec());
        evidence.and_then(|evidence| verifier.appraise(&evidence, &self.report_data, Role::Kms, NOW)).err()
    }

    fn accepts(&self, bytes: &[u8]) -> bool {
        self.refusal(bytes).is_none()
    }

    fn outcome(&self, bytes: &[u8]) -> &'static str {
        match self.refusal(bytes) {
            None => "ACCEPTED",
            Some(Refusal::Malformed { .. }) => "malformed",
            Some(Refusal::BadSignature) => "bad signature",
            Some(Refusal::OtherRoot(_)) => "other root",
            Some(Refusal::CollateralMissing { .. }) => "no collateral",
            Some(Refusal::Expired { .. } | Refusal::NotYetValid { .. }) => "out of date",
            Some(Refusal::Unverifiable { .. }) => "contradiction",
            Some(other) => panic!("an outcome that the table has no name for: {other:?}"),
        }
    }

    fn check_every_byte_counts(&self, bytes: &[u8]) {
        assert!(self.accepts(bytes));
        let accepted: Vec<_> = (0..bytes.len()).filter(|at| self.accepts(&flipped(bytes, *at))).collect();
        assert_eq!(accepted, Vec::<usize>::new(), "flips accepted");
        let cut: Vec<_> = (0..bytes.len()).filter(|length| self.accepts(&bytes[..*length])).collect();
        assert_eq!(cut, Vec::<usize>::new(), "truncations accepted");
        for extra in [&[0][..], &[1], &[0; 24], &[0; 1184]] {
            assert!(!self.accepts(&[bytes, extra].concat()), "{} bytes more", extra.len());
        }
    }
}

/// One bit of a byte, each bit in its turn.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}

fn real() -> Judge {
    Judge { policy: policy(lenient()), collateral: Collateral::default(), report_data: report_data() }
}

fn table() -> String {
    let (judge, evidence) = (real(), evidence());
    let certificates = ("certificate table", REPORT_BYTES..evidence.bytes().len());
    let mut rows = "\n| bytes | field | every byte flipped is refused as |\n|---|---|---|\n".to_owned();
    for (name, range) in fields().chain([certificates]) {
        let flips = range.clone().map(|at| judge.outcome(&flipped(evidence.bytes(), at)));
        let outcomes: Vec<_> = flips.collect::<BTreeSet<_>>().into_iter().collect();
        writeln!(rows, "| {}–{} | {name} | {} |", range.start, range.end - 1, outcomes.join(", ")).unwrap();
    }
    rows
}

#[test]
fn every_flipped_byte_is_refused_as_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attestation-malleability.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let made = table();
    assert!(!made.contains("ACCEPTED"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, [before, BEGIN, &made, "\n", END, after].concat()).unwrap();
    } else {
        assert_eq!(written.trim(), made.trim(), "the document is not what this code does");
    }
}

/// Every byte of a report with its VCEK's certificate.
#[test]
fn no_flip_of_the_real_report_is_accepted() {
    real().check_every_byte_counts(evidence().bytes());
}

/// Every byte of a report with the certificates of its key and of the CA, in both of AMD's encodings. Nothing is in
/// collateral, since a report may come without its certificates where collateral has them.
#[test]
fn no_flip_of_forged_evidence_is_accepted() {
    let values = ReferenceValues { allowances: [Allowance::UncheckedRevocation].into(), ..strict() };
    for product in SnpProduct::ALL {
        let chip = forge(product).install(Chip::default());
        let judge = Judge {
            policy: forged_policy(product, values.clone()),
            collateral: Collateral::default(),
            report_data: Guest::default().report_data,
        };
        judge.check_every_byte_counts(chip.carried(&Guest::default()).bytes());
    }
}
