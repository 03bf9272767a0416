//! Evidence inside a certificate: the interoperable RA-TLS form of the Confidential Computing Consortium.
//!
//! The X.509 extension 2.23.133.5.4.9 (TCG DICE `tcg-dice-TaggedEvidence`), not critical, holds deterministic CBOR:
//!
//! ```text
//! 60000([ evidence: bstr, claims: bstr ])
//! claims      = { "pubkey-hash": bstr .cbor [ 1, SHA-256(SubjectPublicKeyInfo) ], * tstr => bstr }
//! report data = SHA-256(claims) ‖ 0³²
//! ```
//!
//! Hash algorithm 1 is SHA-256 (IANA, named information hash algorithms). The inner byte string around the hash entry
//! is what rats-tls and its relatives write. We write no claim besides `pubkey-hash`; others are read over, since
//! the report data covers them.

use crypto::hash::Sha256;
use types::time::UnixMillis;

use crate::attester::{AttestError, Attester};
use crate::cbor::{Reader, Writer};
use crate::evidence::{Evidence, MAX_EVIDENCE_BYTES, ReportData};
use crate::refusal::{Fault, Refusal};

/// The extension's object identifier.
pub const EVIDENCE_OID: [u64; 6] = [2, 23, 133, 5, 4, 9];

/// The longest claims that are read, in bytes. Ours have 52.
pub const MAX_CLAIMS_BYTES: usize = 1024;

/// The longest extension value that is read, in bytes: both parts with their heads (at most 5 bytes each).
pub const MAX_EXTENSION_BYTES: usize = MAX_EVIDENCE_BYTES + MAX_CLAIMS_BYTES + 16;

const TAG: u64 = 60_000;
const PUBKEY_HASH: &str = "pubkey-hash";
const SHA_256: u64 = 1;
const PART: &str = "evidence extension";
const CLAIMS: &str = "evidence extension's claims";

/// What the extension carries, decoded but not yet appraised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceExtension {
    /// The platform's statement.
    pub evidence: Evidence,
    /// The claims that the statement's report data covers, as encoded.
    pub claims: Vec<u8>,
}

/// Fresh evidence for a public key (SubjectPublicKeyInfo in DER), as the extension's value.
///
/// # Errors
/// What the platform says.
pub fn attest_key(attester: &dyn Attester, spki: &[u8], now: UnixMillis) -> Result<Vec<u8>, AttestError> {
    let claims = claims_for_spki(spki);
    let evidence = attester.attest(&report_data(&claims), now)?;
    Ok(encode_extension(&evidence, &claims))
}

/// The claims that bind evidence to a public key (SubjectPublicKeyInfo in DER).
pub fn claims_for_spki(spki: &[u8]) -> Vec<u8> {
    let entry = Writer::default().array(2).unsigned(SHA_256).bytes(&Sha256::digest(spki)).finish();
    Writer::default().map(1).text(PUBKEY_HASH).bytes(&entry).finish()
}

/// The report data that covers encoded claims.
pub fn report_data(claims: &[u8]) -> ReportData {
    ReportData::from_sha256(Sha256::digest(claims))
}

/// The extension's value.
pub fn encode_extension(evidence: &Evidence, claims: &[u8]) -> Vec<u8> {
    Writer::default().tag(TAG).array(2).bytes(&evidence.encode()).bytes(claims).finish()
}

/// Reads the extension's value.
///
/// # Errors
/// [`Refusal::Malformed`]: another structure, not deterministic, too long, truncated, or with trailing bytes.
pub fn decode_extension(value: &[u8]) -> Result<EvidenceExtension, Refusal> {
    let (evidence, claims) = split(value).map_err(|fault| fault.of(PART))?;
    Ok(EvidenceExtension { evidence: Evidence::decode(evidence)?, claims: claims.to_vec() })
}

fn split(value: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    within(value, MAX_EXTENSION_BYTES)?;
    let mut reader = Reader::new(value);
    reader.tag(TAG, "the tag 60000")?;
    reader.array(2, "an array of evidence and claims")?;
    let (evidence, claims) = (reader.bytes()?, reader.bytes()?);
    reader.end()?;
    within(claims, MAX_CLAIMS_BYTES)?;
    Ok((evidence, claims))
}

fn within(bytes: &[u8], limit: usize) -> Result<(), Fault> {
    if bytes.len() <= limit { Ok(()) } else { Err(Fault::TooLong { limit }) }
}

/// Refuses claims that are about another public key (SubjectPublicKeyInfo in DER).
///
/// # Errors
/// [`Refusal::KeyNotBound`], or [`Refusal::Malformed`] for claims that name no key, or two.
pub fn check_key(claims: &[u8], spki: &[u8]) -> Result<(), Refusal> {
    let bound = pubkey_hash(claims).map_err(|fault| fault.of(CLAIMS))?;
    if bound == Sha256::digest(spki) { Ok(()) } else { Err(Refusal::KeyNotBound) }
}

