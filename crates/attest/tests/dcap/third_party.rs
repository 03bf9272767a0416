//! Certificates that other implementations made on real machines, byte for byte; see `tests/data/ra-tls/README.md`.
//!
//! They decode, their claims name their keys, their quotes are whole, lead to Intel's root, and are signed from there
//! down to the report data. What stops an appraisal is collateral alone: nobody kept Intel's word on these machines.

use attest::appraise::Verifier;
use attest::certificate::bound_evidence;
use attest::claims::Measurement;
use attest::collateral::Collateral;
use attest::dcap::layout::fields;
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::{IdentityRefusal, Refusal};
use crypto::hash::Sha256;
use crypto::verify::p256_fixed;
use types::service::Role;
use types::time::UnixMillis;
use x509_parser::pem::Pem;

use crate::samples::{SGX_V3, TDX_V4, policy};

/// 2024-01-08, when they were published.
const NOW: UnixMillis = UnixMillis(1_704_672_000_000);

const GRAMINE: &[u8] = include_bytes!("../data/ra-tls/gramine.der");
const INTEL_SGX_SDK: &[u8] = include_bytes!("../data/ra-tls/intel-sgxsdk.der");
const RATS_TLS: &[u8] = include_bytes!("../data/ra-tls/rats-tls.der");

/// The machines' FMSPC, and which of Intel's CAs issued for them.
const ICE_LAKE: &str = "00606a000000 (CN=Intel SGX PCK Platform CA,";
const COFFEE_LAKE: &str = "00706a100000 (CN=Intel SGX PCK Processor CA,";

/// The last field of this name.
fn field<'a>(quote: &'a [u8], name: &str) -> &'a [u8] {
    let found = fields(quote).unwrap().into_iter().rfind(|field| field.name == name).unwrap();
    &quote[found.range]
}

/// Accepts whatever enclave this is, with every weakness.
fn lenient(quote: &[u8]) -> Policy {
    let part = |name| field(quote, name).try_into().unwrap();
    let measurement = Measurement::Sgx { mrenclave: part("MRENCLAVE"), mrsigner: part("MRSIGNER") };
    policy(ReferenceValues { allowances: Allowance::ALL.into(), ..ReferenceValues::exactly([measurement]) })
}

/// The signatures of a quote that rest on no collateral, from the PCK certificate down, checked without the verifier.
fn check_signatures(quote: &[u8]) {
    let pem = Pem::iter_from_buffer(field(quote, "PCK certificate chain")).next().unwrap().unwrap();
    let pck = pem.parse_x509().unwrap();
    let part = |name| field(quote, name);
    let signature = |name| part(name).try_into().unwrap();
    assert_eq!(
        p256_fixed(&pck.public_key().subject_public_key.data, part("QE report"), &signature("QE report signature")),
        Ok(())
    );
    let bound = Sha256::digest(&[part("attestation key"), part("QE authentication data")].concat());
    assert_eq!(part("QE report")[320..352], bound);
    let attestation_key = [&[4], part("attestation key")].concat();
    assert_eq!(p256_fixed(&attestation_key, &quote[..432], &signature("signature")), Ok(()));
}

/// Everything holds, up to the collateral of machines of this kind.
fn check_up_to_collateral(certificate: &[u8], kind: &str) {
    let bound = bound_evidence(certificate).unwrap();
    let quote = bound.evidence.bytes();
    assert_eq!(bound.evidence.platform(), Platform::Sgx);
    assert_eq!(field(quote, "REPORTDATA"), bound.report_data.0);
    check_signatures(quote);

    let policy = lenient(quote);
    for collateral in [Collateral::default(), SGX_V3.collateral(), TDX_V4.collateral()] {
        let verifier = Verifier { policy: &policy, collateral: &collateral };
        let refused = verifier.appraise(&bound.evidence, &bound.report_data, Role::Kms, NOW).map(|_| ());
        let Err(Refusal::CollateralMissing { platform: Platform::Sgx, kind: found }) = refused else {
            panic!("{refused:?}")
        };
        assert!(found.starts_with(kind), "{found}");
        // It is nobody of ours all the same.
        let peer = verifier.appraise_certificate(certificate, &Role::ALL, &"house".parse().unwrap(), NOW);
        assert_eq!(peer.map(|_| ()), Err(Refusal::Identity(IdentityRefusal::Missing)));
    }
}

#[test]
fn gramines_certificate_holds_up_to_its_collateral() {
    check_up_to_collateral(GRAMINE, ICE_LAKE);
}

#[test]
fn intels_certificate_holds_up_to_its_collateral() {
    check_up_to_collateral(INTEL_SGX_SDK, COFFEE_LAKE);
}

#[test]
fn rats_tls_certificate_holds_up_to_its_collateral() {
    check_up_to_collateral(RATS_TLS, ICE_LAKE);
}
