//! What a TPM signs: `TPMS_ATTEST` of a quote (TPM 2.0 part 2, section 10.12).

use crate::refusal::{Fault, Refusal};
use crate::tpm::pcr::PcrSelection;
use crate::tpm::wire::Reader;

const PART: &str = "TPM quote";

/// `TPM_GENERATED_VALUE`: begins nothing that a restricted key signs for others.
const GENERATED: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE`.
const QUOTE: u16 = 0x8018;
/// `TPMS_CLOCK_INFO.safe`: the TPM lost no count of its restarts.
const SAFE: u8 = 1;

/// What a quote says, once its signature was checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) extra_data: [u8; 32],
    pub(super) pcrs: PcrSelection,
    pub(super) pcr_digest: [u8; 32],
}

impl Quote {
    pub(super) fn read(attest: &[u8]) -> Result<Self, Refusal> {
        read(attest).map_err(|fault| fault.of(PART))
    }
}

fn read(attest: &[u8]) -> Result<Quote, Fault> {
    let mut reader = Reader::new(attest);
    if reader.u32()? != GENERATED {
        return Err(Fault::Expected("what a TPM generated"));
    }
    reader.exactly(QUOTE, "a quote")?;
    let _qualified_signer = reader.sized()?;
    let extra_data = digest(reader.sized()?)?;
    let (_clock, _resets, _restarts) = (reader.u64()?, reader.u32()?, reader.u32()?);
    if reader.u8()? != SAFE {
        return Err(Fault::Expected("a clock that is safe"));
    }
    let _firmware = reader.u64()?;
    let pcrs = PcrSelection::read(&mut reader)?;
    let pcr_digest = digest(reader.sized()?)?;
    reader.end()?;
    Ok(Quote { extra_data, pcrs, pcr_digest })
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| Fault::Expected("a SHA-256"))
}
