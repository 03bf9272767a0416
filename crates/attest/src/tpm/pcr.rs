//! Which PCRs are meant: those of the SHA-256 bank in which a boot is measured.

use std::fmt;

use crypto::hash::Sha256;

use crate::claims::Measurement;
use crate::refusal::Fault;
use crate::tpm::wire::{Reader, Writer, algorithm};

/// PCRs up to this one keep what was measured until the machine restarts; later ones can be reset by whoever runs it
/// (TCG PC Client Platform TPM Profile, section 4.6).
const LAST: u8 = 15;

/// `sizeofSelect`: 24 PCRs, as on every PC.
const SELECT_BYTES: u8 = 3;

/// A set of PCRs of the SHA-256 bank, all of which last until the machine restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PcrSelection(u16);

/// A PCR that measures nothing that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PCR {0} is none of 0 to {LAST}")]
pub struct BadPcr(u8);

impl PcrSelection {
    /// These PCRs, each of 0 to 15.
    ///
    /// # Errors
    /// [`BadPcr`] names one that can be reset while the machine runs, and would measure nothing.
    pub fn new(pcrs: impl IntoIterator<Item = u8>) -> Result<Self, BadPcr> {
        pcrs.into_iter().try_fold(PcrSelection(0), |selection, pcr| match pcr {
            0..=LAST => Ok(PcrSelection(selection.0 | 1 << pcr)),
            _ => Err(BadPcr(pcr)),
        })
    }

    /// Its PCRs, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=LAST).filter(move |pcr| self.0 >> pcr & 1 != 0)
    }

    /// The measurement of a machine in which the selected PCRs have these values, lowest first.
    pub fn measurement(self, values: &[[u8; 32]]) -> Option<Measurement> {
        let fits = values.len() == self.iter().count();
        fits.then(|| Measurement::Tpm { pcr_digest: Sha256::digest(values.as_flattened()) })
    }

    /// `TPML_PCR_SELECTION` with one bank.
    pub(crate) fn encode(self) -> Vec<u8> {
        let [low, high] = self.0.to_le_bytes();
        Writer::default().u32(1).u16(algorithm::SHA256).u8(SELECT_BYTES).raw(&[low, high, 0]).finish()
    }

    /// `TPML_PCR_SELECTION` in exactly this form.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if reader.u32()? != 1 {
            return Err(Fault::Expected("PCRs of one bank"));
        }
        reader.exactly(algorithm::SHA256, "PCRs of the SHA-256 bank")?;
        match (reader.u8()?, reader.array::<3>()?) {
            (SELECT_BYTES, [low, high, 0]) => Ok(PcrSelection(u16::from_le_bytes([low, high]))),
            _ => Err(Fault::Expected("PCRs 0 to 15")),
        }
    }
}

/// PCRs 0 to 9 and 11: firmware, its settings and the boot loader; what GRUB or a unified kernel image starts, and with
/// which command line (UAPI Group, Linux TPM PCR Registry).
impl Default for PcrSelection {
    fn default() -> Self {
        PcrSelection(0b1011_1111_1111)
    }
}

/// The numbers with commas between them: `0,1,7`.
impl fmt::Display for PcrSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.iter().map(|pcr| pcr.to_string()).collect();
        f.write_str(&numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_read_back_and_hold_no_pcr_that_can_be_reset() {
        assert_eq!(PcrSelection::new([16]), Err(BadPcr(16)));
        assert_eq!(PcrSelection::new([0, 255]), Err(BadPcr(255)));
        assert_eq!(PcrSelection::default().to_string(), "0,1,2,3,4,5,6,7,8,9,11");
        for pcrs in [vec![], vec![0], vec![15, 7], (0..16).collect()] {
            let selection = PcrSelection::new(pcrs).expect("lasting PCRs");
            let encoded = selection.encode();
            let mut reader = Reader::new(&encoded);
            assert_eq!(PcrSelection::read(&mut reader), Ok(selection));
            assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_measurement_needs_every_value() {
        let selection = PcrSelection::new([0, 7]).expect("lasting PCRs");
        let pcr_digest = Sha256::digest(&[[1; 32], [2; 32]].concat());
        assert_eq!(selection.measurement(&[[1; 32], [2; 32]]), Some(Measurement::Tpm { pcr_digest }));
        assert_eq!(selection.measurement(&[[1; 32]]), None);
    }
}
