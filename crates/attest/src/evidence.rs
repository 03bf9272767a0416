//! Evidence on its way: which platform made it, its bytes, and how both travel.
//!
//! Intel quotes travel as they are; everything else is wrapped as a CMW record (RFC 9999, section 3), an array of a
//! media type and a byte string in deterministic CBOR:
//!
//! ```text
//! sgx, tdx                 version u16 LE (3, 4, 5) │ key type u16 │ TEE type u32 LE (0 = SGX, 0x81 = TDX) │ …
//! simulated, tpm, sev-snp  0x82 │ text media type │ bytes
//! ```
//!
//! No Intel quote begins with 0x82, so the first byte decides.

use std::fmt;

use crate::cbor::{Reader, Writer};
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};

/// The longest evidence that is read, in bytes, as encoded. A TDX quote with its certificates has about 8 KiB; a TLS
/// certificate message could carry 16 MiB.
pub const MAX_EVIDENCE_BYTES: usize = 64 * 1024;

const PART: &str = "evidence";

/// The head of a CBOR array of two: the first byte of a CMW record.
const CMW_RECORD: u8 = 0x82;

/// TEE types of Intel's quote header (DCAP quote library, `sgx_quote_4.h`).
const TEE_SGX: [u8; 4] = [0, 0, 0, 0];
const TEE_TDX: [u8; 4] = [0x81, 0, 0, 0];

/// What a platform says about itself, not yet looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    platform: Platform,
    bytes: Vec<u8>,
}

impl Evidence {
    /// Evidence in the platform's own format.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it would not decode again: too long, or bytes that do not start as an Intel quote
    /// on a platform that makes Intel quotes.
    pub fn new(platform: Platform, bytes: Vec<u8>) -> Result<Self, Refusal> {
        let evidence = Evidence { platform, bytes };
        match Evidence::decode(&evidence.encode())? {
            decoded if decoded == evidence => Ok(evidence),
            _ => Err(Fault::Expected("a quote of the named platform").of(PART)),
        }
    }

    /// Which platform it claims to be from.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The bytes in the platform's own format.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        match media_type(self.platform) {
            Some(media_type) => Writer::default().array(2).text(media_type).bytes(&self.bytes).finish(),
            None => self.bytes.clone(),
        }
    }

    /// Reads bytes that travelled. Whether they are true is [`crate::appraise::Verifier`]'s business.
    ///
    /// # Errors
    /// [`Refusal::Malformed`]: longer than [`MAX_EVIDENCE_BYTES`], neither an Intel quote nor a CMW record of a known
    /// media type, truncated, not deterministic, or with trailing bytes.
    pub fn decode(encoded: &[u8]) -> Result<Self, Refusal> {
        if encoded.len() > MAX_EVIDENCE_BYTES {
            return Err(Fault::TooLong { limit: MAX_EVIDENCE_BYTES }.of(PART));
        }
        match encoded.first() {
            Some(&CMW_RECORD) => decode_record(encoded),
            _ => decode_quote(encoded),
        }
        .map_err(|fault| fault.of(PART))
    }
}

fn decode_record(encoded: &[u8]) -> Result<Evidence, Fault> {
    let mut reader = Reader::new(encoded);
    reader.array(2, "a CMW record")?;
    let platform = platform_of(reader.text()?)?;
    let bytes = reader.bytes()?.to_vec();
    reader.end()?;
    Ok(Evidence { platform, bytes })
}

fn decode_quote(encoded: &[u8]) -> Result<Evidence, Fault> {
    let header = encoded.first_chunk::<8>().ok_or(Fault::Truncated)?;
    let platform = match *header {
        [3..=5, 0, _, _, tee @ ..] if tee == TEE_SGX => Platform::Sgx,
        [4..=5, 0, _, _, tee @ ..] if tee == TEE_TDX => Platform::Tdx,
        _ => return Err(Fault::Expected("a CMW record or an Intel quote")),
    };
    Ok(Evidence { platform, bytes: encoded.to_vec() })
}

