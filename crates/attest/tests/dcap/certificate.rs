//! Certificates in the interoperable RA-TLS form with forged evidence: ours, and in the forms of third parties.
//!
//! The third parties' forms are those of Gramine, of Intel's SGX SDK and of rats-tls, as the Confidential Computing
//! Consortium's "Interoperable RA-TLS" documents have them; their own certificates are in `third_party`.

use std::sync::Arc;

use attest::appraise::Verifier;
use attest::attester::Attester;
use attest::authority::{CertificateAuthority, LeafRequest};
use attest::certificate::bound_evidence;
use attest::collateral::Collateral;
use attest::extension::attest_key;
use attest::leaf::LeafKey;
use attest::platform::Platform;
use attest::reference::{Policy, ReferenceValues};
use attest::refusal::{Fault, IdentityRefusal, Refusal};
use attest::validity::Validity;
use crypto::hash::Sha256;
use forge::{Domain, DomainVersion, Enclave, Forge, Machine, SgxAttester, TdxAttester};
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P384_SHA384};
use types::service::Role;

use crate::forged::{NOW, REPORT_DATA, believing, collateral_of, domain_values, enclave_values};
use crate::samples::policy;

/// Accepted by whoever believes the forge, and refused by everyone else.
fn check_believers(attester: &dyn Attester, forge: &Forge, values: ReferenceValues, collateral: &Collateral) {
    let validity = Validity::starting(NOW, std::time::Duration::from_secs(3600));
    let authority = CertificateAuthority::generate("house".parse().unwrap(), validity).unwrap();
    let key = LeafKey::generate().public();
    let leaf = authority.issue(&LeafRequest {
        role: Role::Kms,
        public_key: &key,
        dns_names: &[],
        ip_addresses: &[],
        evidence: &attest_key(attester, key.spki(), NOW).unwrap(),
        validity,
    });
    let leaf = leaf.unwrap();
    let appraised = |policy: Policy| {
        Verifier { policy: &policy, collateral }.appraise_certificate(&leaf, &[Role::Kms], authority.deployment(), NOW)
    };
    let peer = appraised(believing(forge, values.clone())).unwrap();
    assert_eq!((peer.role, peer.claims.platform()), (Role::Kms, attester.platform()));
    let refused = appraised(policy(values)).map(|_| ());
    assert_eq!(refused, Err(Refusal::OtherRoot(attester.platform())));
}

#[test]
fn our_certificates_carry_quotes() {
    let forge = Arc::new(Forge::new(NOW));
    let machine = Machine::default();
    let installed = forge.install(machine.clone());
    let enclave = Enclave::new(REPORT_DATA);
    let values = enclave_values(&enclave);
    let attester = SgxAttester { forge: forge.clone(), machine: machine.clone(), enclave };
    check_believers(&attester, &forge, values, &collateral_of(&installed, Platform::Sgx));
    for version in [DomainVersion::V4, DomainVersion::V5] {
        let domain = Domain { version, ..Domain::new(REPORT_DATA) };
        let values = domain_values(&domain);
        let attester = TdxAttester { forge: forge.clone(), machine: machine.clone(), domain };
        check_believers(&attester, &forge, values, &collateral_of(&installed, Platform::Tdx));
    }
}

/// `tcg-dice-conceptual-message-wrapper` and, beside it, endorsements, which we read over: collateral is our own.
const EVIDENCE: [u64; 6] = [2, 23, 133, 5, 4, 9];
const ENDORSEMENTS: [u64; 6] = [2, 23, 133, 5, 4, 2];

/// A self-signed certificate of a third party, on P-384 as Gramine's are: no names that we know, and `claims` as the
/// CBOR map that the evidence is made for.
fn third_party(forge: &Forge, tag: u16, claims: impl FnOnce(&[u8; 32]) -> Vec<u8>) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let claims = claims(&Sha256::digest(&rcgen::PublicKeyData::subject_public_key_info(&key)));
    let bound = attest::evidence::ReportData::from_sha256(Sha256::digest(&claims));
    let quote = forge.install(Machine::default()).sgx_quote(&Enclave::new(bound));
    let extension = [&[0xd9][..], &tag.to_be_bytes(), &[0x82], &bytes(&quote), &bytes(&claims)].concat();
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 12, 31);
    params.custom_extensions = vec![
        CustomExtension::from_oid_content(&EVIDENCE, extension),
        CustomExtension::from_oid_content(&ENDORSEMENTS, vec![0xd9, 0xea, 0x60, 0x81, 0x01]),
    ];
    params.self_signed(&key).unwrap().der().to_vec()
}

