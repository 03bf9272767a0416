//! SHA-256 (FIPS 180-4) at once or piece by piece, SHA-384 and SHA-512, and lower-case hex.

use std::{fmt, io};

use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// Length of a SHA-256 digest, in bytes.
pub const DIGEST_LEN: usize = 32;

/// Bytes read at a time by [`sha256_reader`]: fits the second-level cache.
const READ_LEN: usize = 128 * 1024;

/// SHA-256 over bytes that arrive piece by piece.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Starts with nothing hashed.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Hashes everything at once.
    pub fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
        to_array(&digest::digest(&digest::SHA256, data))
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces in the order in which they came.
    pub fn finish(self) -> [u8; DIGEST_LEN] {
        to_array(&self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256([redacted])")
    }
}

/// SHA-384 (FIPS 180-4) of everything at once.
pub fn sha384(data: &[u8]) -> [u8; 48] {
    let digest = digest::digest(&digest::SHA384, data);
    digest.as_ref().try_into().expect("a SHA-384 digest is 48 bytes")
}

/// SHA-512 (FIPS 180-4) of everything at once.
pub fn sha512(data: &[u8]) -> [u8; 64] {
    let digest = digest::digest(&digest::SHA512, data);
    digest.as_ref().try_into().expect("a SHA-512 digest is 64 bytes")
}

/// Reads to the end; returns the digest and how many bytes there were.
///
/// # Errors
/// Whatever the reader fails with; an interrupted read is tried again.
pub fn sha256_reader(mut reader: impl io::Read) -> io::Result<([u8; DIGEST_LEN], u64)> {
    let mut hasher = Sha256::new();
    let mut piece = Zeroizing::new(vec![0; READ_LEN]);
    let mut len = 0;
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok((hasher.finish(), len)),
            Ok(n) => {
                hasher.update(&piece[..n]);
                len += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lower-case hex, two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
    text
}

/// Text that is not exactly the hex that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {} lower-case hex digits", .bytes * 2)]
pub struct BadHex {
    bytes: usize,
}

/// Exactly `N` bytes from `2 N` lower-case hex digits; nothing else is accepted.
///
/// # Errors
/// [`BadHex`] for any other length or character, upper-case digits included.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], BadHex> {
    let bad = BadHex { bytes: N };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(bad);
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high).ok_or(bad)? << 4 | nibble(*low).ok_or(bad)?;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn to_array(digest: &digest::Digest) -> [u8; DIGEST_LEN] {
    digest.as_ref().try_into().expect("a SHA-256 digest is 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const TWO_BLOCKS: &str = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

    #[test]
    fn known_digests() {
        let check = |text: &str, hex_digest: &str| {
            assert_eq!(hex(&Sha256::digest(text.as_bytes())), hex_digest);
        };
        check("abc", ABC);
        check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", TWO_BLOCKS);
    }

    /// FIPS 180-4's example for "abc".
    #[test]
    fn a_known_sha384() {
        let expected = concat!(
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed",
            "8086072ba1e7cc2358baeca134c825a7"
        );
        assert_eq!(hex(&sha384(b"abc")), expected);
    }

    /// FIPS 180-4's example for "abc".
    #[test]
    fn a_known_sha512() {
        let expected = concat!(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a",
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
        assert_eq!(hex(&sha512(b"abc")), expected);
    }

    #[test]
    fn pieces_and_readers_agree_with_one_shot() {
        let data: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let whole = Sha256::digest(&data);
        let mut pieces = Sha256::new();
        for piece in data.chunks(977) {
            pieces.update(piece);
        }
        assert_eq!(pieces.finish(), whole);
        assert_eq!(sha256_reader(&data[..]).unwrap(), (whole, 300_000));
        assert_eq!(sha256_reader(io::empty()).unwrap(), (Sha256::digest(b""), 0));
    }

    #[test]
    fn hex_round_trip_and_strictness() {
        assert_eq!(parse_hex::<32>(ABC).map(|b| hex(&b)).as_deref(), Ok(ABC));
        for bad in ["", "0", "00f", "0g11", "AB00", "0x00", " 000", "00 0", "é00", "000000"] {
            assert!(parse_hex::<2>(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse_hex::<2>("").unwrap_err().to_string(), "not 4 lower-case hex digits");
    }
}
