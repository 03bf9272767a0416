//! The payload: a manifest as canonical JSON (RFC 8785).
//!
//! Keys are in alphabetical order, without white space; absent values are left out, not null; lists are sorted by
//! their elements' JSON, bytewise, and hold nothing twice. A payload that is written in any other way is refused, so
//! doubled keys, needless defaults and other spellings have no second reading.
//!
//! To add a field: put it into its place in the alphabet with `skip_serializing_if`, and into `read` and `write` of its document. Manifests
//! without it keep their bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::digest::Digest;
use types::service::Role;
use types::time::UnixMillis;

use crate::claims::{ConfigId, Measurement, PlatformId, SnpAuthor};
use crate::identity::Deployment;
use crate::manifest::auditors::{Auditor, Auditors};
use crate::manifest::key::AuditorKey;
use crate::manifest::measured::MeasurementDocument;
use crate::manifest::text::{Date, Hex, HexBytes, Text};
use crate::manifest::{Malformed, Manifest};
use crate::reference::{Accepted, Allowance, CollateralFloor, ReferenceValues};
use crate::simulated::SimulatedRootKey;
use crate::snp::{SnpProduct, SnpTcb};
use crate::tpm::PcrSelection;

/// The version of this format.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    auditors: AuditorsDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    danger_simulated_root: Option<Hex<32>>,
    deployment: Text<Deployment>,
    expires: Date,
    issued: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<AuditorsDocument>,
    roles: RolesDocument,
    schema: u32,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditorsDocument {
    keys: Vec<AuditorDocument>,
    threshold: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditorDocument {
    key: Text<AuditorKey>,
    name: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    fns: Option<RoleDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms: Option<RoleDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tdfs: Option<RoleDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tms: Option<RoleDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleDocument {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowances: Vec<Text<Allowance>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collateral_floor: Option<FloorDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_ids: Option<Vec<HexBytes>>,
    measurements: Vec<MeasurementDocument>,
    #[serde(default, skip_serializing_if = "is_zero")]
    minimum_security_version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    minimum_snp_tcb: Vec<SnpTcbDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_tcb_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_ids: Option<Vec<Text<PlatformId>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snp_authors: Option<Vec<Text<SnpAuthor>>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    snp_vmpl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tpm_pcrs: Option<Vec<u8>>,
}

/// The lowest versions of one product's firmware; products count differently.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnpTcbDocument {
    boot_loader: u8,
    fmc: u8,
    microcode: u8,
    product: Text<SnpProduct>,
    snp: u8,
    tee: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FloorDocument {
    issued: Date,
    tcb_evaluation: u32,
}

/// See [`Manifest::from_bytes`].
pub(super) fn read(bytes: &[u8]) -> Result<Manifest, Malformed> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| Malformed::json("payload", &error))?;
    let manifest = document.read()?;
    if manifest.to_bytes() == bytes { Ok(manifest) } else { Err(Malformed::NotCanonical) }
}

/// See [`Manifest::to_bytes`].
pub(super) fn write(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(&Document::write(manifest)).expect("texts, numbers and lists are JSON")
}

/// Only the auditors that a payload names, canonical or not; nothing when it names none.
pub(super) fn peek_auditors(bytes: &[u8]) -> Option<Auditors> {
    let document: Document = serde_json::from_slice(bytes).ok()?;
    document.auditors.read().ok()
}

impl Document {
    fn read(self) -> Result<Manifest, Malformed> {
        self.check()?;
        Ok(Manifest {
            deployment: self.deployment.0,
            version: self.version,
            issued: self.issued.0,
            expires: self.expires.0,
            previous: self.previous,
            auditors: self.auditors.read()?,
            replaces: self.replaces.map(AuditorsDocument::read).transpose()?,
            ca_sha256: self.ca_sha256,
            danger_simulated_root: self.danger_simulated_root.map(|root| SimulatedRootKey::from_bytes(root.0)),
            roles: self.roles.read()?,
        })
    }

