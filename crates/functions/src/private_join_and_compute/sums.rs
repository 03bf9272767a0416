//! Sums of one partition's identities: those that every file so far has.
//!
//! The smallest file's identities make a table; every further file only adds to those that all files before it have.

use std::ops::Range;

use super::wire::Reader;

/// One identity.
struct Sum {
    hash: u32,
    identity: Range<usize>,
    /// The last round, counting files from 0, in which it occurred.
    round: u32,
    /// Lines of that round's file with it; what is past 32 bits is not counted.
    lines: u32,
    /// The fewest that any file before had.
    fewest: u32,
    total: i128,
}

/// A table of sums: open addressing with linear probing, at most half full.
pub(super) struct Sums {
    most_bytes: usize,
    slots: Vec<u32>,
    sums: Vec<Sum>,
    text: Vec<u8>,
}

/// There is no room for another identity.
pub(super) struct Full;

/// Adding an amount left 128 bits, on this line.
pub(super) struct Overflow(pub(super) u64);

const LEAST_SLOTS: usize = 256;

/// What a chunk's record says.
pub(super) struct Record<'c> {
    pub(super) hash: u32,
    line: u64,
    amount: i128,
    identity: &'c [u8],
}

/// A chunk's records. `line` is the last line of the chunk before.
pub(super) fn records<'c>(chunk: &'c [u8], line: &mut u64) -> impl Iterator<Item = Record<'c>> {
    let mut reader = Reader(chunk);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let hash = reader.hash();
        *line += reader.number() as u64;
        Some(Record { hash, line: *line, amount: reader.signed(), identity: reader.identity() })
    })
}

impl Sums {
    /// Of identities that take at most so many bytes.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, slots: Vec::new(), sums: Vec::new(), text: Vec::new() }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.slots.resize(LEAST_SLOTS, 0);
        self.sums.clear();
        self.text.clear();
    }

    /// Bytes that were allocated.
    pub(super) fn bytes(&self) -> usize {
        4 * self.slots.capacity() + size_of::<Sum>() * self.sums.capacity() + self.text.capacity()
    }

    /// A record of the first file.
    pub(super) fn insert(&mut self, record: &Record<'_>) -> Result<Result<(), Overflow>, Full> {
        match self.find(record) {
            Ok(at) => Ok(self.sums[at].add(record, 0)),
            Err(_) => self.insert_new(record).map(Ok),
        }
    }

    /// A record of a later one.
    pub(super) fn add(&mut self, record: &Record<'_>, round: u32) -> Result<(), Overflow> {
        match self.find(record) {
            Ok(at) if self.sums[at].round + 1 >= round => self.sums[at].add(record, round),
            _ => Ok(()),
        }
    }

    /// The fewest lines that any file has of an identity that occurred in this round; `None` where there is no such identity.
    pub(super) fn fewest_lines(&self, round: u32) -> Option<u32> {
        self.sums.iter().filter(|sum| sum.round == round).map(|sum| sum.fewest.min(sum.lines)).min()
    }

    /// Identities that occurred in this round, with their totals.
    pub(super) fn of_round(&self, round: u32) -> impl Iterator<Item = (&[u8], i128)> {
        let these = self.sums.iter().filter(move |sum| sum.round == round);
        these.map(|sum| (&self.text[sum.identity.clone()], sum.total))
    }

    fn insert_new(&mut self, record: &Record<'_>) -> Result<(), Full> {
        let text = self.text.len() + record.identity.len();
        // A vector that grows has twice what it needs at most.
        if 2 * (text + (self.sums.len() + 1) * (size_of::<Sum>() + 2 * size_of::<u32>())) > self.most_bytes {
            return Err(Full);
        }
        if 2 * (self.sums.len() + 1) > self.slots.len() {
            self.grow();
        }
        let start = self.text.len();
        self.text.extend_from_slice(record.identity);
        let identity = start..self.text.len();
        self.sums.push(Sum { hash: record.hash, identity, round: 0, lines: 1, fewest: u32::MAX, total: record.amount });
        let slot = free(&self.slots, record.hash);
        self.slots[slot] = self.sums.len() as u32;
        Ok(())
    }

    fn grow(&mut self) {
        let slots = 2 * self.slots.len();
        self.slots.clear();
        self.slots.resize(slots, 0);
        for (sum, number) in self.sums.iter().zip(1..) {
            let slot = free(&self.slots, sum.hash);
            self.slots[slot] = number;
        }
    }

    fn find(&self, record: &Record<'_>) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut at = record.hash as usize & mask;
        loop {
            let Some(number) = (self.slots[at] as usize).checked_sub(1) else { return Err(at) };
            let sum = &self.sums[number];
            if sum.hash == record.hash && self.text[sum.identity.clone()] == *record.identity {
                return Ok(number);
            }
            at = (at + 1) & mask;
        }
    }
}

impl Sum {
    fn add(&mut self, record: &Record<'_>, round: u32) -> Result<(), Overflow> {
        if self.round != round {
            (self.round, self.fewest, self.lines) = (round, self.fewest.min(self.lines), 0);
        }
        self.lines = self.lines.saturating_add(1);
        self.total = self.total.checked_add(record.amount).ok_or(Overflow(record.line))?;
        Ok(())
    }
}

fn free(slots: &[u32], hash: u32) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != 0 {
        at = (at + 1) & mask;
    }
    at
}
