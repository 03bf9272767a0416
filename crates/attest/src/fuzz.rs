//! Entry points for fuzz targets: whatever an attacker may send before anything is known of him.
//!
//! None may panic, and all stay within memory proportional to the input and the limits named in their modules.

use types::service::Role;
use types::time::UnixMillis;

use crate::appraise::Verifier;
use crate::claims::Measurement;
use crate::collateral::Collateral;
use crate::evidence::{Evidence, ReportData};
use crate::extension::decode_extension;
use crate::identity::Deployment;
use crate::manifest::auditors::{Auditor, Auditors};
use crate::manifest::envelope::Envelope;
use crate::manifest::signing::AuditorSecret;
use crate::manifest::{Manifest, verify};
use crate::reference::{Policy, ReferenceValues};
use crate::simulated::SimulatedRootKey;

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

/// A policy that accepts what a fuzzer can be given seeds of.
fn policy(root: SimulatedRootKey) -> Policy {
    Role::ALL.into_iter().fold(Policy::default().danger_allow_simulated(root), |policy, role| {
        policy.with_role(role, ReferenceValues::exactly([Measurement::simulated(role, b"fuzz")]))
    })
}