    fn write(manifest: &Manifest) -> Self {
        Document {
            auditors: AuditorsDocument::write(&manifest.auditors),
            ca_sha256: manifest.ca_sha256,
            danger_simulated_root: manifest.danger_simulated_root.map(|root| Hex(*root.as_bytes())),
            deployment: Text(manifest.deployment.clone()),
            expires: Date(manifest.expires),
            issued: Date(manifest.issued),
            previous: manifest.previous,
            replaces: manifest.replaces.as_ref().map(AuditorsDocument::write),
            roles: RolesDocument::write(&manifest.roles),
            schema: SCHEMA,
            version: manifest.version,
        }
    }

    /// What no single field shows.
    fn check(&self) -> Result<(), Malformed> {
        if self.schema != SCHEMA {
            return Err(Malformed::Schema(self.schema));
        }
        let contradictions = [
            (!(1..=Manifest::MAX_VERSION).contains(&self.version), "`version` is not from 1 to 9007199254740991"),
            (self.issued.0 >= self.expires.0, "it expires before it is issued"),
            ((self.version == 1) != self.previous.is_none(), "each version but the first names the `previous` one"),
            (self.replaces.is_some() && self.version == 1, "the first version replaces no auditors"),
            (
                self.danger_simulated_root.is_none() && self.roles.simulated(),
                "a simulated measurement is listed, but no `danger_simulated_root`",
            ),
        ];
        match contradictions.into_iter().find(|(holds, _)| *holds) {
            Some((_, contradiction)) => Err(Malformed::Contradiction(contradiction)),
            None => Ok(()),
        }
    }
}

impl AuditorsDocument {
    pub(super) fn read(self) -> Result<Auditors, Malformed> {
        let list = self.keys.into_iter().map(|auditor| Auditor { name: auditor.name, key: auditor.key.0 });
        Ok(Auditors::new(self.threshold, list.collect())?)
    }

    pub(super) fn write(auditors: &Auditors) -> Self {
        let document =
            |auditor: &Auditor| AuditorDocument { key: Text(auditor.key.clone()), name: auditor.name.clone() };
        AuditorsDocument { keys: sorted(auditors.list().iter().map(document)), threshold: auditors.threshold() }
    }
}

impl RolesDocument {
    fn read(self) -> Result<BTreeMap<Role, ReferenceValues>, Malformed> {
        let roles = [(Role::Fns, self.fns), (Role::Kms, self.kms), (Role::Tdfs, self.tdfs), (Role::Tms, self.tms)];
        let listed = roles.into_iter().filter_map(|(role, document)| Some((role, document?)));
        listed.map(|(role, document)| Ok((role, document.read()?))).collect()
    }

    fn write(roles: &BTreeMap<Role, ReferenceValues>) -> Self {
        let document = |role| roles.get(&role).map(RoleDocument::write);
        RolesDocument {
            fns: document(Role::Fns),
            kms: document(Role::Kms),
            tdfs: document(Role::Tdfs),
            tms: document(Role::Tms),
        }
    }

    fn simulated(&self) -> bool {
        let listed = [&self.fns, &self.kms, &self.tdfs, &self.tms].into_iter().flatten();
        let mut measurements = listed.flat_map(|role| &role.measurements);
        measurements.any(|measurement| matches!(measurement, MeasurementDocument::Simulated { .. }))
    }
}

