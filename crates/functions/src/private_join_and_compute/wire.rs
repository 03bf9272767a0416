//! How records lie in chunks: one after the other, numbers in as many bytes as they need.
//!
//! ```text
//! record = hash (32 bits) | lines since the file's last one in this partition | amount | identity
//! sum    = total | identity
//! identity = its length (16 bits) | its bytes
//! ```
//!
//! Numbers are LEB128; signed ones with their sign in the lowest bit.

/// The longest a record is without its identity's bytes.
pub(super) const RECORD_HEAD: usize = 4 + 10 + 19 + 2;

pub(super) fn put_number(to: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

pub(super) fn put_signed(to: &mut Vec<u8>, number: i128) {
    put_number(to, ((number << 1) ^ (number >> 127)) as u128);
}

/// At most 64 KiB, as a line's bytes are.
pub(super) fn put_identity(to: &mut Vec<u8>, identity: &[u8]) {
    to.extend_from_slice(&(identity.len() as u16).to_le_bytes());
    to.extend_from_slice(identity);
}

/// Reads what was put. What it reads was made by this run: where it ends too early, it reads zeros.
pub(super) struct Reader<'c>(pub(super) &'c [u8]);

impl<'c> Reader<'c> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn number(&mut self) -> u128 {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let Some((byte, rest)) = self.0.split_first() else { break };
            self.0 = rest;
            number |= u128::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        number
    }

    pub(super) fn signed(&mut self) -> i128 {
        let number = self.number();
        (number >> 1) as i128 ^ -((number & 1) as i128)
    }

    pub(super) fn hash(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn identity(&mut self) -> &'c [u8] {
        let length = usize::from(u16::from_le_bytes(self.array()));
        let (identity, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        identity
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((array, rest)) = self.0.split_first_chunk() else {
            self.0 = &[];
            return [0; N];
        };
        self.0 = rest;
        *array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_identities_come_back() {
        for number in [0, 1, -1, 63, 64, -64, -65, i128::from(i64::MAX), i128::MIN, i128::MAX] {
            let mut bytes = 7u32.to_le_bytes().to_vec();
            put_signed(&mut bytes, number);
            put_number(&mut bytes, number.unsigned_abs());
            put_identity(&mut bytes, b"identity");
            let mut reader = Reader(&bytes);
            assert_eq!((reader.hash(), reader.signed(), reader.number()), (7, number, number.unsigned_abs()));
            assert_eq!((reader.identity(), reader.is_empty()), (&b"identity"[..], true));
            assert_eq!(Reader(&bytes[..3]).hash(), 0);
            assert_eq!(Reader(&[9, 0, b'i']).identity(), b"i");
        }
    }
}
