//! The few DER values of makers' extensions and certificates (X.690).

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tagged(BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// A number below 128, which needs no sign byte.
pub(crate) fn integer(value: u8) -> Vec<u8> {
    assert!(value < 0x80, "a larger number would be negative");
    tagged(INTEGER, &[value])
}

pub(crate) fn enumerated(value: u8) -> Vec<u8> {
    tagged(ENUMERATED, &[value])
}

pub(crate) fn octets(value: &[u8]) -> Vec<u8> {
    tagged(OCTET_STRING, value)
}

/// An object identifier whose last arcs are below 128, after the bytes of those before.
pub(crate) fn oid(head: &[u8], tail: &[u8]) -> Vec<u8> {
    tagged(OBJECT_IDENTIFIER, &[head, tail].concat())
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(SEQUENCE, &parts.concat())
}

/// A non-negative number, big-endian.
pub(crate) fn natural(digits: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if digits.first().is_some_and(|digit| *digit >= 0x80) { &[0] } else { &[] };
    tagged(INTEGER, &[sign, digits].concat())
}

/// A string of whole bytes.
pub(crate) fn bits(value: &[u8]) -> Vec<u8> {
    tagged(BIT_STRING, &[&[0], value].concat())
}

pub(crate) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("nothing here is so long").to_be_bytes();
    let head = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content.to_vec()].concat()
}
