//! What an attacker can change in a quote that was accepted: the table of `docs/attestation-malleability.md`.
//!
//! `UPDATE_DOCS=1 cargo test -p attest --test dcap malleability` writes the table anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use attest::Verified;
use attest::claims::Claims;
use attest::dcap::layout::fields;
use attest::evidence::Evidence;
use attest::refusal::{Fault, Refusal};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::samples::{GOOD, Sample, appraise, pem, policy};

const BEGIN: &str = "<!-- begin of the table: made by a test -->\n";
const END: &str = "<!-- end of the table -->\n";

/// What becomes of a quote with these bytes, as the table says it.
struct Judge<'a> {
    sample: &'a Sample,
    policy: attest::reference::Policy,
    collateral: attest::collateral::Collateral,
}

impl<'a> Judge<'a> {
    fn new(sample: &'a Sample) -> Self {
        Judge { sample, policy: policy(sample.lenient()), collateral: sample.collateral() }
    }

    fn judged(&self, quote: &[u8]) -> Result<Verified<Claims>, Refusal> {
        let evidence = Evidence::decode(quote)?;
        appraise(&evidence, &self.sample.report_data(), &self.policy, &self.collateral, self.sample.now())
    }

    fn refusal(&self, quote: &[u8]) -> Option<Refusal> {
        self.judged(quote).err()
    }

    /// It is accepted, and says what the real quote says.
    fn check_says_the_same(&self, quote: &[u8]) {
        assert_ne!(quote, self.sample.quote());
        assert_eq!(self.judged(quote), self.judged(self.sample.quote()));
        assert_eq!(self.refusal(quote), None);
    }

    fn outcome(&self, quote: &[u8]) -> &'static str {
        match self.refusal(quote) {
            None => "ACCEPTED",
            Some(Refusal::Malformed { .. }) => "malformed",
            Some(Refusal::BadSignature) => "bad signature",
            Some(Refusal::OtherRoot(_)) => "other root",
            Some(Refusal::CollateralMissing { .. }) => "no collateral",
            Some(Refusal::Expired { .. } | Refusal::NotYetValid { .. }) => "out of date",
            Some(Refusal::Unverifiable { .. }) => "refused by the verifier",
            Some(other) => panic!("an outcome that the table has no name for: {other:?}"),
        }
    }
}

/// One bit of every byte, each bit in its turn.
fn flipped(quote: &[u8], at: usize) -> Vec<u8> {
    let mut changed = quote.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}

fn rows(sample: &Sample) -> String {
    let (judge, quote) = (Judge::new(sample), sample.quote());
    assert_eq!(judge.outcome(quote), "ACCEPTED");
    let mut rows = String::new();
    for field in fields(quote).unwrap() {
        let outcomes: BTreeSet<_> = field.range.clone().map(|at| judge.outcome(&flipped(quote, at))).collect();
        assert!(!outcomes.contains("ACCEPTED"), "{}: {}", sample.name, field.name);
        let outcomes: Vec<_> = outcomes.into_iter().collect();
        let (first, last) = (field.range.start, field.range.end - 1);
        writeln!(rows, "| {first}–{last} | {} | {} |", field.name, outcomes.join(", ")).unwrap();
    }
    rows
}

fn table() -> String {
    let one = |sample: &Sample| {
        let (name, length) = (sample.name, sample.quote().len());
        let head = "| bytes | field | every byte flipped is refused as |\n|---|---|---|\n";
        format!("\n### {name} ({length} bytes)\n\n{head}{}", rows(sample))
    };
    // The three are independent and take some seconds each.
    let [first, second, third] = GOOD;
    std::thread::scope(|scope| {
        let others = [second, third].map(|sample| scope.spawn(move || one(&sample)));
        let first = one(&first);
        others.into_iter().fold(first, |table, other| table + &other.join().unwrap())
    })
}

#[test]
fn every_flipped_byte_is_refused_as_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attestation-malleability.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let made = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, [before, BEGIN, &made, "\n", END, after].concat()).unwrap();
    } else {
        assert_eq!(written.trim(), made.trim(), "the document is not what this code does");
    }
}

#[test]
fn every_other_length_is_refused() {
    for sample in GOOD {
        let (judge, quote) = (Judge::new(&sample), sample.quote());
        for length in 0..quote.len() {
            assert_eq!(judge.outcome(&quote[..length]), "malformed", "{length}");
        }
        for extra in [1, 2, 70, 4096] {
            for filler in [0, 0xff] {
                assert_eq!(judge.outcome(&[quote, &vec![filler; extra]].concat()), "malformed", "{extra}");
            }
        }
        let limit = attest::evidence::MAX_EVIDENCE_BYTES;
        let long = [quote, &vec![0; limit + 1 - quote.len()]].concat();
        let too_long = Refusal::Malformed { part: "evidence", fault: Fault::TooLong { limit } };
        assert_eq!(judge.refusal(&long), Some(too_long));
    }
}

/// Where a field is.
fn at(quote: &[u8], name: &str) -> std::ops::Range<usize> {
    fields(quote).unwrap().into_iter().rfind(|field| field.name == name).unwrap().range
}

