//! Quotes that a TPM could make, and those that none would.

use attest::appraise::Verifier;
use attest::claims::{Claims, Measurement, Mode, PlatformId, Specifics};
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Accepted, Policy, ReferenceValues};
use attest::refusal::{Fault, Refusal};
use attest::tpm::{PcrSelection, TpmEvidence};
use crypto::hash::Sha256;
use forge::tpm::{ATTESTATION_KEY, ForgedTpm, PcrQuote};
use types::service::Role;
use types::time::UnixMillis;

const REPORT_DATA: ReportData = ReportData([0x44; 64]);
const VALUES: [[u8; 32]; 3] = [[1; 32], [2; 32], [3; 32]];

fn pcrs() -> PcrSelection {
    PcrSelection::new([0, 7, 11]).unwrap()
}

fn values() -> ReferenceValues {
    ReferenceValues { tpm_pcrs: pcrs(), ..ReferenceValues::exactly(pcrs().measurement(&VALUES)) }
}

fn policy(tpm: &ForgedTpm, values: ReferenceValues) -> Policy {
    Policy::default().with_role(Role::Kms, values).with_tpm_key(tpm.key_name())
}

fn appraise(policy: &Policy, bytes: &[u8], expected: &ReportData) -> Result<Claims, Refusal> {
    let evidence = Evidence::new(Platform::Tpm, bytes.to_vec())?;
    let verifier = Verifier { policy, collateral: &Collateral::default() };
    verifier.appraise(&evidence, expected, Role::Kms, UnixMillis(0)).map(|verified| verified.into_inner())
}

fn check(tpm: &ForgedTpm, quote: &PcrQuote, expected: Result<(), Refusal>) {
    let found = appraise(&policy(tpm, values()), &tpm.quote(quote).encode(), &REPORT_DATA);
    assert_eq!(found.map(|_| ()), expected, "{quote:?}");
}

fn honest() -> PcrQuote {
    PcrQuote::honest(pcrs(), &VALUES, &REPORT_DATA)
}

#[test]
fn each_scheme_verifies_and_no_byte_can_be_another() {
    for tpm in [ForgedTpm::ecdsa(), ForgedTpm::rsassa(), ForgedTpm::rsapss()] {
        let policy = policy(&tpm, values());
        let good = tpm.quote(&honest()).encode();
        assert!(appraise(&policy, &good, &REPORT_DATA).is_ok());
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut changed = good.clone();
                changed[at] ^= 1 << bit;
                assert!(appraise(&policy, &changed, &REPORT_DATA).is_err(), "byte {at} bit {bit}");
            }
            assert!(appraise(&policy, &good[..at], &REPORT_DATA).is_err(), "{at} bytes");
        }
        assert!(appraise(&policy, &[&good[..], &[0]].concat(), &REPORT_DATA).is_err());
    }
}

#[test]
fn claims_are_the_quotes() {
    let tpm = ForgedTpm::ecdsa();
    let evidence = tpm.evidence(pcrs(), &VALUES, &REPORT_DATA);
    let claims = appraise(&policy(&tpm, values()), evidence.bytes(), &REPORT_DATA).unwrap();
    assert_eq!(claims.measurement, Measurement::Tpm { pcr_digest: Sha256::digest(VALUES.as_flattened()) });
    assert_eq!((claims.mode, claims.report_data), (Mode::Production, REPORT_DATA));
    assert_eq!(claims.platform_ids, [PlatformId::TpmKey(tpm.key_name().0)].into());
    assert_eq!(claims.specifics, Specifics::Tpm(pcrs()));
}

#[test]
fn every_state_has_its_own_refusal() {
    let tpm = ForgedTpm::ecdsa();
    let malformed = |fault| Err(Refusal::Malformed { part: "TPM quote", fault });
    let expected = |what| malformed(Fault::Expected(what));
    check(&tpm, &honest(), Ok(()));
    check(&tpm, &PcrQuote { magic: 0xff54_4348, ..honest() }, expected("what a TPM generated"));
    check(&tpm, &PcrQuote { kind: 0x8017, ..honest() }, expected("a quote"));
    check(&tpm, &PcrQuote { safe: 0, ..honest() }, expected("a clock that is safe"));
    check(&tpm, &PcrQuote { safe: 2, ..honest() }, expected("a clock that is safe"));
    check(&tpm, &PcrQuote { extra_data: vec![0; 32], ..honest() }, Err(Refusal::ReportDataDiffers));
    check(&tpm, &PcrQuote { extra_data: REPORT_DATA.0.to_vec(), ..honest() }, expected("a SHA-256"));
    check(&tpm, &PcrQuote { pcr_digest: vec![0; 20], ..honest() }, expected("a SHA-256"));

    let other = Measurement::Tpm { pcr_digest: [9; 32] };
    let unknown = Refusal::MeasurementUnknown { role: Role::Kms, measurement: Box::new(other) };
    check(&tpm, &PcrQuote { pcr_digest: vec![9; 32], ..honest() }, Err(unknown));
    let found = PcrSelection::new([1, 7, 11]).unwrap();
    let selection = PcrQuote::honest(found, &VALUES, &REPORT_DATA).selection;
    check(&tpm, &PcrQuote { selection, ..honest() }, Err(Refusal::PcrSelection { found, accepted: pcrs() }));
}

