//! AMD's collateral for one product: the CA of its endorsement keys, the root's revocation list, and keys' certificates.
//!
//! Two forms are read: the answers of AMD's Key Distribution Service, and one JSON document of PEM texts that holds all of
//! them. Files are kept in the second.

use serde::{Deserialize, Serialize};
use x509_parser::prelude::parse_x509_crl;

use crate::certificate;
use crate::collateral::intel::{self, BadCollateral};
use crate::collateral::need::{ChipKey, Need};
use crate::pem;
use crate::snp::vek::Vek;
use crate::snp::{KeyKind, SnpProduct};
use crate::validity::Validity;

const CHAIN: &str = "CA's certificate";
const LIST: &str = "AMD's revocation list";
const KEY: &str = "endorsement key's certificate";

/// The answers of AMD's Key Distribution Service for one product and one kind of key (KDS specification, chapter 4).
#[derive(Clone, Copy, Debug)]
pub struct KdsAnswers<'a> {
    /// `GET /vcek/v1/PRODUCT/cert_chain`: ASK and ARK as PEM. With `/vlek/…`, ASVK and ARK.
    pub cert_chain: &'a str,
    /// `GET /vcek/v1/PRODUCT/crl`: DER.
    pub crl: &'a [u8],
    /// `GET /vcek/v1/PRODUCT/CHIP?blSPL=…`: DER, one for each machine and state of its firmware.
    pub keys: &'a [&'a [u8]],
}

/// AMD's collateral for the machines of one product, and one kind of endorsement key.
#[derive(Clone, Debug)]
pub struct AmdCollateral {
    product: SnpProduct,
    kind: KeyKind,
    authority: Vec<u8>,
    revocation_list: Vec<u8>,
    revocation_validity: Validity,
    keys: Vec<Vec<u8>>,
}

/// The JSON document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    authority: String,
    revocation_list: String,
    keys: Vec<String>,
}

impl AmdCollateral {
    /// Reads AMD's answers. The root among them is ignored: it is pinned.
    ///
    /// # Errors
    /// [`BadCollateral`] names the part that can't be read.
    pub fn from_kds(answers: &KdsAnswers<'_>) -> Result<Self, BadCollateral> {
        intel::within(answers.cert_chain.as_bytes())?;
        let chain = pem::decode_certificates(answers.cert_chain).map_err(|_| BadCollateral::Malformed(CHAIN))?;
        let authority = chain.into_iter().next().ok_or(BadCollateral::Malformed(CHAIN))?;
        let keys = answers.keys.iter().map(|key| key.to_vec()).collect();
        Self::from_parts(authority, answers.crl.to_vec(), keys)
    }

    /// Reads one JSON document, as [`Self::to_json`] writes it.
    ///
    /// # Errors
    /// [`BadCollateral`] names the part that can't be read.
    pub fn from_json(json: &[u8]) -> Result<Self, BadCollateral> {
        intel::within(json)?;
        let document: Document =
            serde_json::from_slice(json).map_err(|source| BadCollateral::Json { part: "collateral", source })?;
        let read = |part, label, text: &str| {
            let der = pem::decode(label, text).map_err(|_| BadCollateral::Malformed(part))?;
            Ok(der.to_vec())
        };
        Self::from_parts(
            read(CHAIN, pem::CERTIFICATE, &document.authority)?,
            read(LIST, pem::REVOCATION_LIST, &document.revocation_list)?,
            document.keys.iter().map(|key| read(KEY, pem::CERTIFICATE, key)).collect::<Result<_, _>>()?,
        )
    }

