//! Evidence of a TPM 2.0: a quote over the PCRs in which an ordinary machine's boot was measured.
//!
//! A quote says what was booted and not who watches: memory is open to whoever runs the machine
//! ([`crate::platform::TrustLevel::Tpm`]).
//!
//! ```text
//! evidence    CBOR array of three byte strings: TPMT_PUBLIC of the attestation key, TPMS_ATTEST, TPMT_SIGNATURE
//! extraData   SHA-256 of the 64 bytes of report data, since a TPM takes no more than its longest digest
//! measurement SHA-256 over the values of the selected PCRs, which is the quote's pcrDigest
//! ```
//!
//! **Who vouches for the attestation key.** A role lists the names of attestation keys among its machines
//! ([`PlatformId::TpmKey`]), or a policy for every role ([`crate::reference::Policy::with_tpm_key`]): a name is the
//! SHA-256 of the key's public area, so it stands for its attributes too. A CA that issued certificates for attestation
//! keys would spare the list, but it would be one more root, online, and could not vouch for the machine of the first
//! kms, which holds the deployment's CA. Whoever lists a key has seen, by credential activation
//! ([`EndorsementKey::challenge`]), that it lives in the TPM whose maker's certificate was looked at; the key itself is
//! made from the TPM's own seed and needs no file.
//!
//! Source: TCG, Trusted Platform Module Library, family 2.0, parts 2 (structures) and 3 (commands).

mod credential;
mod key;
mod pcr;
mod quote;
mod signature;
pub(crate) mod wire;

use std::collections::BTreeSet;

use crypto::hash::Sha256;
use types::time::UnixMillis;

use crate::cbor::{Reader, Writer};
use crate::claims::{Claims, ConfigId, Endorsements, Measurement, Mode, PlatformId, Specifics, TcbStatus};
use crate::evidence::ReportData;
use crate::refusal::{Fault, Refusal};
use crate::tpm::key::AttestationKey;
use crate::tpm::quote::Quote;
use crate::tpm::signature::Signature;
use crate::validity::Validity;

pub(crate) use credential::template as endorsement_key;
pub use credential::{Challenge, EndorsementKey};
pub use key::TpmKeyName;
pub use pcr::{BadPcr, PcrSelection};

const PART: &str = "TPM evidence";

/// What a quote is made of, in the TPM's own encodings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmEvidence {
    /// `TPMT_PUBLIC` of the attestation key.
    pub public: Vec<u8>,
    /// `TPMS_ATTEST`.
    pub attest: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
}

impl TpmEvidence {
    /// The bytes that [`crate::evidence::Evidence`] carries.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default().array(3).bytes(&self.public).bytes(&self.attest).bytes(&self.signature).finish()
    }

    /// Reads what [`Self::encode`] writes.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        decode(bytes).map_err(|fault| fault.of(PART))
    }
}

fn decode(bytes: &[u8]) -> Result<TpmEvidence, Fault> {
    let mut reader = Reader::new(bytes);
    reader.array(3, "key, quote and signature")?;
    let [public, attest, signature] = [reader.bytes()?, reader.bytes()?, reader.bytes()?].map(<[u8]>::to_vec);
    reader.end()?;
    Ok(TpmEvidence { public, attest, signature })
}

/// Reads bytes as each part of the evidence: for the fuzzer, which can sign nothing.
pub(crate) fn read_each(bytes: &[u8]) {
    drop(AttestationKey::read(bytes).map(|key| key.name()));
    drop(Quote::read(bytes));
    drop(Signature::read(bytes).map(|_| ()));
}

/// What a quote carries for this report data: `extraData`.
pub(crate) fn extra_data(report_data: &ReportData) -> [u8; 32] {
    Sha256::digest(&report_data.0)
}

/// Checks a quote by a key that is `believed`, then reads its claims; their report data is `expected`, whose hash the
/// quote has.
pub(crate) fn verify(
    bytes: &[u8],
    expected: &ReportData,
    believed: impl Fn(TpmKeyName) -> bool,
) -> Result<Claims, Refusal> {
    let evidence = TpmEvidence::decode(bytes)?;
    let key = AttestationKey::read(&evidence.public)?;
    if !believed(key.name()) {
        return Err(Refusal::TpmKeyUnknown(key.name()));
    }
    key.verify(&evidence.attest, &Signature::read(&evidence.signature)?)?;
    let quote = Quote::read(&evidence.attest)?;
    if quote.extra_data != extra_data(expected) {
        return Err(Refusal::ReportDataDiffers);
    }
    Ok(claims(&quote, key.name(), *expected))
}

/// The measurement that unverified evidence claims.
pub(crate) fn claimed(bytes: &[u8]) -> Result<Measurement, Refusal> {
    let quote = Quote::read(&TpmEvidence::decode(bytes)?.attest)?;
    Ok(Measurement::Tpm { pcr_digest: quote.pcr_digest })
}

/// A quote has no dates: it is as fresh as its report data.
fn claims(quote: &Quote, key: TpmKeyName, report_data: ReportData) -> Claims {
    Claims {
        measurement: Measurement::Tpm { pcr_digest: quote.pcr_digest },
        report_data,
        mode: Mode::Production,
        security_version: 0,
        product_id: 0,
        config_id: ConfigId::default(),
        tcb_status: TcbStatus::Unrated,
        tcb_date: UnixMillis(0),
        advisories: Vec::new(),
        weaknesses: BTreeSet::new(),
        platform_ids: [PlatformId::TpmKey(key.0)].into(),
        specifics: Specifics::Tpm(quote.pcrs),
        endorsements: Endorsements::Unneeded,
        validity: Validity { not_before: UnixMillis(0), not_after: UnixMillis(u64::MAX) },
    }
}
