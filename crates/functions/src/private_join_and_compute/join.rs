//! Joins one partition after the other: the sums of identities that all files have.

use executor::Failure;

use super::plan::Plan;
use super::runs::{Run, Sorter};
use super::sums::{Full, Overflow, Record, Sums, records};
use crate::crew::Crew;
use crate::spill::{Chunk, Pool};

/// Bits of a hash that say which part of a partition an identity is in.
const PART_BITS: u32 = 12;

/// One partition: each file's chunks, from the smallest file to the largest.
pub(super) type Partition = Vec<Vec<Chunk<u8>>>;

/// A line that took a sum out of 128 bits, by round and number: the first in the order in which files are added up.
pub(super) type Line = (usize, u64);

/// What one thread joins with.
pub(super) struct Joiner<'r> {
    pool: &'r Pool,
    crew: &'r Crew,
    sums: Sums,
    sorter: Sorter<'r>,
    buffer: Vec<u8>,
    overflow: Option<Line>,
    fewest_lines: Option<u32>,
}

/// What one thread's partitions came to.
pub(super) struct Joined {
    /// Sorted runs of sums.
    pub(super) runs: Vec<Run>,
    /// The first line that took a sum out of 128 bits.
    pub(super) overflow: Option<Line>,
    /// The fewest lines of one file in a sum; `None` where there is no sum.
    pub(super) fewest_lines: Option<u32>,
}

/// One of 2ⁿ parts of a partition.
#[derive(Clone, Copy)]
struct Part {
    bits: u32,
    number: u32,
}

impl Part {
    fn has(self, record: &Record<'_>) -> bool {
        (record.hash >> (32 - PART_BITS)) & ((1 << self.bits) - 1) == self.number
    }

    fn halves(self) -> [Part; 2] {
        let bits = self.bits + 1;
        [Part { bits, number: self.number }, Part { bits, number: self.number | 1 << self.bits }]
    }
}

impl<'r> Joiner<'r> {
    pub(super) fn new(plan: &Plan, pool: &'r Pool, crew: &'r Crew) -> Self {
        let (sums, sorter) = (Sums::new(plan.sums_bytes), Sorter::new(pool, plan.chunk_bytes, plan.sums_bytes));
        Self { pool, crew, sums, sorter, buffer: Vec::new(), overflow: None, fewest_lines: None }
    }

    /// Sorts what is left.
    pub(super) fn finish(self) -> Result<Joined, Failure> {
        let Self { sorter, overflow, fewest_lines, .. } = self;
        Ok(Joined { runs: sorter.finish()?, overflow, fewest_lines })
    }

    /// Adds up a partition, and frees it.
    pub(super) fn join(&mut self, files: Partition) -> Result<(), Failure> {
        // Also where a later file has nothing: what the smallest one adds up may leave 128 bits all the same.
        if files.first().is_some_and(|chunks| !chunks.is_empty()) {
            self.join_part(&files, Part { bits: 0, number: 0 })?;
        }
        files.into_iter().flatten().for_each(|chunk| self.pool.release(chunk));
        Ok(())
    }

    fn join_part(&mut self, files: &[Vec<Chunk<u8>>], part: Part) -> Result<(), Failure> {
        let before = self.sums.bytes();
        let filled = self.add_up(files, part);
        self.pool.count_freed::<u8>(before);
        self.pool.count::<u8>(self.sums.bytes());
        match filled? {
            Ok(()) => {
                let last = files.len() as u32 - 1;
                self.fewest_lines = self.fewest_lines.into_iter().chain(self.sums.fewest_lines(last)).min();
                self.sums.of_round(last).try_for_each(|(identity, total)| self.sorter.add(identity, total))
            }
            // Too many for the table: in two parts then, one after the other.
            Err(Full) if part.bits < PART_BITS => {
                part.halves().into_iter().try_for_each(|half| self.join_part(files, half))
            }
            Err(Full) => Err(Failure::function("too many identities for the run's memory")),
        }
    }

    fn add_up(&mut self, files: &[Vec<Chunk<u8>>], part: Part) -> Result<Result<(), Full>, Failure> {
        let Self { pool, crew, sums, buffer, overflow, .. } = self;
        sums.clear();
        for (round, chunks) in files.iter().enumerate() {
            let mut line = 0;
            for chunk in chunks {
                crew.check()?;
                for record in records(pool.load(chunk, buffer)?, &mut line).filter(|record| part.has(record)) {
                    let added = match round {
                        0 => match sums.insert(&record) {
                            Ok(added) => added,
                            Err(Full) => return Ok(Err(Full)),
                        },
                        _ => sums.add(&record, round as u32),
                    };
                    if let Err(Overflow(line)) = added {
                        *overflow = Some(overflow.map_or((round, line), |first| first.min((round, line))));
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}
