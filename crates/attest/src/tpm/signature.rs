//! A TPM's signature: `TPMT_SIGNATURE` (TPM 2.0 part 2, section 11.3.4).

use crate::refusal::{Fault, Refusal};
use crate::tpm::wire::{Reader, algorithm};

const PART: &str = "TPM signature";

/// A signature of one of the three schemes, with SHA-256.
pub(super) enum Signature<'a> {
    /// `r ‖ s`, each of 32 bytes.
    Ecdsa([u8; 64]),
    /// RSASSA-PKCS1-v1_5.
    Rsassa(&'a [u8]),
    /// RSASSA-PSS.
    Rsapss(&'a [u8]),
}

impl<'a> Signature<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        read(bytes).map_err(|fault| fault.of(PART))
    }
}

fn read(bytes: &[u8]) -> Result<Signature<'_>, Fault> {
    let mut reader = Reader::new(bytes);
    let scheme = reader.u16()?;
    reader.exactly(algorithm::SHA256, "a signature with SHA-256")?;
    let signature = match scheme {
        algorithm::ECDSA => Signature::Ecdsa(halves(&mut reader)?),
        algorithm::RSASSA => Signature::Rsassa(reader.sized()?),
        algorithm::RSAPSS => Signature::Rsapss(reader.sized()?),
        _ => return Err(Fault::Expected("a signature of ECDSA, RSASSA or RSAPSS")),
    };
    reader.end()?;
    Ok(signature)
}

/// TPMs write each half in 32 bytes, or without its leading zeros.
fn halves(reader: &mut Reader<'_>) -> Result<[u8; 64], Fault> {
    let mut halves = [0; 64];
    for half in halves.as_chunks_mut::<32>().0 {
        let digits = reader.sized()?;
        let start = half.len().checked_sub(digits.len()).ok_or(Fault::Expected("halves of at most 32 bytes"))?;
        half[start..].copy_from_slice(digits);
    }
    Ok(halves)
}
