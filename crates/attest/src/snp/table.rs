//! The certificates that a host hands to its guests: a table of GUIDs, offsets and lengths, then the certificates.
//!
//! ```text
//! GUID 16 (RFC 9562 byte order) │ offset u32 LE │ length u32 LE     for each certificate
//! zeros 24
//! certificates
//! ```
//!
//! Hosts pad the table and add what they like. Evidence carries it in one form alone, which [`canonical`] makes: what
//! helps to verify, each once, in a fixed order, without gaps.
//!
//! Source: AMD, SEV-ES Guest-Hypervisor Communication Block Standardization (56421), section 4.1.8.1.

use std::ops::Range;

use crate::refusal::{Fault, Refusal};

const PART: &str = "certificate table";

/// Length of an entry, in bytes.
const ENTRY_BYTES: usize = 24;

/// `63da758d-e664-4564-adc5-f4b93be8accd`.
const VCEK: [u8; 16] = [0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd];
/// `a8074bc2-a25a-483e-aae6-39c045a0b8a1`.
const VLEK: [u8; 16] = [0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1];
/// `4ab7b379-bbac-4fe4-a02f-05aef327c782`: the ASK, or the ASVK.
const ASK: [u8; 16] = [0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82];

/// What evidence may bring along, as DER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificates<'a> {
    /// The certificate of the key that signed the report: a VCEK's or a VLEK's.
    pub vek: Option<Vek<'a>>,
    /// The certificate of the CA that issued it.
    pub authority: Option<&'a [u8]>,
}

/// A certificate under one of the two names that it can have in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vek<'a> {
    /// A chip's own key.
    Vcek(&'a [u8]),
    /// A key that AMD gave to a cloud.
    Vlek(&'a [u8]),
}

impl<'a> Certificates<'a> {
    /// The table in its one form; no bytes at all when there is nothing in it.
    pub fn to_table(&self) -> Vec<u8> {
        let entries = self.entries();
        if entries.is_empty() {
            return Vec::new();
        }
        let mut table = Vec::new();
        let mut offset = (entries.len() + 1) * ENTRY_BYTES;
        for (guid, der) in &entries {
            table.extend_from_slice(guid);
            for number in [offset, der.len()] {
                table.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
            }
            offset += der.len();
        }
        table.extend_from_slice(&[0; ENTRY_BYTES]);
        entries.iter().for_each(|(_, der)| table.extend_from_slice(der));
        table
    }

    /// Reads the table in its one form.
    pub(super) fn read(table: &'a [u8]) -> Result<Self, Refusal> {
        let read = if table.is_empty() { Ok(Certificates::default()) } else { parse(table) };
        let certificates = read.map_err(|fault| fault.of(PART))?;
        if certificates.to_table() == table { Ok(certificates) } else { Err(Fault::NotDeterministic.of(PART)) }
    }

    fn entries(&self) -> Vec<([u8; 16], &'a [u8])> {
        let vek = self.vek.map(|vek| match vek {
            Vek::Vcek(der) => (VCEK, der),
            Vek::Vlek(der) => (VLEK, der),
        });
        vek.into_iter().chain(self.authority.map(|der| (ASK, der))).collect()
    }
}

/// What a host handed out, in the one form: of certificates under one name the first, and nothing that is not used.
///
/// # Errors
/// [`Refusal::Malformed`] for a table that points outside itself.
pub fn canonical(table: &[u8]) -> Result<Vec<u8>, Refusal> {
    if table.iter().all(|byte| *byte == 0) {
        return Ok(Vec::new());
    }
    parse(table).map(|certificates| certificates.to_table()).map_err(|fault| fault.of(PART))
}

fn parse(table: &[u8]) -> Result<Certificates<'_>, Fault> {
    let mut certificates = Certificates::default();
    for entry in table.chunks(ENTRY_BYTES) {
        let entry: &[u8; ENTRY_BYTES] = entry.try_into().map_err(|_| Fault::Truncated)?;
        if entry == &[0; ENTRY_BYTES] {
            return Ok(certificates);
        }
        let (guid, place) = entry.split_at(16);
        let der = table.get(range(place)?).ok_or(Fault::Truncated)?;
        match guid {
            _ if guid == VCEK => certificates.vek = certificates.vek.or(Some(Vek::Vcek(der))),
            _ if guid == VLEK => certificates.vek = certificates.vek.or(Some(Vek::Vlek(der))),
            _ if guid == ASK => certificates.authority = certificates.authority.or(Some(der)),
            _ => {}
        }
    }
    Err(Fault::Truncated)
}

fn range(place: &[u8]) -> Result<Range<usize>, Fault> {
    let number = |bytes: &[u8]| {
        let bytes = bytes.first_chunk().copied().ok_or(Fault::Truncated)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| Fault::Truncated)
    };
    let (start, length) = (number(place)?, number(&place[4..])?);
    Ok(start..start.checked_add(length).ok_or(Fault::Truncated)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Certificates<'_> = Certificates { vek: Some(Vek::Vcek(b"vcek")), authority: Some(b"authority") };

    #[test]
    fn tables_read_back() {
        let vlek = Certificates { vek: Some(Vek::Vlek(b"vlek")), authority: None };
        for certificates in [Certificates::default(), BOTH, vlek] {
            assert_eq!(Certificates::read(&certificates.to_table()), Ok(certificates));
            assert_eq!(canonical(&certificates.to_table()), Ok(certificates.to_table()));
        }
    }

    #[test]
    fn what_hosts_add_is_dropped_and_refused_in_evidence() {
        let good = BOTH.to_table();
        let padded = [&good[..], &[0; 4096]].concat();
        assert_eq!(canonical(&padded), Ok(good.clone()));
        assert_eq!(Certificates::read(&padded), Err(Fault::NotDeterministic.of(PART)));
        let unknown = [[9; 16], [0; 16]].concat();
        let other = [&unknown[..ENTRY_BYTES], &[0; ENTRY_BYTES]].concat();
        assert_eq!(canonical(&other), Ok(Vec::new()));
        assert_eq!(canonical(&[0; 4096]), Ok(Vec::new()));
        assert!(Certificates::read(&[0; 24]).is_err());
    }

    #[test]
    fn tables_that_point_outside_are_refused() {
        let good = BOTH.to_table();
        for length in 1..good.len() {
            assert!(canonical(&good[..length]).is_err() || length < ENTRY_BYTES, "{length}");
            assert!(Certificates::read(&good[..length]).is_err(), "{length}");
        }
        let mut far = good;
        far[16..24].copy_from_slice(&[0xff; 8]);
        assert_eq!(canonical(&far), Err(Fault::Truncated.of(PART)));
    }
}
