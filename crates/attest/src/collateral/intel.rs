//! Intel's collateral for one kind of machine: TCB info, QE identity, two revocation lists and who signed them.
//!
//! Two forms are read: the answers of Intel's Provisioning Certification Service (API v4, which a PCCS repeats), and
//! one JSON document that holds all of them, with the field names of Intel's `sgx_ql_qve_collateral_t`: strings for
//! JSON and PEM, hexadecimal for the rest. Files are kept in the second.

use dcap_qvl::{QeIdentity, QuoteCollateralV3, TcbInfo};
use serde::Deserialize;
use types::time::UnixMillis;
use x509_parser::prelude::parse_x509_crl;

use crate::certificate;
use crate::collateral::need::{Need, PckCa};
use crate::collateral::pcs::PcsAnswers;
use crate::date;
use crate::pem::{self, BadPem};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::validity::Validity;

/// The longest collateral that is read, in bytes of any one part. Intel's TCB info has about 20 KiB, and revocation
/// lists grow with what is revoked.
pub const MAX_COLLATERAL_BYTES: usize = 4 * 1024 * 1024;

/// Intel's collateral for machines of one FMSPC, one kind of TEE, and one of Intel's two PCK CAs.
#[derive(Clone, Debug)]
pub struct IntelCollateral {
    parts: QuoteCollateralV3,
    subject: Subject,
    dated: Vec<(&'static str, Validity)>,
    tcb_evaluation: u32,
}

/// Which machines collateral is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// SGX or TDX.
    pub(crate) platform: Platform,
    /// Family, model, stepping, platform and custom SKU.
    pub(crate) fmspc: [u8; 6],
    /// The provisioning certification enclave's number.
    pub(crate) pce_id: [u8; 2],
    /// The name (DER) of the CA that issues certificates for such machines, and whose revocation list this has.
    pub(crate) issuer: Vec<u8>,
}

