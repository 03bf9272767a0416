//! Sorts one file's records into partitions while they are in the cache: a tag for each, an entry for each tag.

use std::io::BufRead;

use crypto::record_tag::{RECORD_LEN, RecordTags, TAG_LEN};
use executor::{Failure, InputStream};

use super::broken;
use super::entry::{Entry, REACH, entry, from_base, low_bits, partition, record_before, to_base};
use super::plan::Plan;
use crate::spill::{Chunk, Pool};

/// A hashed identifier.
type Record = [u8; RECORD_LEN];

/// Records between two checkpoints: far less than a millisecond.
const BATCH: usize = 2048;

/// Entries of a partition that wait together in 512 bytes: all of them stay in the second-level cache, and each visit to
/// a chunk, which does not, writes several lines in a row.
pub(super) const WAITING: usize = 32;

/// One file's chunks, by partition.
pub(super) type Partitioned = Vec<Vec<Chunk<Entry>>>;

/// One file on its way into partitions.
pub(super) struct Scatter<'r> {
    tags: &'r RecordTags,
    pool: &'r Pool,
    partition_bits: u32,
    chunk_len: usize,
    waiting: Vec<[Entry; WAITING]>,
    waiting_len: Vec<u8>,
    open: Vec<Vec<Entry>>,
    full: Partitioned,
    /// The next record.
    next: u64,
}

impl<'r> Scatter<'r> {
    pub(super) fn new(plan: &Plan, tags: &'r RecordTags, pool: &'r Pool) -> Self {
        let (partition_bits, chunk_len) = (plan.partition_bits, plan.chunk_len);
        let partitions = 1 << partition_bits;
        let (open, full) = (vec![Vec::new(); partitions], (0..partitions).map(|_| Vec::new()).collect());
        pool.count::<[Entry; WAITING]>(partitions);
        let (waiting, waiting_len) = (vec![[[0; TAG_LEN]; WAITING]; partitions], vec![0; partitions]);
        Self { tags, pool, partition_bits, chunk_len, waiting, waiting_len, open, full, next: 0 }
    }

    /// Reads the input of this number to its end; it has so many records.
    pub(super) fn read(mut self, input: usize, records: u64, stream: &mut InputStream) -> Result<Partitioned, Failure> {
        let mut tags = vec![[0; TAG_LEN]; BATCH];
        let mut begun = Begun::default();
        loop {
            let piece = stream.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let piece = &piece[..piece.len().min(BATCH * RECORD_LEN)];
            let rest = begun.complete(piece);
            if let Some(record) = begun.take() {
                self.add(&[record], &mut tags)?;
            }
            let (records, rest) = rest.as_chunks();
            self.add(records, &mut tags)?;
            begun.complete(rest);
            let read = piece.len();
            stream.consume(read);
        }
        if !begun.is_empty() {
            return Err(broken(input));
        }
        // The plan, and the room for answers, were made for that many.
        if self.next != records {
            return Err(Failure::function(format!("input {}: it has another length than was said", input + 1)));
        }
        self.finish()
    }

    fn add(&mut self, records: &[Record], tags: &mut [Entry]) -> Result<(), Failure> {
        let tags = &mut tags[..records.len()];
        self.tags.of_all(records, tags);
        for tag in &*tags {
            let tag = u128::from_le_bytes(*tag);
            let to = partition(tag, self.partition_bits);
            let waiting = usize::from(self.waiting_len[to]);
            self.waiting[to][waiting % WAITING] = entry(tag, self.next);
            self.waiting_len[to] += 1;
            self.next += 1;
            if waiting + 1 == WAITING {
                self.move_on(to)?;
            }
            if self.next & (REACH / 2 - 1) == 0 {
                self.close_old()?;
            }
        }
        Ok(())
    }

    /// Moves a partition's waiting entries to its open chunk.
    fn move_on(&mut self, to: usize) -> Result<(), Failure> {
        let waiting = usize::from(std::mem::take(&mut self.waiting_len[to]));
        let open = &mut self.open[to];
        if open.is_empty() || open.len() + waiting > self.chunk_len {
            self.open_chunk(to)?;
        }
        self.open[to].extend_from_slice(&self.waiting[to][..waiting]);
        Ok(())
    }

    fn open_chunk(&mut self, to: usize) -> Result<(), Failure> {
        self.close(to)?;
        let open = &mut self.open[to];
        if open.capacity() == 0 {
            *open = Vec::with_capacity(self.chunk_len);
            self.pool.count::<Entry>(open.capacity());
        }
        open.push(from_base(record_before(self.next, low_bits(self.waiting[to][0]))));
        Ok(())
    }

    fn close(&mut self, from: usize) -> Result<(), Failure> {
        let open = &mut self.open[from];
        if !open.is_empty() {
            self.full[from].push(self.pool.keep(open)?);
        }
        Ok(())
    }

    /// Closes a chunk that is not full, without the memory that it did not need.
    fn close_early(&mut self, from: usize) -> Result<(), Failure> {
        let open = &mut self.open[from];
        let before = open.capacity();
        open.shrink_to_fit();
        self.pool.count_freed::<Entry>(before - open.capacity());
        self.close(from)?;
        self.pool.count_freed::<Entry>(std::mem::take(&mut self.open[from]).capacity());
        Ok(())
    }

    /// Every half of what a chunk reaches: whatever is open was begun within the other half.
    fn close_old(&mut self) -> Result<(), Failure> {
        for at in 0..self.open.len() {
            if self.waiting_len[at] > 0 {
                self.move_on(at)?;
            }
            if self.open[at].first().is_some_and(|first| self.next - to_base(*first) >= REACH / 2) {
                self.close_early(at)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Partitioned, Failure> {
        for at in 0..self.open.len() {
            if self.waiting_len[at] > 0 {
                self.move_on(at)?;
            }
            self.close_early(at)?;
        }
        self.pool.count_freed::<[Entry; WAITING]>(self.waiting.len());
        Ok(self.full)
    }
}

/// A record of which only the first bytes have arrived.
#[derive(Default)]
struct Begun {
    bytes: Record,
    len: usize,
}

impl Begun {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes what is missing from a piece, and nothing if no record was begun and the piece begins one; gives the rest.
    fn complete<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let missing = if self.is_empty() && piece.len() >= RECORD_LEN { 0 } else { RECORD_LEN - self.len };
        let (mine, rest) = piece.split_at(missing.min(piece.len()));
        self.bytes[self.len..self.len + mine.len()].copy_from_slice(mine);
        self.len += mine.len();
        rest
    }

    /// The record, if it is whole.
    fn take(&mut self) -> Option<Record> {
        let whole = self.len == RECORD_LEN;
        whole.then(|| std::mem::take(self).bytes)
    }
}