    /// One JSON document, which [`Self::from_json`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        let certificate = |der: &[u8]| pem::encode(pem::CERTIFICATE, der).to_string();
        let document = Document {
            authority: certificate(&self.authority),
            revocation_list: pem::encode(pem::REVOCATION_LIST, &self.revocation_list).to_string(),
            keys: self.keys.iter().map(|key| certificate(key)).collect(),
        };
        serde_json::to_vec_pretty(&document).expect("texts are JSON")
    }

    /// The product whose machines it is for.
    pub fn product(&self) -> SnpProduct {
        self.product
    }

    /// The kind of endorsement key that it is for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// When the revocation list holds: the one part that is renewed.
    pub fn revocation_validity(&self) -> Validity {
        self.revocation_validity
    }

    /// Certificates (DER) of endorsement keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(Vec::as_slice)
    }

    /// What it answers, single chips' keys aside.
    pub fn need(&self) -> Need {
        Need::Amd { product: self.product, kind: self.kind, key: None }
    }

    /// Whether it is what is needed, with the key if one is.
    pub fn answers(&self, need: &Need) -> bool {
        let Need::Amd { key, .. } = need else { return false };
        self.need() == need.without_key() && key.as_ref().is_none_or(|key| self.has_key(key))
    }

    fn has_key(&self, ChipKey { chip, tcb }: &ChipKey) -> bool {
        let mut read = self.keys().filter_map(|key| Vek::read(key).ok());
        read.any(|vek| vek.chip() == Some(*chip) && vek.tcb() == *tcb)
    }

    /// Of two for the same machines the newer, with the keys of both.
    pub(super) fn joined(self, other: Self) -> Self {
        let other_is_newer = other.revocation_validity.not_before > self.revocation_validity.not_before;
        let (mut newer, older) = if other_is_newer { (other, self) } else { (self, other) };
        let missing: Vec<_> = older.keys.into_iter().filter(|key| !newer.keys.contains(key)).collect();
        newer.keys.extend(missing);
        newer
    }

    /// The CA's certificate (DER).
    pub(crate) fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// The root's revocation list (DER).
    pub(crate) fn revocation_list(&self) -> &[u8] {
        &self.revocation_list
    }

    pub(super) fn is_for_what(&self, other: &Self) -> bool {
        self.is_for(other.product, other.kind)
    }

    pub(super) fn is_for(&self, product: SnpProduct, kind: KeyKind) -> bool {
        self.product == product && self.kind == kind
    }

    fn from_parts(authority: Vec<u8>, revocation_list: Vec<u8>, keys: Vec<Vec<u8>>) -> Result<Self, BadCollateral> {
        let (product, kind) = subject(&authority)?;
        for key in &keys {
            let vek = Vek::read(key).map_err(|_| BadCollateral::Malformed(KEY))?;
            if (vek.product(), vek.kind()) != (product, kind) {
                return Err(BadCollateral::Malformed(KEY));
            }
        }
        let (_, revocation_validity) = intel::revocation_list(LIST, &revocation_list)?;
        check_no_critical_extension(&revocation_list)?;
        Ok(AmdCollateral { product, kind, authority, revocation_list, revocation_validity, keys })
    }
}

/// Whose keys a CA issues, by its name.
fn subject(authority: &[u8]) -> Result<(SnpProduct, KeyKind), BadCollateral> {
    let certificate = certificate::parse(authority).map_err(|_| BadCollateral::Malformed(CHAIN))?;
    let name = certificate::common_name(certificate.subject());
    let all = SnpProduct::ALL.iter().flat_map(|product| [KeyKind::Vcek, KeyKind::Vlek].map(|kind| (*product, kind)));
    let mut named = all.filter(|(product, kind)| name == Some(&*kind.authority_name(*product)));
    named.next().ok_or(BadCollateral::Malformed(CHAIN))
}

/// A critical extension could mean that the list is not of everything (RFC 5280, section 5.2.5).
fn check_no_critical_extension(list: &[u8]) -> Result<(), BadCollateral> {
    match parse_x509_crl(list) {
        Ok((_, list)) if list.extensions().iter().all(|extension| !extension.critical) => Ok(()),
        _ => Err(BadCollateral::Malformed(LIST)),
    }
}
