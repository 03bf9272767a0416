//! An attestation report's fields: where each begins, and that what is reserved is zero.
//!
//! Source: AMD, SEV Secure Nested Paging Firmware ABI Specification (56860), `ATTESTATION_REPORT` and chapter 10
//! (signature format), versions 2 to 5 of the report.

use std::ops::Range;

use crate::refusal::Fault;

/// Length of a report, in bytes.
pub const REPORT_BYTES: usize = 1184;

/// How much of it is signed, in bytes.
pub(super) const SIGNED_BYTES: usize = 0x2a0;

/// What may stand in a reserved place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Anything.
    Field,
    /// Zeros.
    Reserved,
    /// Zeros before this version of the report.
    Since(u32),
}

use Kind::{Field, Reserved, Since};

/// Name, length in bytes, and kind of each field, in order.
const FIELDS: &[(&str, usize, Kind)] = &[
    ("VERSION", 4, Field),
    ("GUEST_SVN", 4, Field),
    ("POLICY", 8, Field),
    ("FAMILY_ID", 16, Field),
    ("IMAGE_ID", 16, Field),
    ("VMPL", 4, Field),
    ("SIGNATURE_ALGO", 4, Field),
    ("CURRENT_TCB", 8, Field),
    ("PLATFORM_INFO", 8, Field),
    ("KEY_INFO", 4, Field),
    ("reserved", 4, Reserved),
    ("REPORT_DATA", 64, Field),
    ("MEASUREMENT", 48, Field),
    ("HOST_DATA", 32, Field),
    ("ID_KEY_DIGEST", 48, Field),
    ("AUTHOR_KEY_DIGEST", 48, Field),
    ("REPORT_ID", 32, Field),
    ("REPORT_ID_MA", 32, Field),
    ("REPORTED_TCB", 8, Field),
    ("CPUID", 3, Since(3)),
    ("reserved", 21, Reserved),
    ("CHIP_ID", 64, Field),
    ("COMMITTED_TCB", 8, Field),
    ("CURRENT_VERSION", 3, Field),
    ("reserved", 1, Reserved),
    ("COMMITTED_VERSION", 3, Field),
    ("reserved", 1, Reserved),
    ("LAUNCH_TCB", 8, Field),
    ("LAUNCH_MIT_VECTOR", 8, Since(5)),
    ("CURRENT_MIT_VECTOR", 8, Since(5)),
    ("reserved", 152, Reserved),
    ("signature R", 48, Field),
    ("reserved", 24, Reserved),
    ("signature S", 48, Field),
    ("reserved", 24, Reserved),
    ("reserved", 368, Reserved),
];

/// The name and the place of each field of a report, in order and without gaps.
pub fn fields() -> impl Iterator<Item = (&'static str, Range<usize>)> {
    placed().map(|(name, range, _)| (name, range))
}

fn placed() -> impl Iterator<Item = (&'static str, Range<usize>, Kind)> {
    FIELDS.iter().scan(0, |at, (name, length, kind)| {
        let start = *at;
        *at += length;
        Some((*name, start..*at, *kind))
    })
}

/// A report whose version is known and whose reserved bytes are zero.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a>(&'a [u8; REPORT_BYTES]);

impl<'a> Layout<'a> {
    pub(super) fn read(bytes: &'a [u8; REPORT_BYTES]) -> Result<Self, Fault> {
        let layout = Layout(bytes);
        let version = layout.version();
        if !(2..=5).contains(&version) {
            return Err(Fault::Expected("a report of version 2 to 5"));
        }
        let reserved = |kind| kind == Reserved || matches!(kind, Since(since) if version < since);
        let clean = placed().all(|(_, range, kind)| !reserved(kind) || bytes[range].iter().all(|byte| *byte == 0));
        if clean { Ok(layout) } else { Err(Fault::Expected("zeros in reserved bytes")) }
    }

    pub(super) fn version(self) -> u32 {
        self.u32("VERSION")
    }

    /// What the signature is over.
    pub(super) fn signed(self) -> &'a [u8] {
        &self.0[..SIGNED_BYTES]
    }

    /// `N` bytes of the field with this name, which has exactly so many.
    pub(super) fn field<const N: usize>(self, name: &'static str) -> [u8; N] {
        let (_, range, _) = placed().find(|(other, ..)| *other == name).expect("the table has this field");
        self.0[range].try_into().expect("the table has this length")
    }

    pub(super) fn u32(self, name: &'static str) -> u32 {
        u32::from_le_bytes(self.field(name))
    }

    pub(super) fn u64(self, name: &'static str) -> u64 {
        u64::from_le_bytes(self.field(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets as the specification has them.
    #[test]
    fn fields_are_where_the_specification_puts_them() {
        let offsets = [
            ("VERSION", 0),
            ("POLICY", 0x08),
            ("VMPL", 0x30),
            ("CURRENT_TCB", 0x38),
            ("KEY_INFO", 0x48),
            ("REPORT_DATA", 0x50),
            ("MEASUREMENT", 0x90),
            ("HOST_DATA", 0xc0),
            ("AUTHOR_KEY_DIGEST", 0x110),
            ("REPORTED_TCB", 0x180),
            ("CPUID", 0x188),
            ("CHIP_ID", 0x1a0),
            ("COMMITTED_TCB", 0x1e0),
            ("CURRENT_VERSION", 0x1e8),
            ("COMMITTED_VERSION", 0x1ec),
            ("LAUNCH_TCB", 0x1f0),
            ("CURRENT_MIT_VECTOR", 0x200),
            ("signature R", SIGNED_BYTES),
            ("signature S", SIGNED_BYTES + 72),
        ];
        for (name, offset) in offsets {
            assert_eq!(
                fields().find(|(other, _)| *other == name).map(|(_, range)| range.start),
                Some(offset),
                "{name}"
            );
        }
        assert_eq!(fields().last().map(|(_, range)| range.end), Some(REPORT_BYTES));
    }
}
