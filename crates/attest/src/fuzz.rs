//! Entry points for fuzz targets: whatever an attacker may send before anything is known of him.
//!
//! None may panic, and all stay within memory proportional to the input and the limits named in their modules.

use types::service::Role;
use types::time::UnixMillis;

use crate::appraise::Verifier;
use crate::attester::SealedKey;
use crate::claims::Measurement;
use crate::collateral::{Collateral, IntelCollateral, PcsAnswers};
use crate::dcap::layout::fields;
use crate::evidence::{Evidence, ReportData};
use crate::extension::decode_extension;
use crate::identity::Deployment;
use crate::manifest::auditors::{Auditor, Auditors};
use crate::manifest::envelope::Envelope;
use crate::manifest::signing::AuditorSecret;
use crate::manifest::{Manifest, verify};
use crate::platform::Platform;
use crate::reference::{Allowance, Policy, ReferenceValues};
use crate::simulated::SimulatedRootKey;
use crate::snp::table;
use crate::tpm::{self, TpmEvidence, TpmKeyName};

/// A leaf certificate (DER) from a handshake.
pub fn certificate(der: &[u8], root: SimulatedRootKey, now: UnixMillis) {
    let deployment: Deployment = "fuzz".parse().expect("a good name");
    let (policy, collateral) = (policy(root), Collateral::default());
    let verifier = Verifier { policy: &policy, collateral: &collateral };
    let accepted = verifier.appraise_certificate(der, &Role::ALL, &deployment, now);
    drop(std::hint::black_box(accepted));
}

/// An extension's value, or the evidence inside it.
pub fn evidence(bytes: &[u8], root: SimulatedRootKey, now: UnixMillis) {
    drop(std::hint::black_box(decode_extension(bytes)));
    let Ok(evidence) = Evidence::decode(bytes) else { return };
    assert_eq!(evidence.encode(), bytes, "evidence has one encoding");
    let (policy, collateral) = (policy(root), Collateral::default());
    let verifier = Verifier { policy: &policy, collateral: &collateral };
    for role in Role::ALL {
        drop(std::hint::black_box(verifier.appraise(&evidence, &ReportData([0; 64]), role, now)));
    }
}

/// An SGX or TDX quote, appraised with `held` at `now`.
pub fn quote(bytes: &[u8], held: &IntelCollateral, now: UnixMillis) {
    if let Ok(fields) = fields(bytes) {
        let end = fields.iter().fold(0, |at, field| if field.range.start == at { field.range.end } else { usize::MAX });
        assert_eq!(end, bytes.len(), "the fields fill the quote without gaps");
    }
    for platform in [Platform::Sgx, Platform::Tdx] {
        let Ok(evidence) = Evidence::new(platform, bytes.to_vec()) else { return };
        let collateral = Collateral::default().with_intel(held.clone());
        let verifier = Verifier { policy: &any_quote(), collateral: &collateral };
        drop(std::hint::black_box(verifier.appraise(&evidence, &ReportData([0; 64]), Role::Kms, now)));
    }
}

/// Intel's collateral: the JSON document, or the lines of a PCCS's answers; then `good`, a quote, appraised with it.
pub fn collateral(bytes: &[u8], good: &[u8], now: UnixMillis) {
    answers(bytes);
    let Ok(read) = IntelCollateral::from_json(bytes) else { return };
    let again = IntelCollateral::from_json(&read.to_json()).expect("what was read is read again");
    assert_eq!(again.to_json(), read.to_json(), "what was read is read alike when written again");
    let _ = (read.validity(), read.issued(), read.tcb_evaluation());
    quote(good, &read, now);
}

/// Each line is a part, in the order of [`PcsAnswers`].
fn answers(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| (line, str::from_utf8(line).unwrap_or("%")));
    let mut line = || lines.next().unwrap_or_default();
    let answers = PcsAnswers {
        tcb_info: line().0,
        tcb_info_issuer_chain: line().1,
        qe_identity: line().0,
        qe_identity_issuer_chain: line().1,
        pck_crl: line().0,
        pck_crl_issuer_chain: line().1,
        root_ca_crl: line().0,
    };
    drop(std::hint::black_box(IntelCollateral::from_pcs(&answers)));
}

