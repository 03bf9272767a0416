//! A deployment with three auditors, two of whom must sign.

use std::collections::BTreeMap;

use attest::Verified;
use attest::claims::Measurement;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::signing::AuditorSecret;
use attest::manifest::{LastSeen, Manifest, ManifestRefusal, verify};
use attest::reference::ReferenceValues;
use types::service::Role;
use types::time::UnixMillis;

/// 2026-11-23T12:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_435_200_000);
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1000;

/// Somebody who signs.
pub(crate) struct Person {
    name: &'static str,
    pub(crate) secret: AuditorSecret,
}

impl Person {
    pub(crate) fn new(name: &'static str) -> Self {
        Person { name, secret: AuditorSecret::generate() }
    }

    pub(crate) fn auditor(&self) -> Auditor {
        Auditor { name: self.name.to_owned(), key: self.secret.public() }
    }
}

pub(crate) fn auditors<const N: usize>(threshold: u32, people: [&Person; N]) -> Auditors {
    Auditors::new(threshold, people.map(Person::auditor).into()).unwrap()
}

pub(crate) struct House {
    pub(crate) ada: Person,
    pub(crate) ben: Person,
    pub(crate) cem: Person,
    pub(crate) eve: Person,
}

impl House {
    pub(crate) fn new() -> Self {
        House { ada: Person::new("ada"), ben: Person::new("ben"), cem: Person::new("cem"), eve: Person::new("eve") }
    }

    /// Ada, Ben and Cem, two of whom must sign.
    pub(crate) fn trusted(&self) -> Auditors {
        auditors(2, [&self.ada, &self.ben, &self.cem])
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let values = ReferenceValues::exactly([Measurement::SevSnp { launch_digest: [7; 48] }]);
        Manifest {
            deployment: "house".parse().unwrap(),
            version: 1,
            issued: NOW,
            expires: UnixMillis(NOW.0 + 90 * DAY_MS),
            previous: None,
            auditors: self.trusted(),
            replaces: None,
            ca_sha256: None,
            danger_simulated_root: None,
            roles: BTreeMap::from([(Role::Kms, values)]),
        }
    }

    pub(crate) fn check(&self, envelope: &[u8], expected: Result<(), ManifestRefusal>) {
        assert_eq!(self.verify(envelope).map(drop), expected);
    }

    pub(crate) fn verify(&self, envelope: &[u8]) -> Result<Verified<Manifest>, ManifestRefusal> {
        verify(envelope, &self.trusted(), None, NOW)
    }
}

/// A version that follows another.
pub(crate) fn next(manifest: &Manifest) -> Manifest {
    let (version, previous) = (manifest.version + 1, Some(manifest.digest()));
    Manifest { version, previous, ..manifest.clone() }
}

pub(crate) fn seen(manifest: &Manifest) -> LastSeen {
    LastSeen { deployment: manifest.deployment.clone(), version: manifest.version, digest: manifest.digest() }
}

pub(crate) fn signed<const N: usize>(manifest: &Manifest, people: [&Person; N]) -> Vec<u8> {
    signed_payload(manifest.to_bytes(), people)
}

pub(crate) fn signed_payload<const N: usize>(payload: Vec<u8>, people: [&Person; N]) -> Vec<u8> {
    let mut envelope = Envelope::unsigned(payload);
    for person in people {
        envelope.add(person.secret.sign(&envelope));
    }
    envelope.to_bytes()
}
