//! What is kept of a record: 104 bits of its tag, and which record of its file it is.
//!
//! ```text
//! entry = tag's bits 0 … 103 | record's bits 0 … 23, as 16 bytes little-endian
//! chunk = base (64 bits, 0 …) | entry | entry | …
//! ```
//!
//! A chunk's base is its first record; all others are less than 2²⁴ further on, so that 24 bits are enough.
//!
//! The tag's uppermost bits say which partition the record belongs to, and need not be kept.

/// An entry, or a chunk's base.
pub(super) type Entry = [u8; 16];

/// Bits of an entry that are not the tag's.
pub(super) const RECORD_BITS: u32 = 24;
/// How far a chunk reaches, in records.
pub(super) const REACH: u64 = 1 << RECORD_BITS;

/// Which of 2ⁿ partitions a tag is in.
#[inline]
pub(super) fn partition(tag: u128, bits: u32) -> usize {
    ((tag >> 64) as u64 >> 1 >> (63 - bits)) as usize
}

/// An entry for a record.
#[inline]
pub(super) fn entry(tag: u128, record: u64) -> Entry {
    (tag << RECORD_BITS | u128::from(record & (REACH - 1))).to_le_bytes()
}

/// An entry's tag bits, with zeros below.
#[inline]
pub(super) fn tag_bits(entry: Entry) -> u128 {
    u128::from_le_bytes(entry) & !u128::from(REACH - 1)
}

/// The lowest bits of an entry's record.
#[inline]
pub(super) fn low_bits(entry: Entry) -> u32 {
    u128::from_le_bytes(entry) as u32 & (REACH as u32 - 1)
}

/// The record with these lowest bits that is less than [`REACH`] after another.
#[inline]
pub(super) fn record_from(base: u64, low_bits: u32) -> u64 {
    base + (u64::from(low_bits).wrapping_sub(base) & (REACH - 1))
}

/// The record with these lowest bits that is less than [`REACH`] before another.
#[inline]
pub(super) fn record_before(next: u64, low_bits: u32) -> u64 {
    next - (next.wrapping_sub(u64::from(low_bits)) & (REACH - 1))
}

/// A chunk's first element.
pub(super) fn from_base(record: u64) -> Entry {
    u128::from(record).to_le_bytes()
}

/// The record that a chunk's first element names.
pub(super) fn to_base(base: Entry) -> u64 {
    u128::from_le_bytes(base) as u64
}
