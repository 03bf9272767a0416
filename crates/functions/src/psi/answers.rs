//! Which records are common: bits while they are found in any order, bytes as they are written in the file's.
//!
//! Each thread that joins marks in bitmaps of its own, which are put together in the end. Where those don't fit into
//! memory, it collects the records' places by windows, in chunks that may be spilled; then one bitmap of one window
//! after the other is enough.

use std::io::Write;

use executor::{Failure, OutputStream};

use super::entry::record_from;
use super::plan::Windows;
use crate::crew::Crew;
use crate::spill::{Chunk, Pool};

/// The bytes of an answer: numbers, not digits. (The SHA-256 of `00 01 01 00` and `01 00 01` are those of the
/// reference's example outputs, `d5e2d2ac…` and `85f90dfe…`.)
const BYTES_OF_BITS: [[u8; 8]; 256] = bytes_of_bits();

const fn bytes_of_bits() -> [[u8; 8]; 256] {
    let mut bytes = [[0; 8]; 256];
    let mut at = 0;
    while at < 256 * 8 {
        bytes[at / 8][at % 8] = ((at / 8) >> (at % 8)) as u8 & 1;
        at += 1;
    }
    bytes
}

/// Words of a bitmap that are written together: 64 KiB of answers.
const WORDS: usize = 1024;

/// A record's place in its window.
type Place = [u8; 4];

/// What one thread found.
pub(super) struct Marks<'r> {
    pool: &'r Pool,
    windows: Windows,
    files: Vec<FileMarks>,
}

/// What one thread found in one file.
pub(super) enum FileMarks {
    Bits(Vec<u64>),
    Windows(Vec<Window>),
}

/// What one thread found in one window.
#[derive(Default)]
pub(super) struct Window {
    open: Vec<Place>,
    full: Vec<Chunk<Place>>,
}

impl<'r> Marks<'r> {
    /// Nothing yet, for files of so many records.
    pub(super) fn new(windows: Windows, pool: &'r Pool, records: &[u64]) -> Self {
        let nothing = |records: u64| match windows {
            Windows::One => FileMarks::Bits(bitmap(pool, records)),
            Windows::Many { bits, .. } => {
                FileMarks::Windows((0..records.div_ceil(1 << bits)).map(|_| Window::default()).collect())
            }
        };
        Self { pool, windows, files: records.iter().map(|records| nothing(*records)).collect() }
    }

    /// The records of this file, from a base on, with these lowest bits are common.
    pub(super) fn mark(&mut self, file: usize, base: u64, low_bits: &[u32]) -> Result<(), Failure> {
        let records = low_bits.iter().map(|low_bits| record_from(base, *low_bits));
        match (&mut self.files[file], self.windows) {
            (FileMarks::Bits(bits), _) => records.for_each(|record| set(bits, record)),
            (FileMarks::Windows(windows), Windows::Many { bits, chunk_len }) => {
                for record in records {
                    let place = (record & ((1 << bits) - 1)) as u32;
                    windows[(record >> bits) as usize].add(place.to_le_bytes(), chunk_len, self.pool)?;
                }
            }
            (FileMarks::Windows(_), Windows::One) => {}
        }
        Ok(())
    }

    /// Each file's part.
    pub(super) fn by_file(self) -> Result<Vec<FileMarks>, Failure> {
        let mut files = self.files;
        for file in &mut files {
            if let FileMarks::Windows(windows) = file {
                windows.iter_mut().try_for_each(|window| window.close(self.pool))?;
            }
        }
        Ok(files)
    }
}

impl Window {
    fn add(&mut self, place: Place, chunk_len: usize, pool: &Pool) -> Result<(), Failure> {
        if self.open.len() == chunk_len {
            self.full.push(pool.keep(&mut self.open)?);
        }
        if self.open.capacity() == 0 {
            self.open = Vec::with_capacity(chunk_len);
            pool.count::<Place>(self.open.capacity());
        }
        self.open.push(place);
        Ok(())
    }

    fn close(&mut self, pool: &Pool) -> Result<(), Failure> {
        if !self.open.is_empty() {
            self.full.push(pool.keep(&mut self.open)?);
        }
        pool.count_freed::<Place>(std::mem::take(&mut self.open).capacity());
        Ok(())
    }

    fn set_all(self, bits: &mut [u64], pool: &Pool) -> Result<(), Failure> {
        let mut buffer = Vec::new();
        for chunk in self.full {
            let places = pool.load(&chunk, &mut buffer)?;
            places.iter().for_each(|place| set(bits, u32::from_le_bytes(*place).into()));
            pool.release(chunk);
        }
        Ok(())
    }
}

/// Writes one file's answers from what each thread found in it.
pub(super) fn write(
    found: Vec<FileMarks>,
    records: u64,
    windows: Windows,
    (pool, crew): (&Pool, &Crew),
    mut output: OutputStream,
) -> Result<(), Failure> {
    let in_window = if let Windows::Many { bits, .. } = windows { 1 << bits } else { records };
    let mut answers = Answers::with(bitmap(pool, in_window.min(records)));
    let (mut parts, mut whole): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for marks in found {
        match marks {
            FileMarks::Bits(bits) => whole.push(bits),
            FileMarks::Windows(windows) => parts.push(windows.into_iter()),
        }
    }
    let mut left = records;
    while left > 0 {
        for bits in whole.drain(..) {
            answers.bits.iter_mut().zip(&bits).for_each(|(all, word)| *all |= word);
            pool.count_freed::<u64>(bits.capacity());
        }
        for window in parts.iter_mut().filter_map(Iterator::next) {
            crew.check()?;
            window.set_all(&mut answers.bits, pool)?;
        }
        answers.write(left.min(in_window), &mut output)?;
        left -= left.min(in_window);
    }
    pool.count_freed::<u64>(answers.bits.capacity());
    output.finish()
}

/// A bitmap on its way into bytes.
struct Answers {
    bits: Vec<u64>,
    bytes: Vec<u8>,
}

impl Answers {
    fn with(bits: Vec<u64>) -> Self {
        Self { bits, bytes: Vec::with_capacity(WORDS * 64) }
    }

    /// Writes the first so many, and clears them.
    fn write(&mut self, mut records: u64, output: &mut OutputStream) -> Result<(), Failure> {
        for words in self.bits.chunks_mut(WORDS) {
            self.bytes.clear();
            for word in &*words {
                word.to_le_bytes().iter().for_each(|byte| self.bytes.extend(BYTES_OF_BITS[usize::from(*byte)]));
            }
            let wanted = records.min(self.bytes.len() as u64);
            output.write_all(&self.bytes[..wanted as usize])?;
            records -= wanted;
            words.fill(0);
        }
        Ok(())
    }
}

fn bitmap(pool: &Pool, records: u64) -> Vec<u64> {
    let bits = vec![0; records.div_ceil(64) as usize];
    pool.count::<u64>(bits.capacity());
    bits
}

fn set(bits: &mut [u64], at: u64) {
    bits[(at / 64) as usize] |= 1 << (at % 64);
}
