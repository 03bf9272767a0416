//! An attestation key: a key that signs nothing but what its own TPM generated (TPM 2.0 part 2, section 12.2.4).

use std::fmt;

use crypto::hash::{Sha256, hex};
use crypto::verify::{RsaPublicKey, p256_fixed};

use crate::refusal::{Fault, Refusal};
use crate::tpm::signature::Signature;
use crate::tpm::wire::{NIST_P256, Reader, algorithm, attribute};

const PART: &str = "TPM attestation key";

/// What an attestation key is: made in this TPM and bound to it, and it signs what the TPM generates alone.
const MUST_BE_SET: u32 = attribute::FIXED_TPM
    | attribute::FIXED_PARENT
    | attribute::SENSITIVE_DATA_ORIGIN
    | attribute::RESTRICTED
    | attribute::SIGN;

/// The name of a TPM's key: SHA-256 over its public area (TPM 2.0 part 1, section 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TpmKeyName(pub [u8; 32]);

impl TpmKeyName {
    /// The name of the key with this `TPMT_PUBLIC`.
    pub fn of(public: &[u8]) -> Self {
        TpmKeyName(Sha256::digest(public))
    }
}

/// In lower-case hexadecimal, without the algorithm's number.
impl fmt::Display for TpmKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A public key whose attributes are an attestation key's.
pub(super) struct AttestationKey {
    name: TpmKeyName,
    scheme: Scheme,
}

enum Scheme {
    /// ECDSA on P-256 with SHA-256; the public point.
    Ecdsa([u8; 65]),
    /// RSASSA-PKCS1-v1_5 with SHA-256; modulus and exponent.
    Rsassa(Vec<u8>, [u8; 4]),
    /// RSASSA-PSS with SHA-256; modulus and exponent.
    Rsapss(Vec<u8>, [u8; 4]),
}

impl AttestationKey {
    /// Reads a `TPMT_PUBLIC`.
    pub(super) fn read(public: &[u8]) -> Result<Self, Refusal> {
        let scheme = read(public).map_err(|fault| fault.of(PART))?;
        Ok(AttestationKey { name: TpmKeyName::of(public), scheme })
    }

    pub(super) fn name(&self) -> TpmKeyName {
        self.name
    }

    /// Checks a signature over `message`, of the key's own scheme.
    pub(super) fn verify(&self, message: &[u8], signature: &Signature<'_>) -> Result<(), Refusal> {
        let verified = match (&self.scheme, signature) {
            (Scheme::Ecdsa(point), Signature::Ecdsa(halves)) => p256_fixed(point, message, halves),
            (Scheme::Rsassa(modulus, exponent), Signature::Rsassa(signature)) => {
                rsa(modulus, exponent).verify_pkcs1_sha256(message, signature)
            }
            (Scheme::Rsapss(modulus, exponent), Signature::Rsapss(signature)) => {
                rsa(modulus, exponent).verify_pss_sha256(message, signature)
            }
            _ => return Err(Refusal::BadSignature),
        };
        verified.map_err(|_| Refusal::BadSignature)
    }
}

fn rsa<'a>(modulus: &'a [u8], exponent: &'a [u8; 4]) -> RsaPublicKey<'a> {
    let leading = exponent.iter().take_while(|byte| **byte == 0).count();
    RsaPublicKey { modulus, exponent: &exponent[leading..] }
}

fn read(public: &[u8]) -> Result<Scheme, Fault> {
    let mut reader = Reader::new(public);
    let kind = reader.u16()?;
    reader.exactly(algorithm::SHA256, "a name with SHA-256")?;
    let attributes = reader.u32()?;
    if attributes & MUST_BE_SET != MUST_BE_SET || attributes & attribute::DECRYPT != 0 {
        return Err(Fault::Expected("an attestation key's attributes"));
    }
    let _policy = reader.sized()?;
    reader.exactly(algorithm::NULL, "no symmetric algorithm")?;
    let scheme = reader.u16()?;
    reader.exactly(algorithm::SHA256, "signatures with SHA-256")?;
    let key = match (kind, scheme) {
        (algorithm::ECC, algorithm::ECDSA) => Scheme::Ecdsa(point(&mut reader)?),
        (algorithm::RSA, algorithm::RSASSA) => modulus(&mut reader).map(|(n, e)| Scheme::Rsassa(n, e))?,
        (algorithm::RSA, algorithm::RSAPSS) => modulus(&mut reader).map(|(n, e)| Scheme::Rsapss(n, e))?,
        _ => return Err(Fault::Expected("a key for ECDSA, RSASSA or RSAPSS")),
    };
    reader.end()?;
    Ok(key)
}

fn point(reader: &mut Reader<'_>) -> Result<[u8; 65], Fault> {
    reader.exactly(NIST_P256, "a key on P-256")?;
    reader.exactly(algorithm::NULL, "no key derivation")?;
    let mut point = [4; 65];
    for half in point[1..].as_chunks_mut::<32>().0 {
        let coordinate = reader.sized()?.try_into();
        *half = coordinate.map_err(|_| Fault::Expected("coordinates of 32 bytes"))?;
    }
    Ok(point)
}

/// Modulus and exponent; an exponent of 0 stands for 65537.
fn modulus(reader: &mut Reader<'_>) -> Result<(Vec<u8>, [u8; 4]), Fault> {
    let (bits, exponent) = (reader.u16()?, reader.u32()?);
    let exponent = if exponent == 0 { 65537 } else { exponent };
    let modulus = reader.sized()?;
    if modulus.len() * 8 != usize::from(bits) {
        return Err(Fault::Expected("a modulus of the key's length"));
    }
    Ok((modulus.to_vec(), exponent.to_be_bytes()))
}