#[test]
fn selections_that_could_mean_something_else_are_refused() {
    let tpm = ForgedTpm::ecdsa();
    let bank = |hash: [u8; 2], bits: &[u8]| [&hash[..], &[u8::try_from(bits.len()).unwrap()], bits].concat();
    let list =
        |banks: &[Vec<u8>]| [u32::try_from(banks.len()).unwrap().to_be_bytes().to_vec(), banks.concat()].concat();
    let sha256 = [0, 0x0b];
    let cases = [
        (list(&[]), "PCRs of one bank"),
        (list(&[bank(sha256, &[0x81, 8, 0]), bank(sha256, &[0x81, 8, 0])]), "PCRs of one bank"),
        (list(&[bank([0, 0x04], &[0x81, 8, 0])]), "PCRs of the SHA-256 bank"),
        (list(&[bank(sha256, &[0x81, 8, 1])]), "PCRs 0 to 15"),
        (list(&[bank(sha256, &[0x81, 8, 0, 0])]), "PCRs 0 to 15"),
    ];
    for (selection, what) in cases {
        let fault = Fault::Expected(what);
        check(&tpm, &PcrQuote { selection, ..honest() }, Err(Refusal::Malformed { part: "TPM quote", fault }));
    }
}

#[test]
fn keys_that_are_not_listed_or_no_attestation_keys_are_refused() {
    let (tpm, other) = (ForgedTpm::ecdsa(), ForgedTpm::ecdsa());
    let bytes = other.quote(&honest()).encode();
    let found = appraise(&policy(&tpm, values()), &bytes, &REPORT_DATA);
    assert_eq!(found, Err(Refusal::TpmKeyUnknown(other.key_name())));
    let none = Policy::default().with_role(Role::Kms, values());
    assert_eq!(appraise(&none, &bytes, &REPORT_DATA), Err(Refusal::TpmKeyUnknown(other.key_name())));

    for bit in [1, 4, 5, 16, 17, 18] {
        let tpm = ForgedTpm::ecdsa().with_attributes(ATTESTATION_KEY ^ 1 << bit);
        let fault = Fault::Expected("an attestation key's attributes");
        check(&tpm, &honest(), Err(Refusal::Malformed { part: "TPM attestation key", fault }));
    }
    let signature = other.quote(&honest()).signature;
    let mixed = TpmEvidence { signature, ..tpm.quote(&honest()) };
    assert_eq!(appraise(&policy(&tpm, values()), &mixed.encode(), &REPORT_DATA), Err(Refusal::BadSignature));
}

#[test]
fn a_signature_of_another_scheme_is_refused() {
    let (pkcs1, pss) = (ForgedTpm::rsassa(), ForgedTpm::rsapss());
    let mut evidence = pkcs1.quote(&honest());
    evidence.signature = pss.quote(&honest()).signature;
    assert_eq!(appraise(&policy(&pkcs1, values()), &evidence.encode(), &REPORT_DATA), Err(Refusal::BadSignature));
}

#[test]
fn the_machine_can_be_listed() {
    let tpm = ForgedTpm::ecdsa();
    let bytes = tpm.quote(&honest()).encode();
    let listed = |id| ReferenceValues { platform_ids: Accepted::Only([PlatformId::TpmKey(id)].into()), ..values() };
    assert!(appraise(&policy(&tpm, listed(tpm.key_name().0)), &bytes, &REPORT_DATA).is_ok());
    let by_role = Policy::default().with_role(Role::Kms, listed(tpm.key_name().0));
    assert!(appraise(&by_role, &bytes, &REPORT_DATA).is_ok(), "a machine that the role lists is believed");
    let other = Policy::default().with_role(Role::Kms, listed([0; 32]));
    assert_eq!(appraise(&other, &bytes, &REPORT_DATA), Err(Refusal::TpmKeyUnknown(tpm.key_name())));
    let found = appraise(&policy(&tpm, listed([0; 32])), &bytes, &REPORT_DATA);
    assert!(matches!(found, Err(Refusal::PlatformNotListed { .. })));
}