fn pubkey_hash(claims: &[u8]) -> Result<&[u8], Fault> {
    let mut reader = Reader::new(claims);
    let mut found = None;
    for _ in 0..reader.map()? {
        let (name, value) = (reader.text()?, reader.bytes()?);
        if name == PUBKEY_HASH && found.replace(value).is_some() {
            return Err(Fault::Expected("one `pubkey-hash`"));
        }
    }
    reader.end()?;
    hash_entry(found.ok_or(Fault::Expected("a `pubkey-hash`"))?)
}

fn hash_entry(entry: &[u8]) -> Result<&[u8], Fault> {
    let mut reader = Reader::new(entry);
    reader.array(2, "a hash entry")?;
    if reader.unsigned()? != SHA_256 {
        return Err(Fault::Expected("hash algorithm 1 (SHA-256)"));
    }
    let hash = reader.bytes()?;
    reader.end()?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    const SPKI: &[u8] = b"a public key";

    fn evidence() -> Evidence {
        Evidence::new(Platform::Simulated, vec![7; 20]).expect("small enough")
    }

    #[test]
    fn our_claims_have_these_bytes() {
        let head = [&[0xa1, 0x6b][..], b"pubkey-hash", &[0x58, 0x24, 0x82, 0x01, 0x58, 0x20]].concat();
        assert_eq!(claims_for_spki(SPKI), [&head[..], &Sha256::digest(SPKI)].concat());
    }

    #[test]
    fn the_extension_travels_and_no_other_bytes_decode() {
        let claims = claims_for_spki(SPKI);
        let value = encode_extension(&evidence(), &claims);
        assert_eq!(value[..4], [0xd9, 0xea, 0x60, 0x82]);
        assert_eq!(decode_extension(&value), Ok(EvidenceExtension { evidence: evidence(), claims }));
        for length in 0..value.len() {
            assert!(decode_extension(&value[..length]).is_err(), "{length}");
        }
        assert_eq!(decode_extension(&[&value[..], &[0]].concat()), Err(Fault::TrailingBytes.of(PART)));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let value = |claims: usize| encode_extension(&evidence(), &vec![0; claims]);
        assert!(decode_extension(&value(MAX_CLAIMS_BYTES)).is_ok());
        let past = decode_extension(&value(MAX_CLAIMS_BYTES + 1));
        assert_eq!(past, Err(Fault::TooLong { limit: MAX_CLAIMS_BYTES }.of(PART)));
        let long = decode_extension(&vec![0; MAX_EXTENSION_BYTES + 1]);
        assert_eq!(long, Err(Fault::TooLong { limit: MAX_EXTENSION_BYTES }.of(PART)));
    }

    #[test]
    fn claims_bind_one_key() {
        assert_eq!(check_key(&claims_for_spki(SPKI), SPKI), Ok(()));
        assert_eq!(check_key(&claims_for_spki(SPKI), b"another"), Err(Refusal::KeyNotBound));
    }

    #[test]
    fn third_parties_claims_are_read_over() {
        let ours = claims_for_spki(SPKI);
        let both = [&[0xa2][..], &ours[1..], &Writer::default().text("nonce").bytes(&[1; 32]).finish()].concat();
        assert_eq!(check_key(&both, SPKI), Ok(()));
    }

    #[test]
    fn unclear_claims_are_refused() {
        let pair = &claims_for_spki(SPKI)[1..];
        let entry = |algorithm, hash: &[u8]| Writer::default().array(2).unsigned(algorithm).bytes(hash).finish();
        let with = |entry: &[u8]| Writer::default().map(1).text(PUBKEY_HASH).bytes(entry).finish();
        let cases = [
            (vec![0xa0], Fault::Expected("a `pubkey-hash`")),
            ([&[0xa2][..], pair, pair].concat(), Fault::Expected("one `pubkey-hash`")),
            ([&[0xa1][..], pair, &[0]].concat(), Fault::TrailingBytes),
            (with(&entry(7, &Sha256::digest(SPKI))), Fault::Expected("hash algorithm 1 (SHA-256)")),
            (with(&[&entry(1, &Sha256::digest(SPKI))[..], &[0]].concat()), Fault::TrailingBytes),
            (vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Fault::Truncated),
        ];
        for (claims, fault) in cases {
            assert_eq!(check_key(&claims, SPKI), Err(fault.of(CLAIMS)), "{claims:02x?}");
        }
        assert_eq!(check_key(&with(&entry(1, &[0; 31])), SPKI), Err(Refusal::KeyNotBound));
    }
}