/// A policy that asks for the signatures of every quote, and accepts no measurement that there is.
fn any_quote() -> Policy {
    let measurements = [
        Measurement::Sgx { mrenclave: [0; 32], mrsigner: [0; 32] },
        Measurement::Tdx { mrtd: [0; 48], rtmr: [[0; 48]; 4] },
    ];
    let values = ReferenceValues { allowances: Allowance::ALL.into(), ..ReferenceValues::exactly(measurements) };
    Policy::default().with_role(Role::Kms, values)
}

/// A manifest's envelope, a payload that nobody signed, and a payload that its auditor signed.
pub fn manifest(bytes: &[u8], auditor: &AuditorSecret, now: UnixMillis) {
    let named = Auditor { name: "fuzz".to_owned(), key: auditor.public() };
    let trusted = Auditors::new(1, vec![named]).expect("one auditor of whom one signs");
    drop(std::hint::black_box(verify(bytes, &trusted, None, now)));
    if let Ok(envelope) = Envelope::from_bytes(bytes) {
        assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Ok(envelope), "what is written reads back");
    }
    let read = Manifest::from_bytes(bytes);
    let mut envelope = Envelope::unsigned(bytes.to_vec());
    envelope.add(auditor.sign(&envelope));
    if let Ok(accepted) = verify(&envelope.to_bytes(), &trusted, None, now) {
        assert!(read.is_ok(), "what is believed can be read");
        assert_eq!(accepted.to_bytes(), bytes, "a manifest has one form");
    }
}

/// An SEV-SNP report with its certificates, and a host's table of certificates. Accepted is what AMD signed.
pub fn snp(bytes: &[u8], now: UnixMillis) {
    if let Ok(table) = table::canonical(bytes) {
        assert_eq!(table::canonical(&table), Ok(table.clone()), "the one form is its own");
    }
    let (Some(report_data), Some(launch_digest)) = (array(bytes, 0x50), array(bytes, 0x90)) else { return };
    let Ok(evidence) = Evidence::new(Platform::SevSnp, bytes.to_vec()) else { return };
    let values = lenient(Measurement::SevSnp { launch_digest });
    let policy = Policy::default().with_role(Role::Kms, values);
    let verifier = Verifier { policy: &policy, collateral: &Collateral::default() };
    drop(std::hint::black_box(verifier.appraise(&evidence, &ReportData(report_data), Role::Kms, now)));
}

/// TPM evidence by whatever key it names, each of its parts alone, and a sealed key.
pub fn tpm(bytes: &[u8], now: UnixMillis) {
    tpm::read_each(bytes);
    if let Ok(sealed) = SealedKey::decode(bytes) {
        assert_eq!(sealed.encode(), bytes, "a sealed key has one encoding");
    }
    let Ok(parts) = TpmEvidence::decode(bytes) else { return };
    assert_eq!(parts.encode(), bytes, "TPM evidence has one encoding");
    [&parts.public, &parts.attest, &parts.signature].into_iter().for_each(|part| tpm::read_each(part));
    let Ok(evidence) = Evidence::new(Platform::Tpm, bytes.to_vec()) else { return };
    let policy = Policy::default()
        .with_role(Role::Kms, lenient(Measurement::Tpm { pcr_digest: [0; 32] }))
        .with_tpm_key(TpmKeyName::of(&parts.public));
    let verifier = Verifier { policy: &policy, collateral: &Collateral::default() };
    drop(std::hint::black_box(verifier.appraise(&evidence, &ReportData([0; 64]), Role::Kms, now)));
}

/// Accepts a measurement with every weakness.
fn lenient(measurement: Measurement) -> ReferenceValues {
    ReferenceValues { allowances: Allowance::ALL.into(), ..ReferenceValues::exactly([measurement]) }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A policy that accepts what a fuzzer can be given seeds of.
fn policy(root: SimulatedRootKey) -> Policy {
    Role::ALL.into_iter().fold(Policy::default().danger_allow_simulated(root), |policy, role| {
        policy.with_role(role, ReferenceValues::exactly([Measurement::simulated(role, b"fuzz")]))
    })
}
