//! A quote's fields: where each begins and ends, and that nothing else is there.
//!
//! ```text
//! header 48 │ version 5: body type, size │ report 384 … 885 │ signature data length u32 │ signature data   (integers LE)
//! signature data   signature 64 │ attestation key 64 │ versions 4, 5: type 6, size u32 │ certification
//! certification    QE report 384 │ its signature 64 │ authentication data size u16, 32 bytes │ type 5, size u32 │ PEM
//! ```
//!
//! Sources: `sgx_quote_3.h`, `sgx_quote_4.h`, `sgx_quote_5.h` and `sgx_report.h` of Intel's DCAP and SGX SDK.

use std::ops::Range;

use crate::refusal::{Fault, Refusal};

const PART: &str = "quote";

const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;

/// ECDSA-256 with a P-256 key, the only kind of attestation key that is in use.
const ECDSA_P256: u16 = 2;
/// Certification data that holds the QE's report and its own certification data.
const QE_CERTIFICATION: u16 = 6;
/// Certification data that holds the PCK certificate and its chain as PEM.
const PCK_CHAIN: u16 = 5;
/// Length of the QE's authentication data, in bytes: Intel's QE writes no other.
const AUTHENTICATION_DATA_BYTES: u16 = 32;

/// A field of a report: its name and its length in bytes.
type FieldLength = (&'static str, usize);

/// Length of an enclave's report, in bytes.
const SGX_REPORT_BYTES: usize = 384;

/// An enclave's report (`sgx_report_body_t`).
const SGX_REPORT: &[FieldLength] = &[
    ("CPUSVN", 16),
    ("MISCSELECT", 4),
    ("reserved", 12),
    ("ISVEXTPRODID", 16),
    ("ATTRIBUTES", 16),
    ("MRENCLAVE", 32),
    ("reserved", 32),
    ("MRSIGNER", 32),
    ("reserved", 32),
    ("CONFIGID", 64),
    ("ISVPRODID", 2),
    ("ISVSVN", 2),
    ("CONFIGSVN", 2),
    ("reserved", 42),
    ("ISVFAMILYID", 16),
    ("REPORTDATA", 64),
];

/// A TDX 1.0 report, 584 bytes (`sgx_report2_body_t`).
const TD_REPORT_10: &[FieldLength] = &[
    ("TEETCBSVN", 16),
    ("MRSEAM", 48),
    ("MRSIGNERSEAM", 48),
    ("SEAMATTRIBUTES", 8),
    ("TDATTRIBUTES", 8),
    ("XFAM", 8),
    ("MRTD", 48),
    ("MRCONFIGID", 48),
    ("MROWNER", 48),
    ("MROWNERCONFIG", 48),
    ("RTMR0", 48),
    ("RTMR1", 48),
    ("RTMR2", 48),
    ("RTMR3", 48),
    ("REPORTDATA", 64),
];

/// What TDX 1.5 adds, 64 bytes (`sgx_report2_body_v1_5_t`).
const TD_REPORT_15: &[FieldLength] = &[("TEETCBSVN2", 16), ("MRSERVICETD", 48)];

/// What TDX 1.5 with extended service TDs adds to that, 237 bytes (`sgx_report2_body_v1_5_ex_t`).
const TD_REPORT_15_EX: &[FieldLength] = &[
    ("VMID", 1),
    ("TDID", 32),
    ("DEVINFO", 48),
    ("initial SERVTDHASH", 48),
    ("initial SERVTDATTRIBUTES", 8),
    ("initial CPUSVN", 16),
    ("initial TEETCBSVN", 16),
    ("initial FMSPC", 12),
    ("current SERVTDHASH", 48),
    ("current SERVTDATTRIBUTES", 8),
];

/// A field, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in Intel's documents.
    pub name: &'static str,
    /// Its bytes in the quote.
    pub range: Range<usize>,
}

/// The fields of a quote, in order and without gaps.
///
/// # Errors
/// [`Refusal::Malformed`] for anything but exactly one quote of a kind that is verified here.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field>, Refusal> {
    Quote::read(bytes).map(|quote| quote.fields)
}

/// A quote without the zeros that fill up the buffer in which a platform handed it out.
///
/// # Errors
/// [`Refusal::Malformed`] when it is no quote, or something else follows.
pub fn without_padding(buffer: &[u8]) -> Result<&[u8], Refusal> {
    let split = || {
        let mut cursor = Cursor::new(buffer);
        read_report(&mut cursor)?;
        let signature_data = usize::try_from(cursor.u32("")?).map_err(|_| Fault::Truncated)?;
        cursor.take("", signature_data)?;
        let (quote, padding) = buffer.split_at(cursor.at);
        if padding.iter().all(|byte| *byte == 0) { Ok(quote) } else { Err(Fault::TrailingBytes) }
    };
    split().map_err(|fault: Fault| fault.of(PART))
}

