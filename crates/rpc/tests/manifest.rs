//! Manifests in files: verified, remembered across restarts, and refused when they are older than what was seen.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use attest::claims::Measurement;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::signing::AuditorSecret;
use attest::manifest::{Manifest, ManifestRefusal};
use attest::reference::ReferenceValues;
use rpc::manifest::{ManifestError, ManifestSource, load, read_auditors};
use tempfile::TempDir;
use types::service::Role;
use types::time::UnixMillis;

/// 2026-11-23T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_435_200_000);

struct House {
    dir: TempDir,
    ada: AuditorSecret,
    ben: AuditorSecret,
}

impl House {
    fn new() -> Self {
        let house =
            House { dir: tempfile::tempdir().unwrap(), ada: AuditorSecret::generate(), ben: AuditorSecret::generate() };
        fs::write(house.path("ada.pub"), house.ada.public_pem()).unwrap();
        fs::write(house.path("ben.pub"), format!("{} ben@example.org\n", house.ben.public())).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn source(&self) -> ManifestSource {
        let auditors = read_auditors(&[self.path("ada.pub"), self.path("ben.pub")], 2).unwrap();
        ManifestSource { manifest: self.path("manifest.json"), auditors, memory: self.path("seen.json") }
    }

    fn first(&self) -> Manifest {
        let values = ReferenceValues::exactly([Measurement::SevSnp { launch_digest: [7; 48] }]);
        Manifest {
            deployment: "house".parse().unwrap(),
            version: 1,
            issued: NOW,
            expires: UnixMillis(NOW.0 + 1000),
            previous: None,
            auditors: self.source().auditors,
            replaces: None,
            ca_sha256: None,
            danger_simulated_root: None,
            roles: BTreeMap::from([(Role::Kms, values)]),
        }
    }

    /// Puts a manifest where it is looked for, signed by these; readers see the old file or the new one.
    fn put<const N: usize>(&self, manifest: &Manifest, signers: [&AuditorSecret; N]) {
        let mut envelope = Envelope::unsigned(manifest.to_bytes());
        for signer in signers {
            envelope.add(signer.sign(&envelope));
        }
        fs::write(self.path("draft.json"), envelope.to_bytes()).unwrap();
        fs::rename(self.path("draft.json"), self.path("manifest.json")).unwrap();
    }

    fn load(&self) -> Result<u64, ManifestError> {
        load(&self.source(), NOW).map(|manifest| manifest.version)
    }

    fn refusal(&self) -> ManifestRefusal {
        match self.load() {
            Err(ManifestError::Refused { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    }
}

fn next(manifest: &Manifest) -> Manifest {
    Manifest { version: manifest.version + 1, previous: Some(manifest.digest()), ..manifest.clone() }
}

#[test]
fn what_was_accepted_is_remembered() {
    let house = House::new();
    let (one, two) = (house.first(), next(&house.first()));
    house.put(&one, [&house.ada, &house.ben]);
    assert_eq!(house.load().unwrap(), 1);
    assert_eq!(house.load().unwrap(), 1);
    house.put(&two, [&house.ada, &house.ben]);
    assert_eq!(house.load().unwrap(), 2);
    house.put(&one, [&house.ada, &house.ben]);
    assert_eq!(house.refusal(), ManifestRefusal::OldVersion { found: 1, last_seen: 2 });
    // What was refused changed nothing.
    house.put(&two, [&house.ada, &house.ben]);
    assert_eq!(house.load().unwrap(), 2);
    let mode = fs::metadata(house.path("seen.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_refused_is_not_remembered() {
    let house = House::new();
    house.put(&house.first(), [&house.ada]);
    assert_eq!(house.refusal(), ManifestRefusal::TooFewSignatures { found: 1, needed: 2 });
    assert!(!house.path("seen.json").exists());
}

#[test]
fn auditors_change_with_an_accepted_manifest() {
    let house = House::new();
    let cem = AuditorSecret::generate();
    let auditor = |name: &str, secret: &AuditorSecret| Auditor { name: name.to_owned(), key: secret.public() };
    let new = Auditors::new(2, vec![auditor("ben", &house.ben), auditor("cem", &cem)]).unwrap();
    let one = house.first();
    let two = Manifest { auditors: new, replaces: Some(one.auditors.clone()), ..next(&one) };
    let three = Manifest { replaces: None, ..next(&two) };
    house.put(&two, [&house.ada, &house.ben, &cem]);
    assert_eq!(house.load().unwrap(), 2);
    house.put(&three, [&house.ben, &cem]);
    assert_eq!(house.load().unwrap(), 3);
    house.put(&next(&three), [&house.ada, &house.ben]);
    assert!(matches!(house.refusal(), ManifestRefusal::UnknownKey { .. }));
    // A person who names other auditors is right, and the version still can't go back.
    let alone = Auditors::new(1, vec![auditor("cem", &cem)]).unwrap();
    house.put(&next(&three), [&house.ben, &cem]);
    let source = ManifestSource { auditors: alone, ..house.source() };
    assert_eq!(load(&source, NOW).unwrap().version, 4);
    house.put(&three, [&house.ben, &cem]);
    assert!(load(&source, NOW).is_err());
}

#[test]
fn a_damaged_memory_is_an_error_and_not_a_fresh_start() {
    let house = House::new();
    house.put(&house.first(), [&house.ada, &house.ben]);
    house.load().unwrap();
    let bytes = fs::read(house.path("seen.json")).unwrap();
    for damaged in [&b""[..], b"{}", &bytes[..bytes.len() / 2]] {
        fs::write(house.path("seen.json"), damaged).unwrap();
        let error = house.load().unwrap_err();
        assert!(matches!(error, ManifestError::Memory { .. }), "{error:?}");
    }
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let house = House::new();
    let error = house.load().unwrap_err();
    assert_eq!(error.to_string(), house.path("manifest.json").display().to_string());
    let error = read_auditors(&[house.path("nobody.pub")], 1).unwrap_err();
    assert!(matches!(error, ManifestError::Io { .. }), "{error:?}");
    fs::write(house.path("ada.key"), house.ada.danger_to_pem().as_bytes()).unwrap();
    let error = read_auditors(&[house.path("ada.key")], 1).unwrap_err();
    assert!(matches!(error, ManifestError::Key { .. }), "{error:?}");
    let error = read_auditors(&[house.path("ada.pub")], 0).unwrap_err();
    assert!(matches!(error, ManifestError::Auditors(_)), "{error:?}");
}

#[test]
fn processes_that_share_a_memory_take_turns() {
    let house = House::new();
    let mut manifest = house.first();
    house.put(&manifest, [&house.ada, &house.ben]);
    house.load().unwrap();
    let source = house.source();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| drop(load(&source, NOW))));
        }
        for _ in 0..10 {
            manifest = next(&manifest);
            house.put(&manifest, [&house.ada, &house.ben]);
            house.load().unwrap();
        }
    });
    assert_eq!(house.load().unwrap(), manifest.version);
    house.put(&house.first(), [&house.ada, &house.ben]);
    assert_eq!(house.refusal(), ManifestRefusal::OldVersion { found: 1, last_seen: manifest.version });
}
