//! The decision whether a manifest is believed.

use std::collections::BTreeSet;

use types::digest::Digest;
use types::time::UnixMillis;

use crate::identity::Deployment;
use crate::manifest::auditors::{Auditor, Auditors};
use crate::manifest::envelope::{Envelope, PAYLOAD_TYPE, Signature, Signer};
use crate::manifest::key::AuditorKey;
use crate::manifest::payload::peek_auditors;
use crate::manifest::refusal::plain;
use crate::manifest::{Manifest, ManifestRefusal};
use crate::verified::Verified;

/// The newest manifest that was accepted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// Whose it was.
    pub deployment: Deployment,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Decides whether the manifest in `envelope` is to be believed by whoever trusts these auditors.
///
/// In this order: the envelope's form and payload type; signatures of enough distinct `trusted` keys; the payload's
/// form; that every other signature is of an auditor whom the payload names; that enough of the auditors whom the
/// payload names, and of those whom it says to replace, signed; deployment, version and previous digest against
/// `last_seen`; dates against `now`. A manifest that changes the auditors is so signed by the old threshold and by the
/// new one, whichever of the two the verifier trusts.
///
/// Of a payload that too few signed nothing is used. Its auditors are looked at, only to say which error it is.
///
/// # Errors
/// The first reason that applies.
pub fn verify(
    envelope: &[u8],
    trusted: &Auditors,
    last_seen: Option<&LastSeen>,
    now: UnixMillis,
) -> Result<Verified<Manifest>, ManifestRefusal> {
    let envelope = Envelope::from_bytes(envelope)?;
    check_envelope(&envelope)?;
    let mut count = Count::of(&envelope);
    count.add(trusted)?;
    count.check_trusted(trusted, &envelope)?;
    let manifest = Manifest::from_bytes(envelope.payload())?;
    count.add(&manifest.auditors)?;
    manifest.replaces.iter().try_for_each(|replaced| count.add(replaced))?;
    count.check_named(trusted, &manifest)?;
    check_place(&manifest, last_seen)?;
    check_dates(&manifest, now)?;
    Ok(Verified::appraised(manifest))
}

fn check_envelope(envelope: &Envelope) -> Result<(), ManifestRefusal> {
    if envelope.payload_type() != PAYLOAD_TYPE {
        return Err(ManifestRefusal::PayloadType(plain(envelope.payload_type())));
    }
    if envelope.signatures().is_empty() { Err(ManifestRefusal::Unsigned) } else { Ok(()) }
}

/// Whose signatures have been recognised so far.
struct Count<'a> {
    pae: Vec<u8>,
    open: Vec<&'a Signature>,
    keys: BTreeSet<AuditorKey>,
}

impl<'a> Count<'a> {
    fn of(envelope: &'a Envelope) -> Self {
        Count { pae: envelope.pae(), open: envelope.signatures().iter().collect(), keys: BTreeSet::new() }
    }

    /// Recognises these auditors' signatures.
    fn add(&mut self, auditors: &Auditors) -> Result<(), ManifestRefusal> {
        for signature in std::mem::take(&mut self.open) {
            match signature.verify(&self.pae, auditors.list()) {
                Signer::Auditor(auditor) => self.note(auditor)?,
                Signer::NotBy(auditor) => return Err(ManifestRefusal::BadSignature(auditor.name.clone())),
                Signer::Unknown => self.open.push(signature),
            }
        }
        Ok(())
    }

    fn note(&mut self, auditor: &Auditor) -> Result<(), ManifestRefusal> {
        match self.keys.insert(auditor.key.clone()) {
            true => Ok(()),
            false => Err(ManifestRefusal::SignedTwice(auditor.name.clone())),
        }
    }

    /// How many of these auditors signed.
    fn found(&self, auditors: &Auditors) -> u32 {
        let signed = auditors.list().iter().filter(|auditor| self.keys.contains(&auditor.key)).count();
        u32::try_from(signed).expect("auditors are few")
    }

    fn enough(&self, auditors: &Auditors) -> bool {
        self.found(auditors) >= auditors.threshold()
    }

    fn unknown_key(&self, trusted: &Auditors) -> Option<ManifestRefusal> {
        let (found, needed) = (self.found(trusted), trusted.threshold());
        self.open.first().map(|signature| ManifestRefusal::UnknownKey { key: signature.claimed_key(), found, needed })
    }

    fn check_trusted(&self, trusted: &Auditors, envelope: &Envelope) -> Result<(), ManifestRefusal> {
        if self.enough(trusted) {
            return Ok(());
        }
        let (found, needed) = (self.found(trusted), trusted.threshold());
        let changes = peek_auditors(envelope.payload()).is_some_and(|named| {
            !named.same_keys(trusted) && envelope.signers(&named).len() >= named.threshold() as usize
        });
        Err(match self.unknown_key(trusted) {
            _ if changes => ManifestRefusal::ChangeWithoutOld { found, needed },
            Some(unknown) => unknown,
            None => ManifestRefusal::TooFewSignatures { found, needed },
        })
    }

    fn check_named(&self, trusted: &Auditors, manifest: &Manifest) -> Result<(), ManifestRefusal> {
        if let Some(unknown) = self.unknown_key(trusted) {
            return Err(unknown);
        }
        let shortfall = |auditors: &Auditors| (self.found(auditors), auditors.threshold());
        if !self.enough(&manifest.auditors) {
            let (found, needed) = shortfall(&manifest.auditors);
            return Err(ManifestRefusal::ChangeWithoutNew { found, needed });
        }
        match manifest.replaces.as_ref().filter(|replaced| !self.enough(replaced)).map(shortfall) {
            Some((found, needed)) => Err(ManifestRefusal::ChangeWithoutOld { found, needed }),
            None => Ok(()),
        }
    }
}

/// A version that is skipped leaves nothing to compare the previous digest with.
fn check_place(manifest: &Manifest, last_seen: Option<&LastSeen>) -> Result<(), ManifestRefusal> {
    let Some(seen) = last_seen else { return Ok(()) };
    if manifest.deployment != seen.deployment {
        let (found, expected) = (manifest.deployment.clone(), seen.deployment.clone());
        return Err(ManifestRefusal::OtherDeployment { found, expected });
    }
    if manifest.version < seen.version {
        return Err(ManifestRefusal::OldVersion { found: manifest.version, last_seen: seen.version });
    }
    let found = manifest.digest();
    if manifest.version == seen.version && found != seen.digest {
        return Err(ManifestRefusal::VersionTwice { version: seen.version, found, seen: seen.digest });
    }
    match manifest.previous {
        Some(found) if manifest.version - 1 == seen.version && found != seen.digest => {
            Err(ManifestRefusal::OtherPrevious { found, seen: seen.digest })
        }
        _ => Ok(()),
    }
}

fn check_dates(manifest: &Manifest, now: UnixMillis) -> Result<(), ManifestRefusal> {
    if now < manifest.issued {
        return Err(ManifestRefusal::NotYetValid(manifest.issued));
    }
    if now > manifest.expires { Err(ManifestRefusal::Expired(manifest.expires)) } else { Ok(()) }
}
