//! Where the chunks of a file are: pure arithmetic over plaintext length and chunk length.

use std::ops::Range;

use super::error::TooLong;
use crate::gcm::TAG_LEN;

/// Length of the header, in bytes: what stands before the first chunk.
pub const HEADER_LEN: usize = 64;

/// The most chunks that a file can have: the counter in the nonce has 32 bits.
pub const MAX_CHUNKS: u64 = 1 << 32;

/// How many chunks a file should have at most, so that its chunks' tags and an index of them stay small.
const WANTED_CHUNKS: u64 = 1 << 20;

/// How many bytes of plaintext every chunk but the last holds: a power of two from 4 KiB to 16 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkLen(u8);

impl ChunkLen {
    /// 4 KiB.
    pub const MIN: Self = Self(12);
    /// 64 KiB: fits the second-level cache several times, and a tag is a 4096th of it.
    pub const DEFAULT: Self = Self(16);
    /// 16 MiB.
    pub const MAX: Self = Self(24);

    /// 2 to the power of `log2` bytes; `None` unless `log2` is 12 … 24.
    pub fn from_log2(log2: u8) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&log2).then_some(Self(log2))
    }

    /// The chunk length that new files of `size` bytes get: 64 KiB up to 64 GiB, then as much as keeps them at 2²⁰
    /// chunks, and 16 MiB above 16 TiB.
    pub fn for_size(size: u64) -> Self {
        let wanted = size.div_ceil(WANTED_CHUNKS).max(1).next_power_of_two().ilog2();
        Self(u8::try_from(wanted).unwrap_or(u8::MAX).clamp(Self::DEFAULT.0, Self::MAX.0))
    }

    /// The exponent, as it stands in the header.
    pub fn log2(self) -> u8 {
        self.0
    }

    /// In bytes of plaintext.
    pub fn bytes(self) -> usize {
        1 << self.0
    }

    /// In bytes of the file: plaintext and tag.
    pub fn sealed_bytes(self) -> usize {
        self.bytes() + TAG_LEN
    }

    /// The longest plaintext in chunks of this length, in bytes.
    pub fn max_size(self) -> u64 {
        MAX_CHUNKS << self.0
    }
}

/// The chunks of a file of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    chunk: ChunkLen,
    size: u64,
}

/// One chunk's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its number, from 0.
    pub index: u32,
    /// Whether it ends the file.
    pub last: bool,
    /// Where its plaintext begins in the file's plaintext, in bytes.
    pub start: u64,
    /// How many bytes of plaintext it holds.
    pub len: usize,
    /// Where it begins in the sealed file, in bytes.
    pub sealed_start: u64,
}

impl Chunk {
    /// How many bytes it takes in the sealed file.
    pub fn sealed_len(&self) -> usize {
        self.len + TAG_LEN
    }
}

impl Layout {
    /// The layout of `size` bytes of plaintext.
    ///
    /// # Errors
    /// [`TooLong`] above [`ChunkLen::max_size`].
    pub fn new(chunk: ChunkLen, size: u64) -> Result<Self, TooLong> {
        if size > chunk.max_size() {
            return Err(TooLong { limit: chunk.max_size() });
        }
        Ok(Self { chunk, size })
    }

    /// The layout of a file that is `sealed_len` bytes long; `None` when no file of this chunk length is.
    pub fn of_sealed(chunk: ChunkLen, sealed_len: u64) -> Option<Self> {
        let body = sealed_len.checked_sub(HEADER_LEN as u64)?;
        let chunks = body.div_ceil(chunk.sealed_bytes() as u64).max(1);
        let size = body.checked_sub(chunks.checked_mul(TAG_LEN as u64)?)?;
        let layout = Self::new(chunk, size).ok()?;
        (layout.chunks() == chunks).then_some(layout)
    }

    /// The chunks' length.
    pub fn chunk_len(&self) -> ChunkLen {
        self.chunk
    }

