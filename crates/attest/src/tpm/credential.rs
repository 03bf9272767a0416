//! Whether an attestation key lives in the TPM of an endorsement key: TPM2_MakeCredential, done without a TPM.
//!
//! Whoever wants to know encrypts a secret to the endorsement key so that its TPM gives it only if it also has the key of
//! this name ([`crate::attester::TpmDevice::activate`]). The endorsement key is known by its maker's certificate, which
//! whoever enrols a machine looks at; that its key is this one is the caller's to compare ([`EndorsementKey::modulus`]).
//!
//! Source: TPM 2.0 part 1, section 24; TCG EK Credential Profile, template L-1 (RSA 2048, AES-128-CFB, SHA-256).

use crypto::tpm::Seed;
use crypto::verify::RsaPublicKey;

use crate::refusal::{Fault, Refusal};
use crate::tpm::TpmKeyName;
use crate::tpm::wire::{Reader, Writer, algorithm, attribute};

const PART: &str = "TPM endorsement key";

/// What separates this use of an endorsement key from others (part 1, section 24.4).
const LABEL: &str = "IDENTITY";

/// Bits of the modulus, and of the AES key that protects credentials.
const RSA_BITS: u16 = 2048;
const AES_BITS: u16 = 128;

/// 65537, which an exponent of 0 stands for.
const EXPONENT: &[u8] = &[1, 0, 1];

/// What the owner of the endorsement hierarchy may do with its key: PolicySecret(TPM_RH_ENDORSEMENT).
const POLICY_A: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7,
    0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// An endorsement key of template L-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementKey {
    modulus: Vec<u8>,
}

/// A secret that one TPM gives, and only if it has one attestation key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `TPMS_ID_OBJECT`.
    pub credential: Vec<u8>,
    /// The seed, encrypted to the endorsement key.
    pub seed: Vec<u8>,
}

impl EndorsementKey {
    /// Reads a `TPMT_PUBLIC`, which is exactly the template's but for its modulus.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn read(public: &[u8]) -> Result<Self, Refusal> {
        let head = template_head();
        let read = || {
            let mut reader = Reader::new(public);
            if reader.take(head.len())? != head {
                return Err(Fault::Expected("a key of TCG's template L-1"));
            }
            let modulus = reader.sized()?.to_vec();
            reader.end()?;
            if modulus.len() * 8 == usize::from(RSA_BITS) {
                Ok(EndorsementKey { modulus })
            } else {
                Err(Fault::Expected("a modulus of 2048 bits"))
            }
        };
        read().map_err(|fault| fault.of(PART))
    }

    /// The modulus, big-endian, to be compared with that of the maker's certificate.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// Encrypts a fresh `secret`. Whoever answers with it has the attestation key `name` in the endorsement key's TPM.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a modulus that is no key's.
    pub fn challenge(&self, name: &TpmKeyName, secret: &[u8; 32]) -> Result<Challenge, Refusal> {
        let key = RsaPublicKey { modulus: &self.modulus, exponent: EXPONENT };
        let fresh = Seed::generate();
        let seed = fresh.encrypt_to(&key, LABEL).map_err(|_| Fault::Expected("an RSA key").of(PART))?;
        let object = [&algorithm::SHA256.to_be_bytes()[..], &name.0].concat();
        let protected = fresh.protect(&object, &Writer::default().sized(secret).finish());
        let credential = Writer::default().sized(&protected.integrity).raw(&protected.encrypted).finish();
        Ok(Challenge { credential, seed })
    }
}

/// The template up to the modulus.
fn template_head() -> Vec<u8> {
    let attributes = attribute::FIXED_TPM
        | attribute::FIXED_PARENT
        | attribute::SENSITIVE_DATA_ORIGIN
        | attribute::ADMIN_WITH_POLICY
        | attribute::RESTRICTED
        | attribute::DECRYPT;
    Writer::default()
        .u16(algorithm::RSA)
        .u16(algorithm::SHA256)
        .u32(attributes)
        .sized(&POLICY_A)
        .u16(algorithm::AES)
        .u16(AES_BITS)
        .u16(algorithm::CFB)
        .u16(algorithm::NULL)
        .u16(RSA_BITS)
        .u32(0)
        .finish()
}

/// The template: a modulus of zeros, as the profile has it, so that every tool makes the same key.
pub(crate) fn template() -> Vec<u8> {
    Writer::default().raw(&template_head()).sized(&[0; RSA_BITS as usize / 8]).finish()
}
