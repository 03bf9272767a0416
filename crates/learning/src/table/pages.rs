//! What a Parquet file says about sizes, read before the library allocates by it.
//!
//! The library makes room for what a page's header claims that the page unpacks to, up to 2 GiB a page; a few bytes can
//! claim that. Here every header of a column is read (Thrift compact protocol; `PageHeader` in `parquet.thrift`) and
//! nothing else of a page.

/// How much larger the library's form of a file's metadata may be than the file's.
const METADATA_GROWTH: usize = 32;

/// Whether a file ends as Parquet does, with metadata that is small enough. `share` is in bytes.
pub(super) fn check_footer(file: &[u8], share: usize) -> Option<()> {
    let (rest, magic) = file.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (magic == b"PAR1" && length <= rest.len() && length <= share / METADATA_GROWTH).then_some(())
}

/// Whether no page of a column claims to unpack to more than `share` bytes, nor a dictionary to have more entries than
/// bytes.
pub(super) fn check_column(file: &[u8], start: u64, length: u64, share: usize) -> Option<()> {
    let end = start.checked_add(length)?;
    let mut column = file.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
    while !column.is_empty() {
        let mut header = Header::default();
        let mut thrift = Thrift { bytes: column };
        thrift.page_header(&mut header)?;
        let unpacked = usize::try_from(header.unpacked).ok()?;
        let entries = usize::try_from(header.dictionary_entries).ok()?;
        if unpacked > share || entries > unpacked {
            return None;
        }
        column = thrift.bytes.get(usize::try_from(header.packed).ok()?..)?;
    }
    Some(())
}

/// What counts of a page's header.
#[derive(Default)]
struct Header {
    unpacked: i64,
    packed: i64,
    dictionary_entries: i64,
}

/// Bytes in Thrift's compact protocol.
struct Thrift<'a> {
    bytes: &'a [u8],
}

/// Structures in structures; `PageHeader` has three levels.
const DEPTH: usize = 8;
const STRUCT: u8 = 12;

impl Thrift<'_> {
    fn page_header(&mut self, header: &mut Header) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (2, 3..=6) => header.unpacked = self.integer()?,
                (3, 3..=6) => header.packed = self.integer()?,
                (7, STRUCT) => self.dictionary_header(header)?,
                _ => self.skip(kind, DEPTH)?,
            }
        }
        Some(())
    }

    fn dictionary_header(&mut self, header: &mut Header) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, 3..=6) => header.dictionary_entries = self.integer()?,
                _ => self.skip(kind, DEPTH)?,
            }
        }
        Some(())
    }

    /// The next field's type, and its number in `field`; `Some(None)` at the structure's end.
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => self.integer()?,
            step => field.checked_add(i64::from(step))?,
        };
        Some(Some(byte & 15))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.integer().map(drop),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(length)
            }
            9 | 10 => self.skip_list(depth),
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        for _ in 0..count {
            // In a list a truth value has a byte of its own, so every element shortens what is left.
            let kind = byte & 15;
            if kind <= 2 { self.byte().map(drop)? } else { self.skip(kind, depth)? }
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    fn take(&mut self, count: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    /// A zigzag integer.
    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page's header: type 0, unpacked size 10 (zigzag 20), packed size, and for a dictionary its entries.
    fn page(packed: u8, dictionary_entries: Option<u8>) -> Vec<u8> {
        let mut bytes = vec![0x15, 0, 0x15, 20, 0x15, packed * 2];
        if let Some(entries) = dictionary_entries {
            bytes.extend([0x4c, 0x15, entries * 2, 0x15, 0, 0]);
        }
        bytes.push(0);
        bytes.extend(vec![0xff; usize::from(packed)]);
        bytes
    }

    #[test]
    fn claims_are_held_against_the_share() {
        let column = [page(3, Some(10)), page(5, None)].concat();
        let length = column.len() as u64;
        assert!(check_column(&column, 0, length, 10).is_some());
        assert!(check_column(&column, 0, length, 9).is_none());
        assert!(check_column(&column, 0, length + 1, 10).is_none());
        assert!(check_column(&column, u64::MAX, 1, 10).is_none());
        assert!(check_column(&page(3, Some(11)), 0, 16, 10).is_none());
    }

    #[test]
    fn footers_fit_in_the_file() {
        assert!(check_footer(b"PAR1.\x06\0\0\0PAR1", 1 << 20).is_none());
        assert!(check_footer(b"PAR1..\x02\0\0\0PAR1", 64).is_some());
        assert!(check_footer(b"PAR1..\x02\0\0\0PAR1", 63).is_none());
        assert!(check_footer(b"PAR1..\xff\0\0\0PAR1", 1 << 20).is_none());
        assert!(check_footer(b"PAR1", 64).is_none());
    }
}
