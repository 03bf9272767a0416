//! How a ciphertext is laid out: whole, or in parts of one size.

use serde::{Deserialize, Serialize};

use crate::error::Reason;

/// Bytes in each part but the last, which has 1 to this many: 8 MiB, so that S3's limits (5 MiB at least, if a part
/// is ever to become part of one object; 5 GiB at most) are far away and a cut connection costs little.
pub const PART_SIZE: u64 = 8 << 20;

/// Most parts of one ciphertext: 16 TiB, which is as large as ext4 lets a file be.
pub const MAX_PARTS: u32 = 1 << 21;

/// How a finished ciphertext lies in its store. Whoever keeps the file's record keeps this with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One file, or one object.
    #[default]
    Whole,
    /// Objects `ID/00000000`, `ID/00000001`, … in S3.
    Parts {
        /// How many.
        count: u32,
    },
}

/// The number of parts of a ciphertext of so many bytes, and `None` past [`MAX_PARTS`].
pub fn part_count(stored_len: u64) -> Option<u32> {
    u32::try_from(stored_len.div_ceil(PART_SIZE)).ok().filter(|count| *count <= MAX_PARTS)
}

/// Bytes in one part of a ciphertext of `stored_len` bytes; 0 for a part that it does not have.
pub fn part_len(stored_len: u64, part: u32) -> u64 {
    stored_len.saturating_sub(u64::from(part) * PART_SIZE).min(PART_SIZE)
}

/// Refuses parts that are not exactly those of a ciphertext of `stored_len` bytes. `received` ascends by part.
pub(crate) fn check_cover(stored_len: u64, received: &[(u32, u64)]) -> Result<u32, Reason> {
    let count = part_count(stored_len).ok_or(Reason::TooLarge)?;
    let mut parts = received.iter().peekable();
    for part in 0..count {
        let expected = part_len(stored_len, part);
        let found = parts.next_if(|(number, _)| *number == part).map(|(_, len)| *len);
        if found != Some(expected) {
            return Err(Reason::Incomplete { part, expected, received: found.unwrap_or(0) });
        }
    }
    match parts.next() {
        Some((part, _)) => Err(Reason::PastTheEnd { part: *part, stored_len }),
        None => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_parts() {
        for (stored, count, last) in [
            (0, 0, 0),
            (1, 1, 1),
            (PART_SIZE, 1, PART_SIZE),
            (PART_SIZE + 1, 2, 1),
            (3 * PART_SIZE - 1, 3, PART_SIZE - 1),
        ] {
            assert_eq!(part_count(stored), Some(count));
            assert_eq!(part_len(stored, count.saturating_sub(1)), last);
            assert_eq!(part_len(stored, count), 0);
        }
        assert_eq!(part_count(u64::from(MAX_PARTS) * PART_SIZE), Some(MAX_PARTS));
        assert_eq!(part_count(u64::from(MAX_PARTS) * PART_SIZE + 1), None);
        assert_eq!(part_count(u64::MAX), None);
    }

    #[test]
    fn parts_cover_the_length_exactly() {
        let len = 2 * PART_SIZE + 5;
        let all = [(0, PART_SIZE), (1, PART_SIZE), (2, 5)];
        assert_eq!(check_cover(len, &all).ok(), Some(3));
        for wrong in [&all[..2], &all[1..], &[][..], &[(0, PART_SIZE), (2, 5)], &[(0, PART_SIZE), (1, 7), (2, 5)]] {
            assert!(matches!(check_cover(len, wrong), Err(Reason::Incomplete { .. })), "{wrong:?}");
        }
        assert!(matches!(check_cover(2 * PART_SIZE, &all), Err(Reason::PastTheEnd { part: 2, .. })));
        assert!(matches!(check_cover(u64::MAX, &all), Err(Reason::TooLarge)));
    }

    /// Records without the field have whole files.
    #[test]
    fn layouts_in_records() {
        assert_eq!(Layout::default(), Layout::Whole);
        let texts = [Layout::Whole, Layout::Parts { count: 3 }].map(|layout| serde_json::to_string(&layout).unwrap());
        assert_eq!(texts, [r#""whole""#, r#"{"parts":{"count":3}}"#]);
    }
}
