//! Entry points for fuzz targets: whatever an attacker may send before anything is known of him.
//!
//! Neither may panic, and both stay within memory proportional to the input and the limits named in their modules.

use types::service::Role;
use types::time::UnixMillis;

use crate::appraise::appraise;
use crate::certificate::appraise_certificate;
use crate::claims::Measurement;
use crate::evidence::{Evidence, ReportData};
use crate::extension::decode_extension;
use crate::identity::Deployment;
use crate::reference::{Policy, ReferenceValues};
use crate::simulated::SimulatedRootKey;

/// A leaf certificate (DER) from a handshake.
pub fn certificate(der: &[u8], root: SimulatedRootKey, now: UnixMillis) {
    let deployment: Deployment = "fuzz".parse().expect("a good name");
    let accepted = appraise_certificate(der, &Role::ALL, &deployment, &policy(root), now);
    drop(std::hint::black_box(accepted));
}

/// An extension's value, or the evidence inside it.
pub fn evidence(bytes: &[u8], root: SimulatedRootKey, now: UnixMillis) {
    drop(std::hint::black_box(decode_extension(bytes)));
    let Ok(evidence) = Evidence::decode(bytes) else { return };
    assert_eq!(evidence.encode(), bytes, "evidence has one encoding");
    for role in Role::ALL {
        drop(std::hint::black_box(appraise(&evidence, &ReportData([0; 64]), role, &policy(root), now)));
    }
}

/// A policy that accepts what a fuzzer can be given seeds of.
fn policy(root: SimulatedRootKey) -> Policy {
    Role::ALL.into_iter().fold(Policy::default().danger_allow_simulated(root), |policy, role| {
        policy.with_role(role, ReferenceValues::exactly([Measurement::simulated(role, b"fuzz")]))
    })
}
