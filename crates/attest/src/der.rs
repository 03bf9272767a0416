//! The few DER values that certificates are framed in, in their one encoding only (X.690, section 10).
//!
//! A signature covers the inner part of a certificate. The frame around it is covered by nothing, so it is read strictly:
//! no length has two forms here.

use crate::refusal::Fault;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]` of a certificate's version.
const VERSION: u8 = 0xa0;

/// Reads values from the front of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Der(input)
    }

    /// The content of a value with this tag.
    pub(crate) fn content(&mut self, tag: u8) -> Result<&'a [u8], Fault> {
        let whole = self.value(tag)?;
        Ok(&whole[head_length(whole)..])
    }

    /// A value with this tag, head included.
    pub(crate) fn value(&mut self, tag: u8) -> Result<&'a [u8], Fault> {
        if self.peek()? != tag {
            return Err(Fault::Expected("another DER value"));
        }
        let length = content_length(self.0)?.checked_add(head_length(self.0)).ok_or(Fault::Truncated)?;
        let (value, rest) = self.0.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(value)
    }

    /// The next value's tag.
    pub(crate) fn peek(&self) -> Result<u8, Fault> {
        self.0.first().copied().ok_or(Fault::Truncated)
    }

    /// The content of a BIT STRING of whole bytes.
    pub(crate) fn bits(&mut self) -> Result<&'a [u8], Fault> {
        match self.content(BIT_STRING)?.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(Fault::Expected("a BIT STRING of whole bytes")),
        }
    }

    /// The digits of a non-negative INTEGER, big-endian, without the sign byte.
    pub(crate) fn natural(&mut self) -> Result<&'a [u8], Fault> {
        match self.content(INTEGER)? {
            [0, digits @ ..] if digits.first().is_some_and(|digit| *digit >= 0x80) => Ok(digits),
            [0] => Ok(&[0]),
            [0 | 0x80..=0xff, ..] | [] => Err(Fault::Expected("a non-negative INTEGER")),
            digits => Ok(digits),
        }
    }

    /// A non-negative INTEGER below 256.
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        match self.natural()? {
            [byte] => Ok(*byte),
            _ => Err(Fault::Expected("an INTEGER below 256")),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::TrailingBytes) }
    }
}

/// The bytes of tag and length.
fn head_length(value: &[u8]) -> usize {
    match value.get(1) {
        Some(0x81) => 3,
        Some(0x82) => 4,
        _ => 2,
    }
}

/// Up to 64 KiB, in the shortest form.
fn content_length(value: &[u8]) -> Result<usize, Fault> {
    match value.get(1..) {
        Some([short @ 0..=0x7f, ..]) => Ok(usize::from(*short)),
        Some([0x81, length @ 0x80..=0xff, ..]) => Ok(usize::from(*length)),
        Some([0x82, high @ 1..=0xff, low, ..]) => Ok(usize::from(u16::from_be_bytes([*high, *low]))),
        Some([0x80, ..] | [0x81 | 0x82, _, _, ..]) => Err(Fault::NotDeterministic),
        Some([0x83..=0xff, ..]) => Err(Fault::TooLong { limit: 0xffff }),
        _ => Err(Fault::Truncated),
    }
}

/// A certificate or a revocation list: what is signed, how, and the signature (RFC 5280, sections 4.1.1 and 5.1.1).
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// `tbsCertificate` or `tbsCertList`, as it is signed.
    pub(crate) to_be_signed: &'a [u8],
    /// `signatureAlgorithm`, which equals the one inside.
    pub(crate) algorithm: &'a [u8],
    /// The signature.
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the frame of a certificate or a revocation list, which has no byte that could be another.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Fault> {
        let mut outer = Der::new(der);
        let mut frame = Der::new(outer.content(SEQUENCE)?);
        outer.end()?;
        let to_be_signed = frame.value(SEQUENCE)?;
        let algorithm = frame.value(SEQUENCE)?;
        let signature = frame.bits()?;
        frame.end()?;
        if inner_algorithm(to_be_signed)? != algorithm {
            return Err(Fault::Expected("the same signature algorithm inside and outside"));
        }
        Ok(Signed { to_be_signed, algorithm, signature })
    }
}

/// The algorithm inside: after a certificate's version and serial number, or a list's version.
fn inner_algorithm(to_be_signed: &[u8]) -> Result<&[u8], Fault> {
    let mut fields = Der::new(Der::new(to_be_signed).content(SEQUENCE)?);
    for tag in [VERSION, INTEGER] {
        if fields.peek()? == tag {
            fields.value(tag)?;
        }
    }
    fields.value(SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_form() {
        let value = |head: &[u8], length: usize| [head, &vec![7; length]].concat();
        let check = |head: &[u8], length: usize, expected: Result<usize, Fault>| {
            let bytes = value(head, length);
            assert_eq!(Der::new(&bytes).content(SEQUENCE).map(<[u8]>::len), expected, "{head:02x?}");
        };
        check(&[0x30, 0x7f], 127, Ok(127));
        check(&[0x30, 0x81, 0x80], 128, Ok(128));
        check(&[0x30, 0x82, 1, 0], 256, Ok(256));
        check(&[0x30, 0x81, 0x7f], 127, Err(Fault::NotDeterministic));
        check(&[0x30, 0x82, 0, 0xff], 255, Err(Fault::NotDeterministic));
        check(&[0x30, 0x83, 0, 1, 0], 256, Err(Fault::TooLong { limit: 0xffff }));
        check(&[0x30, 0x80], 10, Err(Fault::NotDeterministic));
        check(&[0x30, 5], 4, Err(Fault::Truncated));
        check(&[0x30], 0, Err(Fault::Truncated));
        check(&[], 0, Err(Fault::Truncated));
        check(&[0x31, 0], 0, Err(Fault::Expected("another DER value")));
    }

    #[test]
    fn the_algorithm_outside_is_the_one_inside() {
        let signed = |inner: u8, outer: u8| {
            let to_be_signed = [0x30, 10, 0xa0, 1, 2, 2, 1, 7, 0x30, 2, 5, inner];
            [&[0x30, 20][..], &to_be_signed, &[0x30, 2, 5, outer], &[3, 2, 0, 0xaa]].concat()
        };
        let good = signed(0, 0);
        let read = Signed::read(&good).map(|signed| (signed.algorithm, signed.signature));
        assert_eq!(read, Ok((&[0x30, 2, 5, 0][..], &[0xaa][..])));
        let differs = Fault::Expected("the same signature algorithm inside and outside");
        assert_eq!(Signed::read(&signed(0, 1)).err(), Some(differs));
        for length in 0..good.len() {
            assert!(Signed::read(&good[..length]).is_err(), "{length}");
        }
        assert_eq!(Signed::read(&[&good[..], &[0]].concat()).err(), Some(Fault::TrailingBytes));
    }

    #[test]
    fn integers_have_one_form() {
        let bad = Err(Fault::Expected("a non-negative INTEGER"));
        let cases: [(&[u8], Result<u8, Fault>); 7] = [
            (&[2, 1, 0], Ok(0)),
            (&[2, 1, 0x7f], Ok(0x7f)),
            (&[2, 2, 0, 0x80], Ok(0x80)),
            (&[2, 2, 1, 0], Err(Fault::Expected("an INTEGER below 256"))),
            (&[2, 2, 0, 0x7f], bad),
            (&[2, 1, 0x80], bad),
            (&[2, 0], bad),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Der::new(bytes).byte(), expected, "{bytes:02x?}");
        }
    }
}
