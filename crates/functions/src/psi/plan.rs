//! How a run divides its memory and its work: decided once, from its limits and the sizes of its files.
//!
//! ```text
//! while files are read    open chunks 1/4 | chunks that stay 5/8 |
//! while they are joined     tables 1/8    | chunks that stay 5/8 | answers 1/8
//! ```

use std::mem::size_of;

use super::entry::Entry;
use super::scatter::WAITING;
use super::table::BYTES_OF_TAG;

/// Records of the smallest file in one partition, about: its table (256 to 320 KiB) and its entries fit into
/// the second-level cache.
const RECORDS: u64 = 1 << 13;
/// Bytes of a chunk, where there is memory for that: what costs as much to write as to seal.
const CHUNK_BYTES: u64 = 16 << 10;
/// A chunk holds its base and several times what waits for it.
const LEAST_CHUNK_BYTES: u64 = (4 * WAITING * size_of::<Entry>()) as u64;
const WAITING_BYTES: u64 = (WAITING * size_of::<Entry>()) as u64;
/// Below this, nothing can be divided sensibly.
const LEAST_MEMORY: u64 = 256 << 10;
/// Numbers of tags are 32 bits of a slot, of which there are twice as many.
const MOST_TAGS: u64 = 1 << 30;
/// Offsets of a window's answers are 32 bits.
const MOST_WINDOW_BITS: u32 = 32;

/// A run's division.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// There are 2ⁿ partitions.
    pub(super) partition_bits: u32,
    /// Entries in a chunk, a power of two.
    pub(super) chunk_len: usize,
    /// Bytes of chunks that stay in memory.
    pub(super) room: u64,
    /// The most tags of a table.
    pub(super) tags: usize,
    /// Threads that join.
    pub(super) joiners: usize,
    /// How answers are collected.
    pub(super) windows: Windows,
    /// Whether something may not fit into memory.
    pub(super) spills: bool,
}

/// How many records' answers are in memory at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Windows {
    /// All.
    One,
    /// 2ⁿ of them, for each thread; those of other windows wait in chunks of so many places.
    Many { bits: u32, chunk_len: usize },
}

impl Plan {
    /// For files of so many records. `None` if there is too little memory for anything.
    pub(super) fn new(memory: u64, threads: usize, records: &[u64]) -> Option<Self> {
        let readers = threads.min(records.len()).max(1) as u64;
        if memory < LEAST_MEMORY || memory / 16 < threads as u64 * LEAST_CHUNK_BYTES {
            return None;
        }
        let chunk_bytes = power_below(memory >> 14).clamp(LEAST_CHUNK_BYTES, CHUNK_BYTES);
        let tags = power_below((memory / 8 / threads as u64 / BYTES_OF_TAG).min(MOST_TAGS));
        let smallest = records.iter().min().copied().unwrap_or(0);
        let wanted = smallest.div_ceil(RECORDS.min(tags / 2)).max(1).next_power_of_two();
        let partitions = wanted.min(power_below(memory / 4 / readers / chunk_bytes));
        let room = memory / 8 * 5 - readers * partitions * WAITING_BYTES;
        let answers = memory / 8;
        // Beside what the joiners have, whoever writes puts theirs together in one more.
        let bitmaps = records.iter().map(|records| records.div_ceil(64) * 8).sum::<u64>();
        let joiners = (answers.checked_div(bitmaps).unwrap_or(u64::MAX) / 2).min(threads as u64) as usize;
        let windows = if joiners > 0 { Windows::One } else { Windows::many(answers / threads as u64, records) };
        // All entries, the ends of chunks that are never used, and each file's last chunks, on average half full.
        let entries = records.iter().sum::<u64>().saturating_mul(size_of::<Entry>() as u64);
        let most =
            entries.saturating_add(entries / 16).saturating_add(records.len() as u64 * partitions * chunk_bytes / 2);
        Some(Self {
            partition_bits: partitions.ilog2(),
            chunk_len: (chunk_bytes / size_of::<Entry>() as u64) as usize,
            room,
            tags: tags as usize,
            joiners: if joiners > 0 { joiners } else { threads },
            windows,
            spills: joiners == 0 || most > room,
        })
    }
}

impl Windows {
    /// So many that one window's bitmap and the open chunks of all take this much memory.
    fn many(memory: u64, records: &[u64]) -> Self {
        let bits = power_below(memory / 2 * 8).ilog2().min(MOST_WINDOW_BITS);
        let windows = records.iter().map(|records| records.div_ceil(1 << bits)).sum::<u64>();
        let places = memory / 2 / windows.max(1) / size_of::<u32>() as u64;
        Self::Many { bits, chunk_len: places.clamp(1, CHUNK_BYTES / size_of::<u32>() as u64) as usize }
    }
}

/// The power of two that is not larger; 1 for 0.
fn power_below(number: u64) -> u64 {
    1 << number.max(1).ilog2()
}
