//! The encoding that SSH uses for keys and signatures (RFC 4251, section 5).

/// Reads from the front of bytes; every method takes exactly its value or fails.
pub(super) struct Reader<'a>(&'a [u8]);

/// The bytes are not the encoding that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("truncated, too long, or not in SSH's encoding")]
pub struct BadWire;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BadWire> {
        let (array, rest) = self.0.split_first_chunk().ok_or(BadWire)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BadWire> {
        self.array().map(u32::from_be_bytes)
    }

    /// Bytes behind their length.
    pub(super) fn string(&mut self) -> Result<&'a [u8], BadWire> {
        let length = usize::try_from(self.u32()?).map_err(|_| BadWire)?;
        let (string, rest) = self.0.split_at_checked(length).ok_or(BadWire)?;
        self.0 = rest;
        Ok(string)
    }

    /// A string of exactly `N` bytes.
    pub(super) fn string_array<const N: usize>(&mut self) -> Result<[u8; N], BadWire> {
        self.string()?.try_into().map_err(|_| BadWire)
    }

    /// A positive `mpint` of at most 32 bytes, padded to 32; it has no needless leading zero.
    pub(super) fn scalar(&mut self) -> Result<[u8; 32], BadWire> {
        let digits = match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|high| *high >= 0x80) => rest,
            digits @ [1..0x80, ..] => digits,
            _ => return Err(BadWire),
        };
        let start = 32_usize.checked_sub(digits.len()).ok_or(BadWire)?;
        let mut scalar = [0; 32];
        scalar[start..].copy_from_slice(digits);
        Ok(scalar)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), BadWire> {
        if self.0.is_empty() { Ok(()) } else { Err(BadWire) }
    }
}

/// Appends bytes behind their length. What is written here is far shorter than 4 GiB.
pub(super) fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    let length = u32::try_from(string.len()).expect("keys, names and digests are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(string);
}

/// Strings one after the other.
pub(super) fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| put_string(&mut out, part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_and_nothing_else_does() {
        let bytes = strings(&[b"one", b"", b"three"]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(
            (reader.string(), reader.string(), reader.string()),
            (Ok(&b"one"[..]), Ok(&b""[..]), Ok(&b"three"[..]))
        );
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(Reader::new(&bytes).end(), Err(BadWire));
        assert_eq!(Reader::new(&bytes[..6]).string(), Err(BadWire));
        assert_eq!(Reader::new(&[0xff; 8]).string(), Err(BadWire));
    }

    #[test]
    fn scalars_have_one_form() {
        let read = |digits: &[u8]| Reader::new(&strings(&[digits])).scalar();
        let padded = |digits: &[u8]| {
            let mut scalar = [0; 32];
            scalar[32 - digits.len()..].copy_from_slice(digits);
            Ok(scalar)
        };
        assert_eq!(read(&[1]), padded(&[1]));
        assert_eq!(read(&[0, 0x80]), padded(&[0x80]));
        assert_eq!(read(&[0x7f; 32]), padded(&[0x7f; 32]));
        assert_eq!(read(&[&[0][..], &[0xff; 32]].concat()), padded(&[0xff; 32]));
        for bad in [&[][..], &[0], &[0, 1], &[0x80], &[0, 0, 0x80], &[1; 33]] {
            assert_eq!(read(bad), Err(BadWire), "{bad:?}");
        }
    }
}