/// A CBOR byte string with a shortest head; nothing here has 64 KiB.
fn bytes(value: &[u8]) -> Vec<u8> {
    let head = match value.len() {
        length @ 0..24 => vec![0x40 | length as u8],
        length @ 24..256 => vec![0x58, length as u8],
        length => vec![0x59, (length >> 8) as u8, length as u8],
    };
    [head, value.to_vec()].concat()
}

/// `"pubkey-hash": h'[1, SHA-256(SPKI)]'`, as in every published certificate.
fn pubkey_hash(hash: &[u8; 32]) -> Vec<u8> {
    [b"\x6bpubkey-hash\x58\x24\x82\x01\x58\x20".as_slice(), hash].concat()
}

fn check_third_party(claims: impl FnOnce(&[u8; 32]) -> Vec<u8>) {
    let forge = Forge::new(NOW);
    let certificate = third_party(&forge, 60_000, claims);
    let bound = bound_evidence(&certificate).unwrap();
    let policy = believing(&forge, enclave_values(&Enclave::new(REPORT_DATA)));
    let collateral = collateral_of(&forge.install(Machine::default()), Platform::Sgx);
    let verifier = Verifier { policy: &policy, collateral: &collateral };
    let claims = verifier.appraise(&bound.evidence, &bound.report_data, Role::Kms, NOW).unwrap();
    assert_eq!(claims.platform(), Platform::Sgx);
    // It is nobody of ours all the same.
    let peer = verifier.appraise_certificate(&certificate, &Role::ALL, &"house".parse().unwrap(), NOW);
    assert_eq!(peer.map(|_| ()), Err(Refusal::Identity(IdentityRefusal::Missing)));
}

#[test]
fn third_parties_certificates_decode_and_verify() {
    // Gramine and Intel's SDK.
    check_third_party(|hash| [&[0xa1][..], &pubkey_hash(hash)].concat());
    // With a nonce, as the documents allow.
    check_third_party(|hash| [&[0xa2][..], &pubkey_hash(hash), b"\x65nonce", &bytes(&[7; 32])].concat());
    // rats-tls, with its user's own claims, which end in NUL.
    check_third_party(|hash| {
        [&[0xa3][..], &pubkey_hash(hash), b"\x65key_0\x48value_0\0", b"\x65key_1\x48value_1\0"].concat()
    });
}

#[test]
fn evidence_for_another_key_and_other_tags_are_refused() {
    let forge = Forge::new(NOW);
    let other = third_party(&forge, 60_000, |_| [&[0xa1][..], &pubkey_hash(&[0; 32])].concat());
    assert_eq!(bound_evidence(&other), Err(Refusal::KeyNotBound));
    // 60001 and 60002 are reports, which only the same machine can check.
    for tag in [60_001, 60_002] {
        let report = third_party(&forge, tag, |hash| [&[0xa1][..], &pubkey_hash(hash)].concat());
        let fault = Fault::Expected("the tag 60000");
        assert_eq!(bound_evidence(&report), Err(Refusal::Malformed { part: "evidence extension", fault }));
    }
    let plain = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_eq!(bound_evidence(plain.der()), Err(Refusal::EvidenceMissing));
}

/// A verifier without collateral for a machine refuses, whatever else is right.
#[test]
fn without_collateral_nobody_is_accepted() {
    let forge = Forge::new(NOW);
    let certificate = third_party(&forge, 60_000, |hash| [&[0xa1][..], &pubkey_hash(hash)].concat());
    let bound = bound_evidence(&certificate).unwrap();
    let policy = believing(&forge, ReferenceValues { ..enclave_values(&Enclave::new(REPORT_DATA)) });
    let verifier = Verifier { policy: &policy, collateral: &Collateral::default() };
    let refused = verifier.appraise(&bound.evidence, &bound.report_data, Role::Kms, NOW).map(|_| ());
    assert!(matches!(refused, Err(Refusal::CollateralMissing { platform: Platform::Sgx, .. })));
}