/// The document's first freedom: the order of the curve minus `s` is as good as `s`.
#[test]
fn a_signatures_twin_is_accepted_and_says_the_same() {
    for sample in GOOD {
        let (judge, quote) = (Judge::new(&sample), sample.quote());
        for name in ["signature", "QE report signature"] {
            let s = at(quote, name).start + 32..at(quote, name).end;
            let mut twin = quote.to_vec();
            twin[s.clone()].copy_from_slice(&order_minus(quote[s].try_into().unwrap()));
            judge.check_says_the_same(&twin);
        }
    }
}

/// The certificates in a quote have twins too, all but the root, which is pinned byte for byte.
#[test]
fn a_certificates_twin_is_accepted_and_says_the_same() {
    for sample in GOOD {
        let (judge, quote) = (Judge::new(&sample), sample.quote());
        let chain = &quote[at(quote, "PCK certificate chain")];
        let certificates: Vec<_> = Pem::iter_from_buffer(chain).map(|pem| pem.unwrap().contents).collect();
        let with_twin = |changed: usize| {
            let mut twins = certificates.clone();
            twins[changed] = certificate_twin(&certificates[changed]);
            let text: String = twins.iter().map(|der| pem(der)).collect();
            with_chain(quote, text.as_bytes())
        };
        judge.check_says_the_same(&with_twin(0));
        judge.check_says_the_same(&with_twin(1));
        assert_eq!(judge.outcome(&with_twin(2)), "other root");
    }
}

/// The certificate with (r, n − s) in place of (r, s).
fn certificate_twin(der: &[u8]) -> Vec<u8> {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let signature = &certificate.signature_value.data;
    let r_end = 4 + usize::from(signature[3]);
    let s = signature[r_end + 2..].strip_prefix(&[0]).unwrap_or(&signature[r_end + 2..]);
    let mut padded = [0; 32];
    padded[32 - s.len()..].copy_from_slice(s);
    let s = integer(&order_minus(padded));
    let pair = [&signature[2..r_end], &s].concat();
    let bits = [&[0, 0x30, pair.len() as u8][..], &pair].concat();
    // Before the signature stand the sequence's head of 4 bytes, and the bit string's of 3.
    let content = [&der[4..der.len() - signature.len() - 3], &[3, bits.len() as u8], &bits].concat();
    [&[0x30, 0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), &content].concat()
}

/// A positive INTEGER (DER).
fn integer(digits: &[u8]) -> Vec<u8> {
    let digits = &digits[digits.iter().position(|digit| *digit != 0).unwrap()..];
    let sign = if digits[0] < 0x80 { &[][..] } else { &[0] };
    [&[2, (sign.len() + digits.len()) as u8][..], sign, digits].concat()
}

/// The order of P-256 (FIPS 186-5; SP 800-186, section 3.2.1.3) minus a number below it.
fn order_minus(s: [u8; 32]) -> [u8; 32] {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut difference = [0; 32];
    let mut borrow = false;
    for index in (0..32).rev() {
        let (partial, first) = ORDER[index].overflowing_sub(s[index]);
        let (digit, second) = partial.overflowing_sub(u8::from(borrow));
        (difference[index], borrow) = (digit, first || second);
    }
    difference
}

/// The document's second freedom: a NUL after the certificates, or none.
#[test]
fn the_chains_nul_may_be_absent_and_nothing_else_may_be_there() {
    for sample in GOOD {
        let (judge, quote) = (Judge::new(&sample), sample.quote());
        let chain = &quote[at(quote, "PCK certificate chain")];
        let without_nul = chain.strip_suffix(&[0]).unwrap();
        judge.check_says_the_same(&with_chain(quote, without_nul));
        let text = std::str::from_utf8(without_nul).unwrap();
        let first = &text[..text.find("-----END").unwrap()];
        let others = [
            format!("{text}\0\0"),
            format!("{text}\n\0"),
            format!("\n{text}\0"),
            format!("{}\0", text.trim_end()),
            format!("{}\0", text.replace('\n', "\r\n")),
            format!("{}\0", text.replace("-----\n-----", "-----\n\n-----")),
            format!("{}\0", text.replacen('\n', " \n", 2)),
            format!("{first}-----END CERTIFICATE-----\n{text}\0"),
            format!("{first}-----END CERTIFICATE-----\n\0"),
            "\0".to_owned(),
            String::new(),
        ];
        for other in others {
            assert_eq!(judge.outcome(&with_chain(quote, other.as_bytes())), "malformed", "{other:?}");
        }
    }
}

/// The quote with another chain, and every length that covers it.
fn with_chain(quote: &[u8], chain: &[u8]) -> Vec<u8> {
    let old = at(quote, "PCK certificate chain");
    let mut changed = [&quote[..old.start], chain].concat();
    for name in ["signature data length", "certification data size"] {
        for field in fields(quote).unwrap().into_iter().filter(|field| field.name == name) {
            let length = u32::from_le_bytes(quote[field.range.clone()].try_into().unwrap());
            let length = length - u32::try_from(old.len()).unwrap() + u32::try_from(chain.len()).unwrap();
            changed[field.range].copy_from_slice(&length.to_le_bytes());
        }
    }
    changed
}
