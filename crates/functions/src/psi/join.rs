//! Joins one partition after the other: which of its tags all files have, and so the answers of its records.
//!
//! The smallest file's tags make a table. Every further file counts itself at those tags that all files before it have.
//! What the last one counted is common. Then the other files pass by once more for their answers.
//!
//! A table grows with distinct tags: a record that is repeated takes one slot. Where a partition has more of them than
//! a table may have, it is taken in 2, 4, 8 … parts, one after the other.

use executor::Failure;

use super::answers::Marks;
use super::entry::{Entry, to_base};
use super::plan::Plan;
use super::table::{Full, Table, part};
use crate::crew::Crew;
use crate::spill::{Chunk, Pool};

/// Parts beyond this would be of equal tags: 2³² of them are more than any file has.
const MOST_PART_BITS: u32 = 32;

/// A file's number, and its chunks of one partition.
pub(super) type File = (usize, Vec<Chunk<Entry>>);

/// One partition, from the smallest file to the largest.
pub(super) struct Partition(pub(super) Vec<File>);

/// What one thread joins with.
pub(super) struct Joiner<'r> {
    plan: &'r Plan,
    pool: &'r Pool,
    reader: ChunkReader<'r>,
    table: Table,
    records: Vec<u32>,
    marks: Marks<'r>,
    /// Distinct records that are common, so far.
    common: u64,
}

impl<'r> Joiner<'r> {
    pub(super) fn new(plan: &'r Plan, pool: &'r Pool, crew: &'r Crew, marks: Marks<'r>) -> Self {
        let reader = ChunkReader { pool, crew, buffer: Vec::new(), mine: Vec::new() };
        Self { plan, pool, reader, table: Table::default(), records: Vec::new(), marks, common: 0 }
    }

    /// How many distinct records are common.
    pub(super) fn common(&self) -> u64 {
        self.common
    }

    /// What was marked.
    pub(super) fn finish(self) -> Marks<'r> {
        self.pool.count_freed::<u8>(self.table.bytes());
        self.marks
    }

    /// Marks what is common, and frees the partition.
    pub(super) fn join(&mut self, partition: Partition) -> Result<(), Failure> {
        let Partition(files) = &partition;
        if files.iter().all(|(_, chunks)| !chunks.is_empty()) {
            self.join_files(files)?;
        }
        partition.0.into_iter().flat_map(|(_, chunks)| chunks).for_each(|chunk| self.pool.release(chunk));
        Ok(())
    }

    fn join_files(&mut self, files: &[File]) -> Result<(), Failure> {
        for bits in 0..MOST_PART_BITS {
            // A part that is too large comes back in smaller ones; what was marked is marked again, and counted anew.
            let mut parts = (0..1 << bits).map(|number| self.join_part(files, Part { bits, number }));
            match parts.try_fold(0, |common, part| Ok(common + part?)) {
                Err(Halt::Full) => {}
                Err(Halt::Failed(failure)) => return Err(failure),
                Ok(common) => {
                    self.common += common;
                    return Ok(());
                }
            }
        }
        Err(Failure::function("the files have too many records"))
    }

    /// Marks what is common in one part, and gives how many distinct records that is.
    fn join_part(&mut self, files: &[File], part: Part) -> Result<u64, Halt> {
        let [smallest, between @ .., largest] = files else { return Ok(0) };
        let all = files.len() as u32;
        let Self { plan, pool, reader, table, marks, records, common: _ } = self;
        pool.count_freed::<u8>(table.bytes());
        table.reset(smallest.1.iter().map(Chunk::len).sum::<usize>() >> part.bits, plan.tags);
        pool.count::<u8>(table.bytes());
        reader.for_each(smallest, part, |_, entries| Ok(table.insert(entries)?))?;
        for (before, file) in (1..).zip(between) {
            reader.for_each(file, part, |_, entries| {
                table.count(entries, before, records);
                Ok(())
            })?;
        }
        reader.for_each(largest, part, |base, entries| {
            table.count(entries, all - 1, records);
            Ok(marks.mark(largest.0, base, records)?)
        })?;
        let mut start = 0;
        let by_number = table.none_repeated();
        reader.for_each(smallest, part, |base, entries| {
            match by_number {
                true => table.common_from(start, entries, all, records),
                false => table.common(entries, all, records),
            }
            start += entries.len();
            Ok(marks.mark(smallest.0, base, records)?)
        })?;
        between.iter().try_for_each(|file| {
            reader.for_each(file, part, |base, entries| {
                table.common(entries, all, records);
                Ok(marks.mark(file.0, base, records)?)
            })
        })?;
        Ok(table.distinct_common(all))
    }
}

/// Why a part is not joined.
enum Halt {
    Full,
    Failed(Failure),
}

impl From<Full> for Halt {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// One of 2ⁿ parts of a partition.
#[derive(Clone, Copy)]
struct Part {
    bits: u32,
    number: u64,
}

struct ChunkReader<'r> {
    pool: &'r Pool,
    crew: &'r Crew,
    buffer: Vec<Entry>,
    /// A chunk's entries of one part.
    mine: Vec<Entry>,
}

impl ChunkReader<'_> {
    /// A file's entries of one part in the file's order, by chunks, each with its base.
    fn for_each(
        &mut self,
        (_, chunks): &File,
        Part { bits, number }: Part,
        mut act: impl FnMut(u64, &[Entry]) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        for chunk in chunks {
            self.crew.check()?;
            let Some((base, entries)) = self.pool.load(chunk, &mut self.buffer)?.split_first() else { continue };
            if bits == 0 {
                act(to_base(*base), entries)?;
            } else {
                self.mine.clear();
                self.mine.extend(entries.iter().filter(|entry| part(**entry, bits) == number));
                act(to_base(*base), &self.mine)?;
            }
        }
        Ok(())
    }
}
