//! The random numbers that a guest sees.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// Which random numbers a function sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Randomness {
    /// The same in every run, and known to everybody: good for sampling and hash tables, not for keys.
    #[default]
    Seeded,
    /// The operating system's.
    Real,
}

pub(super) enum Random {
    /// The state of a SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    Seeded(u64),
    Real,
}

impl Random {
    pub(super) fn new(rule: Randomness) -> Self {
        match rule {
            Randomness::Seeded => Self::Seeded(0),
            Randomness::Real => Self::Real,
        }
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Seeded(state) => {
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&split_mix(state).to_le_bytes()[..chunk.len()]);
                }
                Ok(())
            }
            Self::Real => fill_real(bytes),
        }
    }

    pub(super) fn next(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn fill_real(mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_numbers_are_the_published_ones() {
        let mut random = Random::new(Randomness::Seeded);
        // The first outputs of SplitMix64 from state 0, as its authors' reference code prints them.
        assert_eq!(random.next().unwrap(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next().unwrap(), 0x6e78_9e6a_a1b9_65f4);
        let mut bytes = [0; 11];
        random.fill(&mut bytes).unwrap();
        assert_eq!(bytes[..8], 0x06c4_5d18_8009_454f_u64.to_le_bytes());
    }

    #[test]
    fn real_numbers_differ() {
        let mut random = Random::new(Randomness::Real);
        assert_ne!(random.next().unwrap(), random.next().unwrap());
        random.fill(&mut [0; 100_000]).unwrap();
    }
}
