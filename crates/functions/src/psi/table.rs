//! The distinct tags of one partition of the smallest file, and how many files have each.
//!
//! ```text
//! slots     [ · | tag's hint, number | · | … ]      open addressing, linear probing, at most half full; 4 bytes each
//! distinct  [ tag 0 | tag 1 | … ]                   in the order in which they came
//! files     [ how many files have it | … ]
//! ```
//!
//! The hint is as much of the tag as a slot has room for, so that most that are not there never touch `distinct`. Tags
//! are pseudo-random under a key that nobody knows, so that their bits serve as the hash: nobody can choose long probes.

use super::entry::{Entry, RECORD_BITS, low_bits, tag_bits};

/// Tags and counts.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<u32>,
    distinct: Vec<u128>,
    files: Vec<u32>,
    /// One less than the number of slots, a power of two.
    mask: usize,
    /// The bits of a slot that are a tag's number plus one.
    number: u32,
    most: usize,
    entries: usize,
}

/// There is no room for another tag.
pub(super) struct Full;

/// Bytes that a table takes for each tag at the most it can hold.
pub(super) const BYTES_OF_TAG: u64 = 32;

impl Table {
    /// Empties it and makes it as large as so many tags need, up to a most, which is below 2³⁰.
    pub(super) fn reset(&mut self, tags: usize, most: usize) {
        let room = tags.clamp(1, most);
        let slots = (2 * room).next_power_of_two();
        self.slots.clear();
        self.slots.resize(slots, 0);
        self.distinct.clear();
        self.distinct.reserve_exact(room);
        self.files.clear();
        self.files.reserve_exact(room);
        (self.mask, self.most, self.entries) = (slots - 1, room, 0);
        self.number = (slots - 1) as u32;
    }

    /// Bytes that were allocated.
    pub(super) fn bytes(&self) -> usize {
        4 * self.slots.capacity() + 16 * self.distinct.capacity() + 4 * self.files.capacity()
    }

    /// Notes the tags of the first file.
    pub(super) fn insert(&mut self, entries: &[Entry]) -> Result<(), Full> {
        for entry in entries {
            let tag = tag_bits(*entry);
            if let Err(slot) = self.find(tag) {
                if self.distinct.len() == self.most {
                    return Err(Full);
                }
                self.distinct.push(tag);
                self.files.push(1);
                self.slots[slot] = self.hint(tag) | self.distinct.len() as u32;
            }
        }
        self.entries += entries.len();
        Ok(())
    }

    /// Whether no tag of the first file came twice.
    pub(super) fn none_repeated(&self) -> bool {
        self.entries == self.distinct.len()
    }

    /// Counts a file at those of its tags that all files before it have, each once, and gives the lowest bits of the
    /// records with such tags.
    pub(super) fn count(&mut self, entries: &[Entry], files_before: u32, records: &mut Vec<u32>) {
        records.clear();
        for entry in entries {
            if let Ok(number) = self.find(tag_bits(*entry)) {
                let files = &mut self.files[number];
                if *files >= files_before {
                    *files = files_before + 1;
                    records.push(low_bits(*entry));
                }
            }
        }
    }

    /// How many distinct tags so many files have.
    pub(super) fn distinct_common(&self, files: u32) -> u64 {
        self.files.iter().filter(|have| **have == files).count() as u64
    }

    /// The lowest bits of the records whose tags so many files have.
    pub(super) fn common(&self, entries: &[Entry], files: u32, records: &mut Vec<u32>) {
        records.clear();
        for entry in entries {
            if self.find(tag_bits(*entry)).is_ok_and(|number| self.files[number] == files) {
                records.push(low_bits(*entry));
            }
        }
    }

    /// The same for the first file's entries, of which none was repeated, from this one on in their order.
    pub(super) fn common_from(&self, start: usize, entries: &[Entry], files: u32, records: &mut Vec<u32>) {
        records.resize(entries.len(), 0);
        let mut found = 0;
        for (entry, have) in entries.iter().zip(&self.files[start..]) {
            records[found] = low_bits(*entry);
            found += usize::from(*have == files);
        }
        records.truncate(found);
    }

    /// A tag's number, or the slot where it belongs.
    #[inline]
    fn find(&self, tag: u128) -> Result<usize, usize> {
        let hint = self.hint(tag);
        let mut at = (tag >> 64) as usize & self.mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return Err(at);
            }
            let number = (slot & self.number) as usize;
            if slot & !self.number == hint && self.distinct.get(number.wrapping_sub(1)) == Some(&tag) {
                return Ok(number - 1);
            }
            at = (at + 1) & self.mask;
        }
    }

    #[inline]
    fn hint(&self, tag: u128) -> u32 {
        (tag >> 96) as u32 & !self.number
    }
}

/// Which of 2ⁿ parts of a partition a tag is in, up to 2³²: by bits that don't choose its slot.
pub(super) fn part(entry: Entry, bits: u32) -> u64 {
    (tag_bits(entry) as u64 >> RECORD_BITS) & ((1 << bits) - 1)
}
