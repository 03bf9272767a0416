//! Sorts one file's lines into partitions by their identities, as they are read.

use std::hash::{BuildHasher, RandomState};

use executor::Failure;

use super::parse::parse;
use super::plan::Plan;
use super::wire::{RECORD_HEAD, put_identity, put_number, put_signed};
use crate::lines::Lines;
use crate::spill::{Chunk, Pool};

/// One file's chunks, by partition.
pub(super) type Partitioned = Vec<Vec<Chunk<u8>>>;

/// One file on its way into partitions.
pub(super) struct Scatter<'r> {
    /// SipHash under a key of this run: nobody can choose identities that share a partition or a place in a table.
    hasher: &'r RandomState,
    pool: &'r Pool,
    partition_bits: u32,
    chunk_bytes: usize,
    open: Vec<Open>,
    full: Partitioned,
}

#[derive(Clone, Default)]
struct Open {
    bytes: Vec<u8>,
    line: u64,
}

impl<'r> Scatter<'r> {
    pub(super) fn new(plan: &Plan, hasher: &'r RandomState, pool: &'r Pool) -> Self {
        let partitions = 1 << plan.partition_bits;
        let (open, full) = (vec![Open::default(); partitions], (0..partitions).map(|_| Vec::new()).collect());
        Self { hasher, pool, partition_bits: plan.partition_bits, chunk_bytes: plan.chunk_bytes, open, full }
    }

    /// Reads an input to its end.
    pub(super) fn read(mut self, lines: Lines) -> Result<Partitioned, Failure> {
        lines.for_each(|line, text| {
            if let Some((identity, amount)) = parse(text)? {
                self.add(line, identity.as_bytes(), amount)?;
            }
            Ok(())
        })?;
        for at in 0..self.open.len() {
            let bytes = &mut self.open[at].bytes;
            let before = bytes.capacity();
            bytes.shrink_to_fit();
            self.pool.count_freed::<u8>(before - bytes.capacity());
            self.close(at)?;
        }
        Ok(self.full)
    }

    fn add(&mut self, line: u64, identity: &[u8], amount: i128) -> Result<(), Failure> {
        let hash = self.hasher.hash_one(identity);
        let to = (hash >> 1 >> (63 - self.partition_bits)) as usize;
        let needed = RECORD_HEAD + identity.len();
        if self.open[to].bytes.len() + needed > self.chunk_bytes {
            self.close(to)?;
        }
        let Open { bytes, line: before } = &mut self.open[to];
        if bytes.capacity() == 0 {
            bytes.reserve_exact(self.chunk_bytes.max(needed));
            self.pool.count::<u8>(bytes.capacity());
        }
        bytes.extend_from_slice(&(hash as u32).to_le_bytes());
        put_number(bytes, u128::from(line - *before));
        put_signed(bytes, amount);
        put_identity(bytes, identity);
        *before = line;
        // A chunk of one long line is none to be used again.
        if needed > self.chunk_bytes { self.close(to) } else { Ok(()) }
    }

    fn close(&mut self, from: usize) -> Result<(), Failure> {
        let bytes = &mut self.open[from].bytes;
        if !bytes.is_empty() {
            self.full[from].push(self.pool.keep(bytes)?);
        }
        if bytes.capacity() != self.chunk_bytes {
            self.pool.count_freed::<u8>(std::mem::take(bytes).capacity());
        }
        Ok(())
    }
}