/// A quote that was seen to have exactly its parts.
pub(super) struct Quote<'a> {
    fields: Vec<Field>,
    /// The PCK certificate and its chain: PEM, and a NUL where a C string was copied.
    pub(super) chain: &'a [u8],
}

impl<'a> Quote<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        read(bytes).map_err(|fault| fault.of(PART))
    }
}

fn read(bytes: &[u8]) -> Result<Quote<'_>, Fault> {
    let mut cursor = Cursor::new(bytes);
    let version = read_report(&mut cursor)?;
    cursor.length_of_rest("signature data length")?;
    cursor.take("signature", 64)?;
    cursor.take("attestation key", 64)?;
    if version > 3 {
        cursor.exactly("certification data type", QE_CERTIFICATION, "certification data of type 6")?;
        cursor.length_of_rest("certification data size")?;
    }
    cursor.take("QE report", SGX_REPORT_BYTES)?;
    cursor.take("QE report signature", 64)?;
    let expected = "32 bytes of authentication data";
    cursor.exactly("QE authentication data size", AUTHENTICATION_DATA_BYTES, expected)?;
    cursor.take("QE authentication data", usize::from(AUTHENTICATION_DATA_BYTES))?;
    cursor.exactly("certification data type", PCK_CHAIN, "certification data of type 5")?;
    cursor.length_of_rest("certification data size")?;
    let chain = cursor.rest("PCK certificate chain");
    Ok(Quote { fields: cursor.fields, chain })
}

/// Header and report; answers the version.
fn read_report(cursor: &mut Cursor<'_>) -> Result<u16, Fault> {
    let version = cursor.u16("version")?;
    cursor.exactly("attestation key type", ECDSA_P256, "an ECDSA P-256 attestation key")?;
    let tee = cursor.u32("TEE type")?;
    cursor.take("QE SVN", 2)?;
    cursor.take("PCE SVN", 2)?;
    cursor.take("QE vendor id", 16)?;
    cursor.take("user data", 20)?;
    match (version, tee) {
        (3, TEE_SGX) => cursor.take_all(SGX_REPORT)?,
        (4, TEE_TDX) => cursor.take_all(TD_REPORT_10)?,
        (5, TEE_TDX) => read_body(cursor)?,
        _ => return Err(Fault::Expected("an SGX quote of version 3 or a TDX quote of version 4 or 5")),
    }
    Ok(version)
}

/// A report that is preceded by its type and size, as in version 5.
fn read_body(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let bodies: &[&[FieldLength]] = match cursor.u16("body type")? {
        2 => &[TD_REPORT_10],
        3 => &[TD_REPORT_10, TD_REPORT_15],
        4 => &[TD_REPORT_10, TD_REPORT_15, TD_REPORT_15_EX],
        _ => return Err(Fault::Expected("a TDX report")),
    };
    let length: usize = bodies.iter().flat_map(|body| body.iter().map(|(_, length)| length)).sum();
    if usize::try_from(cursor.u32("body size")?) != Ok(length) {
        return Err(Fault::Expected("the report's size"));
    }
    bodies.iter().try_for_each(|body| cursor.take_all(body))
}

/// Takes fields from the front and remembers where they were.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0, fields: Vec::new() }
    }

    fn take(&mut self, name: &'static str, length: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(length).ok_or(Fault::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Fault::Truncated)?;
        self.fields.push(Field { name, range: self.at..end });
        self.at = end;
        Ok(taken)
    }

    fn take_all(&mut self, fields: &[FieldLength]) -> Result<(), Fault> {
        fields.iter().try_for_each(|(name, length)| self.take(name, *length).map(|_| ()))
    }

    fn u16(&mut self, name: &'static str) -> Result<u16, Fault> {
        let bytes = self.take(name, 2)?;
        Ok(u16::from_le_bytes(bytes.try_into().expect("two were taken")))
    }

    fn u32(&mut self, name: &'static str) -> Result<u32, Fault> {
        let bytes = self.take(name, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four were taken")))
    }

    fn exactly(&mut self, name: &'static str, value: u16, expected: &'static str) -> Result<(), Fault> {
        if self.u16(name)? == value { Ok(()) } else { Err(Fault::Expected(expected)) }
    }

    /// A length that says how much follows: neither more nor less.
    fn length_of_rest(&mut self, name: &'static str) -> Result<(), Fault> {
        let length = usize::try_from(self.u32(name)?).map_err(|_| Fault::Truncated)?;
        match length.cmp(&(self.bytes.len() - self.at)) {
            std::cmp::Ordering::Less => Err(Fault::TrailingBytes),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Fault::Truncated),
        }
    }

    fn rest(&mut self, name: &'static str) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.fields.push(Field { name, range: self.at..self.bytes.len() });
        self.at = self.bytes.len();
        rest
    }
}
