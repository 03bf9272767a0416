//! Every reason for which a manifest is refused, each with its own error and its own words.

use std::error::Error;

use attest::manifest::auditors::{Auditors, BadAuditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::{LastSeen, Malformed, Manifest, ManifestRefusal, verify};
use types::time::UnixMillis;

use crate::house::{DAY_MS, House, NOW, auditors, next, seen, signed, signed_payload};

/// An error and what is behind it, as a person reads it.
fn words(error: &dyn Error) -> String {
    let cause = error.source().map(|source| format!(": {}", words(source)));
    format!("{error}{}", cause.unwrap_or_default())
}

fn refused(result: Result<impl Sized, ManifestRefusal>) -> (ManifestRefusal, String) {
    let refusal = result.err().expect("is refused");
    let words = words(&refusal);
    (refusal, words)
}

#[test]
fn what_enough_auditors_signed_is_believed() {
    let house = House::new();
    let manifest = house.manifest();
    for envelope in [
        signed(&manifest, [&house.ada, &house.ben]),
        signed(&manifest, [&house.cem, &house.ada]),
        signed(&manifest, [&house.cem, &house.ben, &house.ada]),
    ] {
        assert_eq!(house.verify(&envelope).unwrap().to_bytes(), manifest.to_bytes());
    }
}

#[test]
fn zero_signatures() {
    let house = House::new();
    let (refusal, words) = refused(house.verify(&signed(&house.manifest(), [])));
    assert_eq!((refusal, &*words), (ManifestRefusal::Unsigned, "nobody has signed the manifest"));
}

#[test]
fn fewer_than_the_threshold() {
    let house = House::new();
    let (refusal, words) = refused(house.verify(&signed(&house.manifest(), [&house.ada])));
    assert_eq!(refusal, ManifestRefusal::TooFewSignatures { found: 1, needed: 2 });
    assert_eq!(words, "1 of the trusted auditors signed the manifest, 2 must");
}

#[test]
fn one_auditor_twice() {
    let house = House::new();
    let (refusal, words) = refused(house.verify(&signed(&house.manifest(), [&house.ada, &house.ada])));
    assert_eq!(refusal, ManifestRefusal::SignedTwice("ada".to_owned()));
    assert_eq!(words, "auditor `ada` signed the manifest twice; a signature counts once, and so it must be there once");
    house.check(&signed(&house.manifest(), [&house.ada, &house.ben, &house.ada]), Err(refusal));
}

#[test]
fn one_key_under_two_names_can_not_be_trusted() {
    let house = House::new();
    let mut twin = house.ada.auditor();
    twin.name = "adah".to_owned();
    let error = Auditors::new(2, vec![house.ada.auditor(), twin]).unwrap_err();
    assert!(matches!(error, BadAuditors::KeyTwice(..)), "{error:?}");
}

#[test]
fn an_unknown_key() {
    let house = House::new();
    let eve = house.eve.secret.public().fingerprint();
    let (refusal, words) = refused(house.verify(&signed(&house.manifest(), [&house.ada, &house.eve])));
    assert_eq!(refusal, ManifestRefusal::UnknownKey { key: eve.clone(), found: 1, needed: 2 });
    assert_eq!(
        words,
        format!("the manifest is signed by {eve}, which is no trusted auditor's; 1 of the trusted ones signed, 2 must")
    );
    // Also where enough others signed: a signature that nobody can explain is a reason to look.
    house.check(
        &signed(&house.manifest(), [&house.ada, &house.eve, &house.ben]),
        Err(ManifestRefusal::UnknownKey { key: eve, found: 2, needed: 2 }),
    );
}

/// A `keyid` is a hint, and no more: Eve's signature under Ada's name is nobody's, Ada's without a name is hers.
#[test]
fn a_keyid_proves_nothing() {
    let house = House::new();
    let rename = |envelope: Vec<u8>, from: &str, to: &str| {
        let text = String::from_utf8(envelope).unwrap();
        assert!(text.contains(from));
        text.replace(from, to).into_bytes()
    };
    let (ada, ben, eve) = (&house.ada.secret.public(), &house.ben.secret.public(), &house.eve.secret.public());
    let envelope = signed(&house.manifest(), [&house.eve, &house.ben]);
    let envelope = rename(envelope, &eve.fingerprint(), &ada.fingerprint());
    house.check(&envelope, Err(ManifestRefusal::BadSignature("ada".to_owned())));
    let envelope = signed(&house.manifest(), [&house.ada, &house.ben]);
    let envelope = rename(envelope, &ada.fingerprint(), "");
    house.check(&envelope, Ok(()));
    house.check(&rename(envelope, &ben.fingerprint(), "a name of another tool"), Ok(()));
}

#[test]
fn versions_below_the_last_seen() {
    let house = House::new();
    let (one, two) = (house.manifest(), next(&house.manifest()));
    let envelope = signed(&one, [&house.ada, &house.ben]);
    let (refusal, words) = refused(verify(&envelope, &house.trusted(), Some(&seen(&two)), NOW));
    assert_eq!(refusal, ManifestRefusal::OldVersion { found: 1, last_seen: 2 });
    assert_eq!(words, "the manifest is version 1, but version 2 was seen before");
}

#[test]
fn the_last_seen_version_again_and_another_of_its_number() {
    let house = House::new();
    let one = house.manifest();
    let envelope = signed(&one, [&house.ada, &house.ben]);
    assert!(verify(&envelope, &house.trusted(), Some(&seen(&one)), NOW).is_ok());
    let other = Manifest { expires: UnixMillis(one.expires.0 + DAY_MS), ..one.clone() };
    let (refusal, words) = refused(verify(&envelope, &house.trusted(), Some(&seen(&other)), NOW));
    let (found, seen) = (one.digest(), other.digest());
    assert_eq!(refusal, ManifestRefusal::VersionTwice { version: 1, found, seen });
    assert_eq!(
        words,
        format!("the manifest is another version 1 than the one that was seen before: {found}, not {seen}")
    );
}

#[test]
fn a_wrong_previous_digest() {
    let house = House::new();
    let one = house.manifest();
    let other = Manifest { expires: UnixMillis(one.expires.0 + DAY_MS), ..one.clone() };
    let two = next(&other);
    let envelope = signed(&two, [&house.ada, &house.ben]);
    assert!(verify(&envelope, &house.trusted(), Some(&seen(&other)), NOW).is_ok());
    let (refusal, words) = refused(verify(&envelope, &house.trusted(), Some(&seen(&one)), NOW));
    let (found, seen) = (other.digest(), one.digest());
    assert_eq!(refusal, ManifestRefusal::OtherPrevious { found, seen });
    assert_eq!(words, format!("the manifest follows {found}, but the version before it that was seen is {seen}"));
}

/// Whoever was away for a version has nothing to compare `previous` with.
#[test]
fn a_skipped_version_is_believed() {
    let house = House::new();
    let one = house.manifest();
    let three = next(&next(&one));
    let envelope = signed(&three, [&house.ada, &house.ben]);
    assert!(verify(&envelope, &house.trusted(), Some(&seen(&one)), NOW).is_ok());
}

#[test]
fn another_deployments_manifest() {
    let house = House::new();
    let one = house.manifest();
    let last = LastSeen { deployment: "other".parse().unwrap(), ..seen(&one) };
    let envelope = signed(&one, [&house.ada, &house.ben]);
    let (refusal, words) = refused(verify(&envelope, &house.trusted(), Some(&last), NOW));
    assert!(matches!(refusal, ManifestRefusal::OtherDeployment { .. }));
    assert_eq!(words, "the manifest is for deployment `house`, not `other`");
}

#[test]
fn dates() {
    let house = House::new();
    let manifest = house.manifest();
    let envelope = signed(&manifest, [&house.ada, &house.ben]);
    let at = |now| verify(&envelope, &house.trusted(), None, UnixMillis(now));
    assert!(at(manifest.issued.0).is_ok() && at(manifest.expires.0).is_ok());
    let (refusal, words) = refused(at(manifest.expires.0 + 1));
    assert_eq!(refusal, ManifestRefusal::Expired(manifest.expires));
    assert_eq!(words, "the manifest expired at 2027-02-21T12:00:00Z");
    let (refusal, words) = refused(at(manifest.issued.0 - 1));
    assert_eq!(refusal, ManifestRefusal::NotYetValid(manifest.issued));
    assert_eq!(words, "the manifest is valid only from 2026-11-23T12:00:00Z");
}

#[test]
fn an_altered_payload_type() {
    let house = House::new();
    let envelope = String::from_utf8(signed(&house.manifest(), [&house.ada, &house.ben])).unwrap();
    let envelope = envelope.replace("vnd.teehouse.manifest+json", "vnd.in-toto+json");
    let (refusal, words) = refused(house.verify(envelope.as_bytes()));
    assert_eq!(refusal, ManifestRefusal::PayloadType("application/vnd.in-toto+json".to_owned()));
    assert_eq!(
        words,
        "the payload's type is `application/vnd.in-toto+json`, not `application/vnd.teehouse.manifest+json`"
    );
}

/// The type is under the signature: what was signed as something else can't be passed off as a manifest.
#[test]
fn a_payload_that_was_signed_as_another_type() {
    let house = House::new();
    let unsigned = String::from_utf8(signed(&house.manifest(), [])).unwrap();
    let other = unsigned.replace("vnd.teehouse.manifest+json", "vnd.in-toto+json");
    let mut envelope = Envelope::from_bytes(other.as_bytes()).unwrap();
    envelope.add(house.ada.secret.sign(&envelope));
    envelope.add(house.ben.secret.sign(&envelope));
    let passed_off = String::from_utf8(envelope.to_bytes()).unwrap();
    let passed_off = passed_off.replace("vnd.in-toto+json", "vnd.teehouse.manifest+json");
    let (refusal, words) = refused(house.verify(passed_off.as_bytes()));
    assert_eq!(refusal, ManifestRefusal::BadSignature("ada".to_owned()));
    assert_eq!(words, "auditor `ada`'s signature does not verify: the manifest was changed after it was signed");
}

#[test]
fn a_threshold_of_zero() {
    let house = House::new();
    assert_eq!(Auditors::new(0, vec![house.ada.auditor()]), Err(BadAuditors::ThresholdZero));
    let text = String::from_utf8(house.manifest().to_bytes()).unwrap();
    let payload = text.replace(r#""threshold":2"#, r#""threshold":0"#).into_bytes();
    let (refusal, words) = refused(house.verify(&signed_payload(payload, [&house.ada, &house.ben])));
    assert_eq!(refusal, ManifestRefusal::Malformed(Malformed::Auditors(BadAuditors::ThresholdZero)));
    assert_eq!(
        words,
        "the manifest is malformed: its auditors are refused: the threshold is 0: at least one auditor must sign"
    );
}

#[test]
fn a_threshold_that_nobody_can_reach() {
    let house = House::new();
    let text = String::from_utf8(house.manifest().to_bytes()).unwrap();
    let payload = text.replace(r#""threshold":2"#, r#""threshold":4"#).into_bytes();
    let unreachable = BadAuditors::ThresholdUnreachable { threshold: 4, auditors: 3 };
    house.check(&signed_payload(payload, [&house.ada, &house.ben]), Err(Malformed::from(unreachable).into()));
}

/// A malformed payload is never looked into before enough auditors signed it.
#[test]
fn signatures_come_before_the_payload() {
    let house = House::new();
    let payload = b"[[[[ no manifest".to_vec();
    house.check(&signed_payload(payload.clone(), []), Err(ManifestRefusal::Unsigned));
    house.check(
        &signed_payload(payload.clone(), [&house.ada]),
        Err(ManifestRefusal::TooFewSignatures { found: 1, needed: 2 }),
    );
    let (refusal, words) = refused(house.verify(&signed_payload(payload, [&house.ada, &house.ben])));
    assert!(matches!(refusal, ManifestRefusal::Malformed(Malformed::Json { part: "payload", .. })), "{refusal:?}");
    assert!(words.starts_with("the manifest is malformed: payload: "), "{words}");
}

/// Names of three auditors, one of whom is enough for somebody who trusts only her.
#[test]
fn whoever_trusts_fewer_auditors_still_needs_all_that_the_manifest_names() {
    let house = House::new();
    let trusted = auditors(1, [&house.ada]);
    let verified = |envelope: &[u8]| verify(envelope, &trusted, None, NOW).map(drop);
    assert_eq!(verified(&signed(&house.manifest(), [&house.ada, &house.cem])), Ok(()));
    assert_eq!(
        verified(&signed(&house.manifest(), [&house.ada])),
        Err(ManifestRefusal::ChangeWithoutNew { found: 1, needed: 2 })
    );
}
