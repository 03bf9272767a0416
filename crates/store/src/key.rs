//! Keys of records: bytes whose order is the order of the keys.
//!
//! | key | bytes |
//! |---|---|
//! | `String` | UTF-8 with `00` written as `00 ff`, then `00 00` |
//! | `u64` | 8 bytes big-endian |
//! | [`NewestFirst`] | the complement of its number, 8 bytes big-endian |
//! | `[u8; N]` | as it is |
//! | tuple | its components, one after the other |
//!
//! No key's bytes are the beginning of another's in the same table, so that the first component of a tuple alone is a
//! prefix of exactly the keys that have it.

/// The longest key, in bytes: a few ids of at most 64 characters each.
pub(crate) const MAX_KEY_LEN: usize = 1024;

/// The key type of a table.
pub trait Key: Sized + AsKey<Self> {
    /// Takes one key from the front of `bytes`; `None` when there is none. Never panics.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

/// Something that names a `K` in a look-up: a `&str` does for a `String`.
pub trait AsKey<K> {
    /// Appends the bytes of the key.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A key of several components, for scans over all keys that have the same first one.
pub trait Composite: Key {
    /// The first component.
    type First: Key;
}

/// A number that sorts from high to low: [`crate::Transaction::sequence`] in a key lists the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NewestFirst(pub u64);

impl Key for String {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            match take::<1>(bytes)? {
                [0] => match take::<1>(bytes)? {
                    [0] => return String::from_utf8(text).ok(),
                    [0xff] => text.push(0),
                    _ => return None,
                },
                [byte] => text.push(byte),
            }
        }
    }
}

impl AsKey<String> for str {
    fn encode(&self, out: &mut Vec<u8>) {
        for byte in self.bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(0xff);
            }
        }
        out.extend([0, 0]);
    }
}

impl AsKey<Self> for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Key for u64 {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

impl AsKey<Self> for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

impl Key for NewestFirst {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u64::decode(bytes).map(|number| Self(!number))
    }
}

impl AsKey<Self> for NewestFirst {
    fn encode(&self, out: &mut Vec<u8>) {
        (!self.0).encode(out);
    }
}

impl<const N: usize> Key for [u8; N] {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes)
    }
}

impl<const N: usize> AsKey<Self> for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::decode(bytes)?, B::decode(bytes)?))
    }
}

impl<A, B, QA: AsKey<A>, QB: AsKey<B>> AsKey<(A, B)> for (QA, QB) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl<A: Key, B: Key> Composite for (A, B) {
    type First = A;
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::decode(bytes)?, B::decode(bytes)?, C::decode(bytes)?))
    }
}

impl<A, B, C, QA: AsKey<A>, QB: AsKey<B>, QC: AsKey<C>> AsKey<(A, B, C)> for (QA, QB, QC) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }
}

impl<A: Key, B: Key, C: Key> Composite for (A, B, C) {
    type First = A;
}

impl<K, Q: AsKey<K> + ?Sized> AsKey<K> for &Q {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

/// The bytes of one key.
pub(crate) fn to_bytes<K>(key: impl AsKey<K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    bytes
}

/// The key whose bytes these are, all of them.
pub(crate) fn from_bytes<K: Key>(mut bytes: &[u8]) -> Option<K> {
    K::decode(&mut bytes).filter(|_| bytes.is_empty())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;

    fn check_order_and_round_trip<K>(a: K, b: K)
    where
        K: Key + Ord + Debug,
    {
        let (x, y) = (to_bytes(&a), to_bytes(&b));
        assert_eq!(x.cmp(&y), a.cmp(&b));
        assert!(a == b || !x.starts_with(&y));
        assert_eq!(from_bytes::<K>(&x).as_ref(), Some(&a));
        for end in 0..x.len() {
            assert_eq!(from_bytes::<K>(&x[..end]), None);
        }
    }

    proptest! {
        #[test]
        fn bytes_sort_as_keys_do(
            a in ("[\0\u{1}aé\u{10ffff}]{0,4}", any::<u64>(), any::<[u8; 3]>()),
            b in ("[\0\u{1}aé\u{10ffff}]{0,4}", any::<u64>(), any::<[u8; 3]>()),
        ) {
            check_order_and_round_trip(a.0.clone(), b.0.clone());
            check_order_and_round_trip(a.1, b.1);
            check_order_and_round_trip((a.0.clone(), a.1), (b.0.clone(), b.1));
            check_order_and_round_trip(a, b);
        }

        #[test]
        fn any_bytes_decode_to_a_key_or_nothing(bytes: Vec<u8>) {
            if let Some(key) = from_bytes::<(String, NewestFirst, [u8; 2])>(&bytes) {
                prop_assert_eq!(to_bytes::<(String, NewestFirst, [u8; 2])>(key), bytes);
            }
        }
    }

    #[test]
    fn newest_first_sorts_from_high_to_low() {
        let mut numbers = [3, 0, u64::MAX, 4].map(NewestFirst);
        numbers.sort_by_key(|number| to_bytes::<NewestFirst>(number));
        assert_eq!(numbers, [u64::MAX, 4, 3, 0].map(NewestFirst));
    }

    #[test]
    fn borrowed_look_ups_give_the_same_bytes() {
        let owned = ("alice".to_owned(), 7_u64);
        assert_eq!(to_bytes::<(String, u64)>(&owned), to_bytes::<(String, u64)>(("alice", 7_u64)));
    }
}