    /// The plaintext's length, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many chunks there are: 1 … 2³²; an empty file has one.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(self.chunk.bytes() as u64).max(1)
    }

    /// The sealed file's length, in bytes.
    pub fn sealed_len(&self) -> u64 {
        HEADER_LEN as u64 + self.size + self.chunks() * TAG_LEN as u64
    }

    /// One chunk's place; `None` past the end.
    pub fn chunk(&self, index: u64) -> Option<Chunk> {
        if index >= self.chunks() {
            return None;
        }
        let start = index << self.chunk.0;
        Some(Chunk {
            index: u32::try_from(index).ok()?,
            last: index + 1 == self.chunks(),
            start,
            len: usize::try_from(self.size - start).unwrap_or(usize::MAX).min(self.chunk.bytes()),
            sealed_start: HEADER_LEN as u64 + index * self.chunk.sealed_bytes() as u64,
        })
    }

    /// The numbers of the chunks that hold these bytes of plaintext; none for an empty range or one past the end.
    pub fn chunks_of(&self, plaintext: Range<u64>) -> Range<u64> {
        let end = plaintext.end.min(self.size);
        if plaintext.start >= end {
            return 0..0;
        }
        plaintext.start >> self.chunk.0..((end - 1) >> self.chunk.0) + 1
    }

    /// The numbers of the chunks that these bytes of the sealed file are of, header aside: for one part of an upload.
    pub fn chunks_of_sealed(&self, sealed: Range<u64>) -> Range<u64> {
        let header = HEADER_LEN as u64;
        let (start, end) = (sealed.start.max(header), sealed.end.min(self.sealed_len()));
        if start >= end {
            return 0..0;
        }
        let chunk = self.chunk.sealed_bytes() as u64;
        (start - header) / chunk..(end - header).div_ceil(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_have_at_most_a_million_chunks_of_at_least_64_kib() {
        let check = |size: u64, log2: u8| assert_eq!(ChunkLen::for_size(size).log2(), log2, "{size}");
        check(0, 16);
        check(1 << 36, 16);
        check((1 << 36) + 1, 17);
        check(1 << 37, 17);
        check((1 << 37) + 1, 18);
        check(1 << 44, 24);
        check((1 << 44) + 1, 24);
        check(u64::MAX, 24);
    }

    #[test]
    fn chunk_lengths_have_bounds() {
        for log2 in 0..=u8::MAX {
            assert_eq!(ChunkLen::from_log2(log2).is_some(), (12..=24).contains(&log2), "{log2}");
        }
    }

    #[test]
    fn sealed_lengths_and_sizes_give_each_other() {
        let chunk = ChunkLen::MIN;
        let mut of_size = Vec::new();
        for size in 0..3 * 4096 + 2 {
            let layout = Layout::new(chunk, size).unwrap();
            assert_eq!(Layout::of_sealed(chunk, layout.sealed_len()), Some(layout));
            of_size.push(layout.sealed_len());
        }
        for len in 0..*of_size.last().unwrap() {
            assert_eq!(Layout::of_sealed(chunk, len).is_some(), of_size.contains(&len), "{len}");
        }
    }

    #[test]
    fn the_longest_file_has_every_counter() {
        for chunk in [ChunkLen::MIN, ChunkLen::DEFAULT, ChunkLen::MAX] {
            let layout = Layout::new(chunk, chunk.max_size()).unwrap();
            assert_eq!(layout.chunks(), MAX_CHUNKS);
            let last = layout.chunk(MAX_CHUNKS - 1).unwrap();
            assert_eq!((last.index, last.last, last.len), (u32::MAX, true, chunk.bytes()));
            assert_eq!(layout.chunk(MAX_CHUNKS), None);
            assert_eq!(Layout::of_sealed(chunk, layout.sealed_len()), Some(layout));
            assert_eq!(Layout::of_sealed(chunk, layout.sealed_len() + 17), None);
            assert_eq!(Layout::new(chunk, chunk.max_size() + 1), Err(TooLong { limit: chunk.max_size() }));
            assert_eq!(Layout::of_sealed(chunk, u64::MAX), None);
        }
    }

    #[test]
    fn chunks_meet_and_end_where_the_file_ends() {
        for size in [0, 1, 4095, 4096, 4097, 8192, 20_000] {
            let layout = Layout::new(ChunkLen::MIN, size).unwrap();
            let chunks: Vec<Chunk> = (0..layout.chunks()).map(|index| layout.chunk(index).unwrap()).collect();
            let (mut start, mut sealed) = (0, HEADER_LEN as u64);
            for chunk in &chunks {
                assert_eq!((chunk.start, chunk.sealed_start), (start, sealed));
                start += chunk.len as u64;
                sealed += chunk.sealed_len() as u64;
            }
            assert_eq!((start, sealed), (size, layout.sealed_len()));
            assert!(chunks.iter().rev().skip(1).all(|chunk| !chunk.last && chunk.len == 4096));
            assert!(chunks.last().unwrap().last);
        }
    }

    #[test]
    fn ranges_name_the_chunks_that_they_touch() {
        let layout = Layout::new(ChunkLen::MIN, 10_000).unwrap();
        let check = |range: Range<u64>, chunks: Range<u64>| assert_eq!(layout.chunks_of(range), chunks);
        check(0..1, 0..1);
        check(0..4096, 0..1);
        check(4095..4097, 0..2);
        check(4096..4097, 1..2);
        check(8192..u64::MAX, 2..3);
        check(9999..10_000, 2..3);
        check(5..5, 0..0);
        check(10_000..10_001, 0..0);
        let check = |range: Range<u64>, chunks: Range<u64>| assert_eq!(layout.chunks_of_sealed(range), chunks);
        check(0..64, 0..0);
        check(0..65, 0..1);
        check(64..64 + 4112, 0..1);
        check(64 + 4111..64 + 4113, 0..2);
        check(64 + 2 * 4112..u64::MAX, 2..3);
        check(layout.sealed_len()..u64::MAX, 0..0);
    }
}
