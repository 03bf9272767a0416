//! How a run divides its memory and its work: decided once, from its limits and the sizes of its files.
//!
//! ```text
//! while files are read    open chunks 1/4 | chunks that stay 1/2 |
//! while they are joined     sums 1/8      | chunks that stay 1/2 | identities to be sorted 1/8
//! while sums are written  merged runs 1/4 | chunks that stay 1/2 |
//! ```

/// Bytes of the smallest file in one partition, about: what is made of them fits into the second-level cache.
const PARTITION_BYTES: u64 = 256 << 10;
const CHUNK_BYTES: u64 = 16 << 10;
const LEAST_CHUNK_BYTES: u64 = 1 << 10;
/// What a thread that joins must have for its sums: twice the longest identity, twice.
const LEAST_SUMS_BYTES: u64 = 256 << 10;

/// A run's division.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// There are 2ⁿ partitions.
    pub(super) partition_bits: u32,
    /// Bytes of a chunk.
    pub(super) chunk_bytes: usize,
    /// Bytes of chunks that stay in memory.
    pub(super) room: u64,
    /// Bytes of the sums of one thread, and of the identities that it sorts.
    pub(super) sums_bytes: usize,
    /// Threads that join.
    pub(super) joiners: usize,
    /// Runs that are merged at once.
    pub(super) fan_in: usize,
    /// Whether something may not fit into memory.
    pub(super) spills: bool,
}

impl Plan {
    /// For files of so many bytes. `None` if there is too little memory for anything.
    pub(super) fn new(memory: u64, threads: usize, sizes: &[u64]) -> Option<Self> {
        let joiners = (memory / 8 / LEAST_SUMS_BYTES).min(threads as u64);
        if joiners == 0 {
            return None;
        }
        let readers = threads.min(sizes.len()).max(1) as u64;
        let chunk_bytes = (1 << (memory >> 14).max(1).ilog2()).clamp(LEAST_CHUNK_BYTES, CHUNK_BYTES);
        let wanted = sizes.iter().min().map_or(1, |smallest| smallest.div_ceil(PARTITION_BYTES)).max(1);
        let partitions = wanted.next_power_of_two().min(1 << (memory / 4 / readers / chunk_bytes).ilog2());
        let room = memory / 2;
        // A line of four bytes becomes nine, and each file's last chunks are on average half full.
        let most = sizes.iter().sum::<u64>().saturating_mul(3);
        let most = most.saturating_add(sizes.len() as u64 * partitions * chunk_bytes);
        Some(Self {
            partition_bits: partitions.ilog2(),
            chunk_bytes: chunk_bytes as usize,
            room,
            sums_bytes: (memory / 8 / joiners) as usize,
            joiners: joiners as usize,
            fan_in: (memory / 4 / chunk_bytes / threads as u64).max(2) as usize,
            spills: most > room,
        })
    }
}
