//! Auditors come and go: the old ones and the new ones both agree, or nothing changes.

use attest::manifest::{Manifest, ManifestRefusal, verify};

use crate::house::{House, NOW, Person, auditors, next, seen, signed};

/// Eve comes, Cem goes.
fn rotated(house: &House) -> Manifest {
    let one = house.manifest();
    let new = auditors(2, [&house.ada, &house.ben, &house.eve]);
    Manifest { auditors: new, replaces: Some(one.auditors.clone()), ..next(&one) }
}

#[test]
fn a_change_that_both_thresholds_signed_is_believed_by_both_sides() {
    let house = House::new();
    let two = rotated(&house);
    let envelope = signed(&two, [&house.ada, &house.ben]);
    house.check(&envelope, Ok(()));
    assert!(verify(&envelope, &two.auditors, Some(&seen(&house.manifest())), NOW).is_ok());
    // Cem's and Eve's names are explained by the manifest, whichever side trusts them.
    for envelope in [
        signed(&two, [&house.ada, &house.cem, &house.eve]),
        signed(&two, [&house.cem, &house.eve, &house.ben, &house.ada]),
    ] {
        house.check(&envelope, Ok(()));
        assert!(verify(&envelope, &two.auditors, None, NOW).is_ok());
    }
}

#[test]
fn the_new_auditors_alone_change_nothing() {
    let house = House::new();
    let envelope = signed(&rotated(&house), [&house.eve, &house.ada]);
    let refusal = ManifestRefusal::ChangeWithoutOld { found: 1, needed: 2 };
    house.check(&envelope, Err(refusal.clone()));
    assert_eq!(
        refusal.to_string(),
        "the manifest changes the auditors or their threshold, and 1 of those trusted until now signed that, 2 must"
    );
    // Nor for whoever trusts them already: the manifest says itself whom it replaces.
    let verified = verify(&envelope, &rotated(&house).auditors, None, NOW).map(drop);
    assert_eq!(verified, Err(refusal));
}

#[test]
fn the_old_auditors_alone_change_nothing() {
    let house = House::new();
    let (fay, gus) = (Person::new("fay"), Person::new("gus"));
    let one = house.manifest();
    let new = auditors(2, [&house.ada, &fay, &gus]);
    let two = Manifest { auditors: new, replaces: Some(one.auditors.clone()), ..next(&one) };
    let refusal = ManifestRefusal::ChangeWithoutNew { found: 1, needed: 2 };
    house.check(&signed(&two, [&house.ada, &house.ben]), Err(refusal.clone()));
    assert_eq!(
        refusal.to_string(),
        "the manifest changes the auditors or their threshold, and 1 of the new ones signed it, 2 must"
    );
    house.check(&signed(&two, [&house.ada, &house.ben, &gus]), Ok(()));
}

#[test]
fn a_threshold_is_lowered_by_the_old_one_only() {
    let house = House::new();
    let one = house.manifest();
    let lowered = auditors(1, [&house.ada, &house.ben, &house.cem]);
    for replaces in [None, Some(one.auditors.clone())] {
        let two = Manifest { auditors: lowered.clone(), replaces, ..next(&one) };
        house.check(&signed(&two, [&house.ada]), Err(ManifestRefusal::ChangeWithoutOld { found: 1, needed: 2 }));
        house.check(&signed(&two, [&house.ada, &house.cem]), Ok(()));
    }
}

#[test]
fn a_threshold_is_raised_by_the_new_one_too() {
    let house = House::new();
    let one = house.manifest();
    let raised = auditors(3, [&house.ada, &house.ben, &house.cem]);
    let two = Manifest { auditors: raised, replaces: Some(one.auditors.clone()), ..next(&one) };
    house
        .check(&signed(&two, [&house.ada, &house.ben]), Err(ManifestRefusal::ChangeWithoutNew { found: 2, needed: 3 }));
    house.check(&signed(&two, [&house.ada, &house.ben, &house.cem]), Ok(()));
}