/// The media types of wrapped evidence, in our vendor tree (RFC 6838, section 3.2).
const fn media_type(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Simulated => Some("application/vnd.teehouse.simulated-evidence"),
        Platform::Tpm => Some("application/vnd.teehouse.tpm-evidence"),
        Platform::SevSnp => Some("application/vnd.teehouse.sev-snp-evidence"),
        Platform::Tdx | Platform::Sgx => None,
    }
}

fn platform_of(text: &str) -> Result<Platform, Fault> {
    Platform::ALL
        .into_iter()
        .find(|platform| media_type(*platform) == Some(text))
        .ok_or(Fault::Expected("a known media type of evidence"))
}

/// The 64 bytes that evidence binds to a platform's state: the one thing an attester chooses freely.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReportData(pub [u8; 64]);

impl ReportData {
    /// A SHA-256 in the first half, zeros in the second.
    pub fn from_sha256(digest: [u8; 32]) -> Self {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&digest);
        ReportData(bytes)
    }
}

impl fmt::Debug for ReportData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(encoded: &[u8], fault: Fault) {
        assert_eq!(Evidence::decode(encoded), Err(fault.of(PART)), "{encoded:02x?}");
    }

    fn quote(version: u8, tee: [u8; 4]) -> Vec<u8> {
        [&[version, 0, 2, 0], &tee[..], &[7; 40]].concat()
    }

    #[test]
    fn every_platform_travels_and_stays_itself() {
        for platform in Platform::ALL {
            let bytes = match platform {
                Platform::Sgx => quote(3, TEE_SGX),
                Platform::Tdx => quote(4, TEE_TDX),
                _ => vec![1, 2, 3],
            };
            let evidence = Evidence::new(platform, bytes).expect("small enough");
            assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));
        }
    }

    #[test]
    fn simulated_evidence_has_these_bytes() {
        let evidence = Evidence::new(Platform::Simulated, vec![9]).expect("small enough");
        let expected = [&[0x82, 0x78, 43][..], b"application/vnd.teehouse.simulated-evidence", &[0x41, 9]].concat();
        assert_eq!(evidence.encode(), expected);
    }

    #[test]
    fn one_platforms_bytes_cannot_be_anothers() {
        assert!(Evidence::new(Platform::Sgx, quote(4, TEE_TDX)).is_err());
        assert!(Evidence::new(Platform::Tdx, quote(4, TEE_SGX)).is_err());
        assert!(Evidence::new(Platform::Sgx, vec![1, 2, 3]).is_err());
    }

    #[test]
    fn bad_encodings_are_refused() {
        let good = Evidence::new(Platform::Simulated, vec![1; 30]).expect("small enough").encode();
        for length in 0..good.len() {
            check_refused(&good[..length], Fault::Truncated);
        }
        check_refused(&[&good[..], &[0]].concat(), Fault::TrailingBytes);
        check_refused(&[0x83, 0, 0, 0, 0, 0, 0, 0], Fault::Expected("a CMW record or an Intel quote"));
        check_refused(&quote(3, TEE_TDX), Fault::Expected("a CMW record or an Intel quote"));
        check_refused(
            &Writer::default().array(2).text("text/plain").bytes(&[]).finish(),
            Fault::Expected("a known media type of evidence"),
        );
    }

    #[test]
    fn the_limit_holds_at_its_edge() {
        let overhead = 1 + 2 + 43 + 3;
        let at = Evidence::new(Platform::Simulated, vec![0; MAX_EVIDENCE_BYTES - overhead]);
        assert_eq!(at.expect("fits exactly").encode().len(), MAX_EVIDENCE_BYTES);
        let past = Evidence::new(Platform::Simulated, vec![0; MAX_EVIDENCE_BYTES - overhead + 1]);
        assert_eq!(past, Err(Fault::TooLong { limit: MAX_EVIDENCE_BYTES }.of(PART)));
    }
}
