//! What is remembered between two manifests.

use attest::manifest::Manifest;
use attest::manifest::memory::Memory;

use crate::house::{House, auditors, next, seen, signed};

#[test]
fn a_memory_reads_back() {
    let house = House::new();
    let manifest = house.verify(&signed(&house.manifest(), [&house.ada, &house.ben])).unwrap();
    let memory = Memory::of(&manifest, &house.trusted());
    assert_eq!(*memory.last_seen(), seen(&house.manifest()));
    let bytes = memory.to_bytes();
    assert_eq!(Memory::from_bytes(&bytes), Ok(memory));
    for end in 0..bytes.len() - 1 {
        assert!(Memory::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn trust_moves_on_with_the_manifest_until_a_person_names_others() {
    let house = House::new();
    let one = house.manifest();
    let new = auditors(1, [&house.ada, &house.eve]);
    let two = Manifest { auditors: new.clone(), replaces: Some(one.auditors.clone()), ..next(&one) };
    let manifest = house.verify(&signed(&two, [&house.ada, &house.ben])).unwrap();
    let memory = Memory::of(&manifest, &house.trusted());
    assert_eq!(*memory.trusted(&house.trusted()), new);
    let named = auditors(1, [&house.cem]);
    assert_eq!(*memory.trusted(&named), named);
}
