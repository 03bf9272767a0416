//! The few CBOR items that evidence needs, in the deterministic encoding only (RFC 8949, section 4.2.1).
//!
//! A general decoder accepts several encodings of one value and allocates what a length field asks for. This reader
//! borrows from its input, accepts shortest heads and definite lengths only, and never recurses.

use crate::refusal::Fault;

/// CBOR's major types, as far as they are used (RFC 8949, section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Major {
    Unsigned = 0,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
}

/// Reads items from the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Reader { rest: input }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Fault> {
        self.head(Major::Unsigned, "an unsigned integer")
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.head(Major::Bytes, "a byte string")?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Fault> {
        let length = self.head(Major::Text, "a text string")?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Fault::Expected("UTF-8"))
    }

    /// The head of an array of exactly `length` items.
    pub(crate) fn array(&mut self, length: u64, expected: &'static str) -> Result<(), Fault> {
        exactly(self.head(Major::Array, expected)?, length, expected)
    }

    /// The head of a map; answers how many pairs it announces.
    pub(crate) fn map(&mut self) -> Result<u64, Fault> {
        self.head(Major::Map, "a map")
    }

    /// The tag `number`.
    pub(crate) fn tag(&mut self, number: u64, expected: &'static str) -> Result<(), Fault> {
        exactly(self.head(Major::Tag, expected)?, number, expected)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Fault> {
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::TrailingBytes) }
    }

    fn head(&mut self, major: Major, expected: &'static str) -> Result<u64, Fault> {
        let first = self.take(1)?[0];
        if first >> 5 != major as u8 {
            return Err(Fault::Expected(expected));
        }
        match first & 0x1f {
            small @ 0..24 => Ok(u64::from(small)),
            24 => self.argument(1, 24),
            25 => self.argument(2, 1 << 8),
            26 => self.argument(4, 1 << 16),
            27 => self.argument(8, 1 << 32),
            _ => Err(Fault::NotDeterministic),
        }
    }

    /// A big-endian argument of `width` bytes that would not have fitted into fewer.
    fn argument(&mut self, width: u64, least: u64) -> Result<u64, Fault> {
        let value = self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if value < least { Err(Fault::NotDeterministic) } else { Ok(value) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn exactly(found: u64, wanted: u64, expected: &'static str) -> Result<(), Fault> {
    if found == wanted { Ok(()) } else { Err(Fault::Expected(expected)) }
}

/// Writes items one after the other.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn unsigned(self, value: u64) -> Self {
        self.head(Major::Unsigned, value)
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.head(Major::Bytes, bytes.len() as u64).raw(bytes)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.head(Major::Text, text.len() as u64).raw(text.as_bytes())
    }

    pub(crate) fn array(self, length: u64) -> Self {
        self.head(Major::Array, length)
    }

    pub(crate) fn map(self, pairs: u64) -> Self {
        self.head(Major::Map, pairs)
    }

    pub(crate) fn tag(self, number: u64) -> Self {
        self.head(Major::Tag, number)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(mut self, major: Major, argument: u64) -> Self {
        let major = (major as u8) << 5;
        let wide = argument.to_be_bytes();
        let (info, width) = match argument {
            0..24 => (wide[7], 0),
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        self.0.push(major | info);
        self.raw(&wide[8 - width..])
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_shortest_and_read_back() {
        let cases: [(u64, &[u8]); 8] = [
            (0, &[0x00]),
            (23, &[0x17]),
            (24, &[0x18, 24]),
            (0xff, &[0x18, 0xff]),
            (0x100, &[0x19, 1, 0]),
            (0xffff, &[0x19, 0xff, 0xff]),
            (0x1_0000, &[0x1a, 0, 1, 0, 0]),
            (u64::MAX, &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, encoded) in cases {
            assert_eq!(Writer::default().unsigned(value).finish(), encoded);
            assert_eq!(Reader::new(encoded).unsigned(), Ok(value));
        }
    }

    #[test]
    fn longer_heads_and_indefinite_lengths_are_refused() {
        let cases: [&[u8]; 6] = [
            &[0x18, 23],
            &[0x19, 0, 0xff],
            &[0x1a, 0, 0, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0x1c],
            &[0x1f],
        ];
        for encoded in cases {
            assert_eq!(Reader::new(encoded).unsigned(), Err(Fault::NotDeterministic), "{encoded:x?}");
        }
        assert_eq!(Reader::new(&[0x5f, 0x41, 0, 0xff]).bytes(), Err(Fault::NotDeterministic));
    }

    #[test]
    fn a_length_beyond_the_input_allocates_nothing() {
        for length in [1, 1 << 20, u64::MAX] {
            let head = Writer::default().head(Major::Bytes, length).finish();
            assert_eq!(Reader::new(&head).bytes(), Err(Fault::Truncated));
        }
    }

    #[test]
    fn other_types_and_trailing_bytes_are_refused() {
        assert_eq!(Reader::new(&[0x60]).bytes(), Err(Fault::Expected("a byte string")));
        assert_eq!(Reader::new(&[0x61, 0xff]).text(), Err(Fault::Expected("UTF-8")));
        assert_eq!(Reader::new(&[0x83]).array(2, "a pair"), Err(Fault::Expected("a pair")));
        assert_eq!(Reader::new(&[0]).end(), Err(Fault::TrailingBytes));
        assert_eq!(Reader::new(&[]).unsigned(), Err(Fault::Truncated));
    }
}
