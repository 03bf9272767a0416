//! Sorting by identity what may not fit into memory: sorted runs in chunks, merged as often as it takes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::vec;

use executor::Failure;

use super::wire::{Reader, put_identity, put_signed};
use crate::crew::Crew;
use crate::spill::{Chunk, Pool};

/// Identities and totals, sorted, in chunks.
pub(super) type Run = Vec<Chunk<u8>>;

/// Sums merged between two checkpoints.
const BATCH: usize = 1024;

/// Collects sums and sorts as many as fit.
pub(super) struct Sorter<'r> {
    pool: &'r Pool,
    chunk_bytes: usize,
    most_bytes: usize,
    items: Vec<Item>,
    text: Vec<u8>,
    runs: Vec<Run>,
}

struct Item {
    /// The identity's first bytes, to compare most of them at once.
    prefix: u64,
    start: usize,
    len: u32,
    total: i128,
}

impl<'r> Sorter<'r> {
    pub(super) fn new(pool: &'r Pool, chunk_bytes: usize, most_bytes: usize) -> Self {
        Self { pool, chunk_bytes, most_bytes, items: Vec::new(), text: Vec::new(), runs: Vec::new() }
    }

    pub(super) fn add(&mut self, identity: &[u8], total: i128) -> Result<(), Failure> {
        let bytes = (self.items.len() + 1) * size_of::<Item>() + self.text.len() + identity.len();
        // A vector that grows has twice what it needs at most.
        if 2 * bytes > self.most_bytes {
            self.end_run()?;
        }
        let (prefix, start) = (prefix(identity), self.text.len());
        self.items.push(Item { prefix, start, len: identity.len() as u32, total });
        self.text.extend_from_slice(identity);
        Ok(())
    }

    /// The runs.
    pub(super) fn finish(mut self) -> Result<Vec<Run>, Failure> {
        self.end_run()?;
        Ok(self.runs)
    }

    fn end_run(&mut self) -> Result<(), Failure> {
        let Self { items, text, .. } = self;
        let identity = |item: &Item| &text[item.start..item.start + item.len as usize];
        items.sort_unstable_by(|left, right| {
            left.prefix.cmp(&right.prefix).then_with(|| identity(left).cmp(identity(right)))
        });
        let mut writer = RunWriter::new(self.pool, self.chunk_bytes);
        items.iter().try_for_each(|item| writer.add(identity(item), item.total))?;
        let run = writer.finish()?;
        if !run.is_empty() {
            self.runs.push(run);
        }
        self.items.clear();
        self.text.clear();
        Ok(())
    }
}

/// Orders as the identities do, where it differs.
fn prefix(identity: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = identity.len().min(8);
    bytes[..len].copy_from_slice(&identity[..len]);
    u64::from_be_bytes(bytes)
}

/// Writes one run.
struct RunWriter<'r> {
    pool: &'r Pool,
    chunk_bytes: usize,
    open: Vec<u8>,
    full: Run,
}

impl<'r> RunWriter<'r> {
    fn new(pool: &'r Pool, chunk_bytes: usize) -> Self {
        Self { pool, chunk_bytes, open: Vec::new(), full: Vec::new() }
    }

    fn add(&mut self, identity: &[u8], total: i128) -> Result<(), Failure> {
        const HEAD: usize = 19 + 2;
        let needed = HEAD + identity.len();
        if self.open.len() + needed > self.chunk_bytes {
            self.close()?;
        }
        if self.open.capacity() < needed {
            self.pool.count_freed::<u8>(self.open.capacity());
            self.open = Vec::with_capacity(self.chunk_bytes.max(needed));
            self.pool.count::<u8>(self.open.capacity());
        }
        put_signed(&mut self.open, total);
        put_identity(&mut self.open, identity);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        if !self.open.is_empty() {
            self.full.push(self.pool.keep(&mut self.open)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Run, Failure> {
        let before = self.open.capacity();
        self.open.shrink_to_fit();
        self.pool.count_freed::<u8>(before - self.open.capacity());
        self.close()?;
        self.pool.count_freed::<u8>(self.open.capacity());
        Ok(self.full)
    }
}

/// Merges runs until there are few, on all threads.
pub(super) fn merge_to_few(
    mut runs: Vec<Run>,
    (pool, crew): (&Pool, &Crew),
    chunk_bytes: usize,
    fan_in: usize,
) -> Result<Vec<Run>, Failure> {
    while runs.len() > crew.threads().max(2) {
        let each = runs.len().div_ceil(crew.threads()).clamp(2, fan_in);
        let mut groups = Vec::new();
        while !runs.is_empty() {
            groups.push(runs.split_off(runs.len().saturating_sub(each)));
        }
        let merge = |merged: &mut Vec<Run>, group: Vec<Run>| {
            let mut writer = RunWriter::new(pool, chunk_bytes);
            merge(group, (pool, crew), |identity, total| writer.add(identity, total))?;
            merged.push(writer.finish()?);
            Ok(())
        };
        runs = crew.share(crew.threads(), groups, || Ok(Vec::new()), merge)?.into_iter().flatten().collect();
    }
    Ok(runs)
}

/// Every sum of these runs in the order of their identities, which are in one run each.
pub(super) fn merge(
    runs: Vec<Run>,
    (pool, crew): (&Pool, &Crew),
    mut act: impl FnMut(&[u8], i128) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut cursors = BinaryHeap::new();
    for run in runs {
        cursors.extend(Cursor::begin(run, pool)?);
    }
    let mut merged: usize = 0;
    while let Some(mut first) = cursors.peek_mut() {
        act(first.identity(), first.total)?;
        if !first.advance(pool)? {
            PeekMut::pop(first);
        }
        merged += 1;
        if merged.is_multiple_of(BATCH) {
            crew.check()?;
        }
    }
    Ok(())
}

/// Where the merge is in a run. The heap's greatest is the first identity.
struct Cursor {
    run: vec::IntoIter<Chunk<u8>>,
    chunk: Vec<u8>,
    /// Where the next sum begins.
    next: usize,
    identity: std::ops::Range<usize>,
    prefix: u64,
    total: i128,
}

impl Cursor {
    fn begin(run: Run, pool: &Pool) -> Result<Option<Self>, Failure> {
        let run = run.into_iter();
        let mut cursor = Self { run, chunk: Vec::new(), next: 0, identity: 0..0, prefix: 0, total: 0 };
        Ok(cursor.advance(pool)?.then_some(cursor))
    }

    fn identity(&self) -> &[u8] {
        &self.chunk[self.identity.clone()]
    }

    /// On to the next sum, if there is one.
    fn advance(&mut self, pool: &Pool) -> Result<bool, Failure> {
        if self.next == self.chunk.len() {
            let Some(chunk) = self.run.next() else { return Ok(false) };
            pool.take(chunk, &mut self.chunk)?;
            self.next = 0;
        }
        let mut reader = Reader(&self.chunk[self.next..]);
        self.total = reader.signed();
        let identity = reader.identity();
        self.prefix = prefix(identity);
        let len = identity.len();
        self.next = self.chunk.len() - reader.0.len();
        self.identity = self.next - len..self.next;
        Ok(true)
    }
}

impl Ord for Cursor {
    fn cmp(&self, other: &Self) -> Ordering {
        other.prefix.cmp(&self.prefix).then_with(|| other.identity().cmp(self.identity()))
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cursor {}