impl RoleDocument {
    fn read(self) -> Result<ReferenceValues, Malformed> {
        if self.measurements.is_empty() {
            return Err(Malformed::Contradiction("a role lists no measurement: leave it out"));
        }
        Ok(ReferenceValues {
            measurements: self.measurements.into_iter().map(Measurement::from).collect(),
            minimum_security_version: self.minimum_security_version,
            config_ids: accepted(self.config_ids, |id| ConfigId(id.0))?,
            platform_ids: accepted(self.platform_ids, |id| id.0)?,
            minimum_tcb_date: self.minimum_tcb_date.map_or(NO_DATE, |date| date.0),
            collateral_floor: self.collateral_floor.map_or_else(CollateralFloor::default, |floor| CollateralFloor {
                issued: floor.issued.0,
                tcb_evaluation: floor.tcb_evaluation,
            }),
            minimum_snp_tcb: self.minimum_snp_tcb.into_iter().map(SnpTcbDocument::read).collect(),
            snp_vmpl: self.snp_vmpl,
            snp_authors: accepted(self.snp_authors, |author| author.0)?,
            tpm_pcrs: self
                .tpm_pcrs
                .map_or_else(|| Ok(PcrSelection::default()), PcrSelection::new)
                .map_err(|_| NO_PCR)?,
            allowances: self.allowances.into_iter().map(|allowance| allowance.0).collect(),
        })
    }

    fn write(values: &ReferenceValues) -> Self {
        let floor = values.collateral_floor;
        RoleDocument {
            allowances: sorted(values.allowances.iter().copied().map(Text)),
            collateral_floor: (floor != CollateralFloor::default())
                .then_some(FloorDocument { issued: Date(floor.issued), tcb_evaluation: floor.tcb_evaluation }),
            config_ids: listed(&values.config_ids, |id| HexBytes(id.0.clone())),
            measurements: sorted(values.measurements.iter().map(MeasurementDocument::from)),
            minimum_security_version: values.minimum_security_version,
            minimum_tcb_date: (values.minimum_tcb_date != NO_DATE).then_some(Date(values.minimum_tcb_date)),
            platform_ids: listed(&values.platform_ids, |id| Text(id.clone())),
            minimum_snp_tcb: sorted(values.minimum_snp_tcb.iter().map(SnpTcbDocument::write)),
            snp_authors: listed(&values.snp_authors, |author| Text(*author)),
            snp_vmpl: values.snp_vmpl,
            tpm_pcrs: (values.tpm_pcrs != PcrSelection::default()).then(|| values.tpm_pcrs.iter().collect()),
        }
    }
}

impl SnpTcbDocument {
    fn read(self) -> (SnpProduct, SnpTcb) {
        let SnpTcbDocument { boot_loader, fmc, microcode, product, snp, tee } = self;
        (product.0, SnpTcb { fmc, boot_loader, tee, snp, microcode })
    }

    fn write((product, tcb): (&SnpProduct, &SnpTcb)) -> Self {
        let SnpTcb { fmc, boot_loader, tee, snp, microcode } = *tcb;
        SnpTcbDocument { boot_loader, fmc, microcode, product: Text(*product), snp, tee }
    }
}

/// What is wrong with a PCR that can be reset.
const NO_PCR: Malformed = Malformed::Contradiction("`tpm_pcrs` are not of 0 to 15");

/// The date that accepts every other.
const NO_DATE: UnixMillis = UnixMillis(0);

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An absent list accepts everything; one that is empty would accept nothing, which is never meant.
fn accepted<D, T: Ord>(list: Option<Vec<D>>, read: impl Fn(D) -> T) -> Result<Accepted<T>, Malformed> {
    match list {
        None => Ok(Accepted::Any),
        Some(list) if list.is_empty() => Err(Malformed::Contradiction("an empty list accepts nothing: leave it out")),
        Some(list) => Ok(Accepted::Only(list.into_iter().map(read).collect::<BTreeSet<_>>())),
    }
}

fn listed<D: Serialize, T>(accepted: &Accepted<T>, write: impl Fn(&T) -> D) -> Option<Vec<D>> {
    match accepted {
        Accepted::Any => None,
        Accepted::Only(values) => Some(sorted(values.iter().map(write))),
    }
}

fn sorted<D: Serialize>(elements: impl Iterator<Item = D>) -> Vec<D> {
    let mut list: Vec<D> = elements.collect();
    list.sort_by_cached_key(|element| serde_json::to_string(element).expect("texts and numbers are JSON"));
    list
}
