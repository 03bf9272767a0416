//! Which parts of an upload are on the disk: a file of slots, one for each part.
//!
//! Slot *n* lies at byte 16 *n*: part number (4 bytes, big-endian), bytes (8, big-endian), and the first four bytes of
//! the SHA-256 of these twelve. A slot that was torn, or never written, does not check out, and the part counts as not
//! received. Slots have fixed places, so that sending a part a thousand times leaves one slot.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use crypto::hash::Sha256;

use crate::{MAX_PARTS, PART_SIZE};

/// Bytes of a slot.
const SLOT: usize = 16;

/// An upload's journal.
pub(super) struct Journal(pub(super) File);

impl Journal {
    /// Every part that was received, ascending, with its bytes.
    pub(super) fn received(&self) -> io::Result<Vec<(u32, u64)>> {
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0))?;
        let (mut reader, mut parts, mut slot) = (BufReader::with_capacity(64 << 10, file), Vec::new(), [0; SLOT]);
        for part in 0..MAX_PARTS {
            match reader.read_exact(&mut slot) {
                Ok(()) => parts.extend(decode(part, &slot).map(|len| (part, len))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        Ok(parts)
    }

    /// Notes, durably, that a part is on the disk. Call this after its data was made durable.
    pub(super) fn add(&self, part: u32, len: u64) -> io::Result<()> {
        self.0.write_all_at(&encode(part, len), place(part))?;
        self.0.sync_data()
    }

    /// Forgets a part, durably, before its data is overwritten.
    pub(super) fn forget(&self, part: u32) -> io::Result<()> {
        let mut slot = [0; SLOT];
        match self.0.read_exact_at(&mut slot, place(part)) {
            Ok(()) if slot != [0; SLOT] => {
                self.0.write_all_at(&[0; SLOT], place(part))?;
                self.0.sync_data()
            }
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(()),
        }
    }
}

fn place(part: u32) -> u64 {
    u64::from(part) * SLOT as u64
}

fn encode(part: u32, len: u64) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..4].copy_from_slice(&part.to_be_bytes());
    slot[4..12].copy_from_slice(&len.to_be_bytes());
    let digest = Sha256::digest(&slot[..12]);
    slot[12..].copy_from_slice(&digest[..4]);
    slot
}

/// The bytes of this part, if the slot says so.
fn decode(part: u32, slot: &[u8; SLOT]) -> Option<u64> {
    let len = u64::from_be_bytes(slot[4..12].try_into().expect("eight bytes"));
    ((1..=PART_SIZE).contains(&len) && encode(part, len) == *slot).then_some(len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn journal() -> Journal {
        Journal(tempfile::tempfile().unwrap())
    }

    #[test]
    fn parts_come_back_in_order() {
        let journal = journal();
        assert_eq!(journal.received().unwrap(), []);
        for (part, len) in [(7, 1), (0, PART_SIZE), (2, 99), (2, 100)] {
            journal.add(part, len).unwrap();
        }
        assert_eq!(journal.received().unwrap(), [(0, PART_SIZE), (2, 100), (7, 1)]);
        journal.forget(2).unwrap();
        journal.forget(3).unwrap();
        journal.forget(900).unwrap();
        assert_eq!(journal.received().unwrap(), [(0, PART_SIZE), (7, 1)]);
    }

    #[test]
    fn every_byte_of_a_slot_counts() {
        let slot = encode(5, 1 << 20);
        assert_eq!(decode(5, &slot), Some(1 << 20));
        assert_eq!(decode(6, &slot), None, "a slot is good at its own place only");
        for at in 0..SLOT {
            for bit in 0..8 {
                let mut changed = slot;
                changed[at] ^= 1 << bit;
                assert_eq!(decode(5, &changed), None, "byte {at}, bit {bit}");
            }
        }
        assert_eq!(decode(5, &encode(5, 0)), None);
        assert_eq!(decode(5, &encode(5, PART_SIZE + 1)), None);
    }

    proptest! {
        /// However a write is torn, older slots stay and the torn one is either whole or absent.
        #[test]
        fn a_torn_slot_is_no_slot(older in 0u32..6, torn in 0u32..6, kept in 0usize..=SLOT) {
            prop_assume!(older != torn);
            let journal = journal();
            journal.add(older, 3).unwrap();
            journal.0.write_all_at(&encode(torn, 9)[..kept], place(torn)).unwrap();
            let mut expected = vec![(older, 3)];
            expected.extend((kept == SLOT).then_some((torn, 9)));
            expected.sort();
            prop_assert_eq!(journal.received().unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_a_journal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let journal = journal();
            journal.0.write_all_at(&bytes, 0).unwrap();
            prop_assert_eq!(journal.received().unwrap(), []);
        }
    }
}
