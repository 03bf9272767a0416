//! Finds records of one file: a hash table of references into the file, without a copy of any record.
//!
//! Open addressing with linear probing, at most half full. A slot is 8 bytes: the upper half of the record's hash
//! as a tag, so that most probes never touch the file, and the record's number plus one (0 is an empty slot).
//!
//! The hash is keyed at random for every run: no party can choose records that collide. A repeated record is indexed
//! once: a file of equal records makes no long probes.

use std::hash::BuildHasher;
use std::hint::black_box;

use executor::Failure;

/// Bytes of a record.
pub(super) const RECORD_BYTES: usize = 32;
/// A hashed identifier.
pub(super) type Record = [u8; RECORD_BYTES];

/// Records between two checkpoints: well under a millisecond.
pub(super) const BATCH: usize = 2048;

/// An index over the distinct records of a file.
pub(super) struct Index<'a, S> {
    records: &'a [Record],
    slots: Vec<u64>,
    hasher: S,
}

impl<'a, S: BuildHasher> Index<'a, S> {
    /// Indexes `records`; `repeated` gets the number of each that occurred before. The hasher must have a fresh key.
    pub(super) fn build(
        hasher: S,
        records: &'a [Record],
        mut repeated: impl FnMut(usize),
        checkpoint: impl Fn() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        if u32::try_from(records.len()).is_err() {
            return Err(Failure::function(format!("the smaller file has more than {} records", u32::MAX)));
        }
        let slots = vec![0; (2 * records.len()).next_power_of_two()];
        let mut index = Self { records, slots, hasher };
        for (batch, start) in records.chunks(BATCH).zip((0..).step_by(BATCH)) {
            checkpoint()?;
            let hashes = index.hash_all(batch);
            for ((record, hash), number) in batch.iter().zip(hashes).zip(start..) {
                match index.probe(record, hash) {
                    Probe::Found(_) => repeated(number),
                    Probe::Free(slot) => index.slots[slot] = pack(hash, number),
                }
            }
        }
        Ok(index)
    }

    /// The number of the first indexed record that equals each of `records`, in order.
    pub(super) fn find_all(&self, records: &[Record], mut found: impl FnMut(Option<usize>)) {
        for (record, hash) in records.iter().zip(self.hash_all(records)) {
            found(match self.probe(record, hash) {
                Probe::Found(number) => Some(number),
                Probe::Free(_) => None,
            });
        }
    }

    /// Hashes a batch and touches the slots where its probes start. Nothing here waits for anything else, so the
    /// processor fetches many slots from memory at once; probing one record after the other, it would wait for each.
    fn hash_all(&self, records: &[Record]) -> Vec<u64> {
        let hashes: Vec<u64> = records.iter().map(|record| self.hasher.hash_one(record)).collect();
        black_box(hashes.iter().fold(0, |sum, hash| sum ^ self.slots[self.home(*hash)]));
        hashes
    }

    /// The first occurrence of the record with this number.
    pub(super) fn first_occurrence(&self, number: usize) -> usize {
        let record = &self.records[number];
        match self.probe(record, self.hasher.hash_one(record)) {
            Probe::Found(first) => first,
            Probe::Free(_) => unreachable!("every record is indexed"),
        }
    }

    fn probe(&self, record: &Record, hash: u64) -> Probe {
        let mut slot = self.home(hash);
        loop {
            match self.slots[slot] {
                0 => return Probe::Free(slot),
                entry if tag(entry) == tag(hash) && self.records[number(entry)] == *record => {
                    return Probe::Found(number(entry));
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }

    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }
}

enum Probe {
    Found(usize),
    Free(usize),
}

fn pack(hash: u64, number: usize) -> u64 {
    (hash & !0xffff_ffff) | (number as u64 + 1)
}

fn tag(entry: u64) -> u32 {
    (entry >> 32) as u32
}

fn number(entry: u64) -> usize {
    (entry as u32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::{BuildHasherDefault, Hasher, RandomState};

    use super::*;

    /// The adversary's dream: all records collide, tag included.
    #[derive(Default)]
    struct Constant;

    impl Hasher for Constant {
        fn write(&mut self, _: &[u8]) {}

        fn finish(&self) -> u64 {
            u64::MAX
        }
    }

    fn check_index<S: BuildHasher>(hasher: S) {
        let records = [[1; 32], [2; 32], [1; 32], [3; 32], [3; 32]];
        let mut repeats = Vec::new();
        let index = Index::build(hasher, &records, |number| repeats.push(number), || Ok(())).unwrap();
        assert_eq!((0..5).map(|number| index.first_occurrence(number)).collect::<Vec<_>>(), [0, 1, 0, 3, 3]);
        let mut found = Vec::new();
        index.find_all(&[[3; 32], [4; 32], [1; 32], [2; 32]], |first| found.push(first));
        assert_eq!(found, [Some(3), None, Some(0), Some(1)]);
        assert_eq!(repeats, [2, 4]);
    }

    #[test]
    fn records_are_told_apart() {
        check_index(RandomState::new());
    }

    #[test]
    fn records_with_the_same_hash_are_told_apart() {
        check_index(BuildHasherDefault::<Constant>::default());
    }

    #[test]
    fn building_stops_between_batches() {
        let records = vec![[0; 32]; 3 * BATCH];
        for allowed in 0..=3 {
            let asked = Cell::new(0);
            let built = Index::build(RandomState::new(), &records, drop, || {
                asked.set(asked.get() + 1);
                if asked.get() <= allowed { Ok(()) } else { Err(Failure::function("enough")) }
            });
            assert_eq!((built.is_ok(), asked.get()), (allowed == 3, 3.min(allowed + 1)));
        }
    }
}