/// Why collateral can't be read. What it says is checked when it is used.
#[derive(Debug, thiserror::Error)]
pub enum BadCollateral {
    /// Longer than [`MAX_COLLATERAL_BYTES`].
    #[error("the collateral is longer than {MAX_COLLATERAL_BYTES} bytes")]
    TooLong,
    /// A part is not the JSON that it should be.
    #[error("read the {part}")]
    Json {
        /// Which.
        part: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A part is something else than it should be.
    #[error("the {0} is malformed")]
    Malformed(&'static str),
    /// The QE identity is not for the kind of TEE that the TCB info is for.
    #[error("TCB info and QE identity are of different kinds of TEE")]
    Mixed,
}

impl IntelCollateral {
    /// Reads one JSON document: see the module. Its `pck_certificate_chain`, if any, is dropped, since evidence brings
    /// its own.
    ///
    /// # Errors
    /// [`BadCollateral`] names the part that can't be read.
    pub fn from_json(json: &[u8]) -> Result<Self, BadCollateral> {
        within(json)?;
        let parts =
            serde_json::from_slice(json).map_err(|source| BadCollateral::Json { part: "collateral", source })?;
        Self::from_parts(QuoteCollateralV3 { pck_certificate_chain: None, ..parts })
    }

    /// Reads the answers of Intel's PCS or a PCCS.
    ///
    /// # Errors
    /// [`BadCollateral`] names the part that can't be read.
    pub fn from_pcs(answers: &PcsAnswers<'_>) -> Result<Self, BadCollateral> {
        Self::from_parts(answers.parts()?)
    }

    /// One JSON document, which [`Self::from_json`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.parts).expect("strings and bytes are JSON")
    }

    /// Whether it is for SGX or TDX machines.
    pub fn platform(&self) -> Platform {
        self.subject.platform
    }

    /// Intel's name for the kind of machine: family, model, stepping, platform and custom SKU.
    pub fn fmspc(&self) -> [u8; 6] {
        self.subject.fmspc
    }

    /// What it answers; none where its CA is neither of Intel's two.
    pub fn need(&self) -> Option<Need> {
        let Subject { platform, fmspc, issuer, .. } = &self.subject;
        Some(Need::Intel { platform: *platform, fmspc: *fmspc, ca: PckCa::named(issuer)? })
    }

    /// Whether it is what is needed.
    pub fn answers(&self, need: &Need) -> bool {
        self.need().as_ref() == Some(need)
    }

    /// When all of its parts hold.
    pub fn validity(&self) -> Validity {
        self.dated.iter().map(|(_, validity)| *validity).fold(ALWAYS, Validity::and)
    }

    /// When the oldest of the parts that Intel renews each month was issued: TCB info, QE identity and the PCK CA's
    /// revocation list. The root's list holds for a year, and certificates for decades.
    pub fn issued(&self) -> UnixMillis {
        let monthly = self.dated.iter().filter(|(part, _)| [TCB_INFO, QE_IDENTITY, PCK_CRL].contains(part));
        monthly.map(|(_, validity)| validity.not_before).min().expect("all three are read")
    }

    /// The lower `tcbEvaluationDataNumber` of TCB info and QE identity.
    pub fn tcb_evaluation(&self) -> u32 {
        self.tcb_evaluation
    }

    /// Refuses an instant at which one of its parts does not hold.
    pub(crate) fn check_dates(&self, now: UnixMillis) -> Result<(), Refusal> {
        self.dated.iter().try_for_each(|(part, validity)| validity.check(part, now))
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) fn parts(&self) -> &QuoteCollateralV3 {
        &self.parts
    }

    pub(super) fn is_for_what(&self, other: &Self) -> bool {
        self.subject == other.subject
    }

    fn from_parts(parts: QuoteCollateralV3) -> Result<Self, BadCollateral> {
        let tcb_info: TcbInfo = json(TCB_INFO, &parts.tcb_info)?;
        let qe_identity: QeIdentity = json(QE_IDENTITY, &parts.qe_identity)?;
        let (issuer, pck_crl) = revocation_list(PCK_CRL, &parts.pck_crl)?;
        let (_, root_ca_crl) = revocation_list(ROOT_CRL, &parts.root_ca_crl)?;
        let mut dated = vec![
            (TCB_INFO, period(TCB_INFO, &tcb_info.issue_date, &tcb_info.next_update)?),
            (QE_IDENTITY, period(QE_IDENTITY, &qe_identity.issue_date, &qe_identity.next_update)?),
            (PCK_CRL, pck_crl),
            (ROOT_CRL, root_ca_crl),
        ];
        dated.extend(chain_dates(TCB_CHAIN, &parts.tcb_info_issuer_chain)?);
        dated.extend(chain_dates(QE_CHAIN, &parts.qe_identity_issuer_chain)?);
        Ok(IntelCollateral {
            subject: Subject {
                platform: platform(&tcb_info.id, &qe_identity.id)?,
                fmspc: number(&tcb_info.fmspc)?,
                pce_id: number(&tcb_info.pce_id)?,
                issuer,
            },
            tcb_evaluation: tcb_info.tcb_evaluation_data_number.min(qe_identity.tcb_evaluation_data_number),
            dated,
            parts,
        })
    }
}

const ALWAYS: Validity = Validity { not_before: UnixMillis(0), not_after: UnixMillis(u64::MAX) };

pub(super) const TCB_INFO: &str = "TCB info";
pub(super) const QE_IDENTITY: &str = "QE identity";
const PCK_CRL: &str = "PCK CA's revocation list";
const ROOT_CRL: &str = "root CA's revocation list";
pub(super) const TCB_CHAIN: &str = "TCB info's certificate chain";
pub(super) const QE_CHAIN: &str = "QE identity's certificate chain";
pub(super) const CRL_CHAIN: &str = "revocation list's certificate chain";

pub(super) fn within(bytes: &[u8]) -> Result<(), BadCollateral> {
    if bytes.len() <= MAX_COLLATERAL_BYTES { Ok(()) } else { Err(BadCollateral::TooLong) }
}

fn json<'a, T: Deserialize<'a>>(part: &'static str, text: &'a str) -> Result<T, BadCollateral> {
    within(text.as_bytes())?;
    serde_json::from_str(text).map_err(|source| BadCollateral::Json { part, source })
}

fn platform(tcb_info: &str, qe_identity: &str) -> Result<Platform, BadCollateral> {
    match (tcb_info, qe_identity) {
        ("SGX", "QE") => Ok(Platform::Sgx),
        ("TDX", "TD_QE") => Ok(Platform::Tdx),
        _ => Err(BadCollateral::Mixed),
    }
}

/// A number in TCB info, in hexadecimal of either case.
fn number<const N: usize>(digits: &str) -> Result<[u8; N], BadCollateral> {
    crypto::hash::parse_hex(&digits.to_ascii_lowercase()).map_err(|_| BadCollateral::Malformed(TCB_INFO))
}

fn period(part: &'static str, issued: &str, next: &str) -> Result<Validity, BadCollateral> {
    let dates = date::parse(issued).zip(date::parse(next));
    let (not_before, not_after) = dates.ok_or(BadCollateral::Malformed(part))?;
    Ok(Validity { not_before, not_after })
}

/// A revocation list's issuer (DER) and dates. It has run out at its next update, not after it.
pub(super) fn revocation_list(part: &'static str, der: &[u8]) -> Result<(Vec<u8>, Validity), BadCollateral> {
    within(der)?;
    let Ok(([], list)) = parse_x509_crl(der) else { return Err(BadCollateral::Malformed(part)) };
    let next = certificate::instant(list.next_update().ok_or(BadCollateral::Malformed(part))?);
    let not_before = certificate::instant(list.last_update());
    let validity = Validity { not_before, not_after: UnixMillis(next.0.saturating_sub(1)) };
    Ok((list.issuer().as_raw().to_vec(), validity))
}

/// The dates of every certificate in a chain (PEM).
fn chain_dates(part: &'static str, chain: &str) -> Result<Vec<(&'static str, Validity)>, BadCollateral> {
    let malformed = |_: BadPem| BadCollateral::Malformed(part);
    let dates = |der: &Vec<u8>| {
        let certificate = certificate::parse(der).map_err(|_| BadCollateral::Malformed(part))?;
        Ok((part, certificate::validity_of(&certificate)))
    };
    within(chain.as_bytes())?;
    pem::decode_certificates(chain).map_err(malformed)?.iter().map(dates).collect()
}
