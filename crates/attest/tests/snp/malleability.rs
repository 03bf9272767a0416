//! No byte of an accepted report or of the certificates it carries can be another.

use attest::appraise::Verifier;
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::snp::SnpProduct;
use forge::snp::{Chip, Guest};
use types::service::Role;

use crate::samples::{NOW, evidence, forge, forged_policy, lenient, policy, report_data, strict};

struct Judge {
    policy: Policy,
    collateral: Collateral,
    report_data: ReportData,
}

impl Judge {
    fn accepts(&self, bytes: &[u8]) -> bool {
        let verifier = Verifier { policy: &self.policy, collateral: &self.collateral };
        let evidence = Evidence::new(Platform::SevSnp, bytes.to_vec());
        evidence.and_then(|evidence| verifier.appraise(&evidence, &self.report_data, Role::Kms, NOW)).is_ok()
    }

    fn check_every_byte_counts(&self, bytes: &[u8]) {
        assert!(self.accepts(bytes));
        let flipped = |at: usize| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << (at % 8);
            changed
        };
        let accepted: Vec<_> = (0..bytes.len()).filter(|at| self.accepts(&flipped(*at))).collect();
        assert_eq!(accepted, Vec::<usize>::new(), "flips accepted");
        let cut: Vec<_> = (0..bytes.len()).filter(|length| self.accepts(&bytes[..*length])).collect();
        assert_eq!(cut, Vec::<usize>::new(), "truncations accepted");
        for extra in [&[0][..], &[1], &[0; 24], &[0; 1184]] {
            assert!(!self.accepts(&[bytes, extra].concat()), "{} bytes more", extra.len());
        }
    }
}

/// Every byte of a report with its VCEK's certificate.
#[test]
fn no_flip_of_the_real_report_is_accepted() {
    let judge = Judge { policy: policy(lenient()), collateral: Collateral::default(), report_data: report_data() };
    judge.check_every_byte_counts(evidence().bytes());
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
