//! TPM 2.0's credential protection: a secret that only one TPM can read, and only for one key of it.
//!
//! TCG TPM 2.0 Library, part 1, sections 11.4.10.2 (KDFa), 24 (credential protection) and B.10.4 (RSAES_OAEP), with
//! SHA-256 and AES-128-CFB, which is what every endorsement key of TCG's default template L-1 uses.

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use zeroize::Zeroizing;

use crate::error::BadKey;
use crate::random;
use crate::verify::RsaPublicKey;

const DIGEST_LEN: usize = 32;
const AES_KEY_LEN: usize = 16;

/// A fresh secret from which both keys of one protected credential follow.
pub struct Seed(Zeroizing<[u8; DIGEST_LEN]>);

/// A protected credential: `TPM2B_ID_OBJECT`'s two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// HMAC-SHA-256 over the encrypted part and the name.
    pub integrity: [u8; DIGEST_LEN],
    /// The credential, encrypted.
    pub encrypted: Vec<u8>,
}

impl Seed {
    /// A seed from the system's random source.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// A known seed: for test vectors.
    pub fn danger_from_bytes(bytes: [u8; DIGEST_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The seed as only the key's owner reads it. `label` gets the terminating zero that the specification wants.
    ///
    /// # Errors
    /// [`BadKey::Rsa`] for a key that is none, or too small.
    pub fn encrypt_to(&self, key: &RsaPublicKey<'_>, label: &str) -> Result<Vec<u8>, BadKey> {
        let key: PublicEncryptingKey = key.components().try_into().map_err(|_| BadKey::Rsa)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| BadKey::Rsa)?;
        let label = [label.as_bytes(), &[0]].concat();
        let mut encrypted = vec![0; key.ciphertext_size()];
        let written = key.encrypt(&OAEP_SHA256_MGF1SHA256, &*self.0, &mut encrypted, Some(&label));
        let len = written.map_err(|_| BadKey::Rsa)?.len();
        encrypted.truncate(len);
        Ok(encrypted)
    }

    /// Encrypts `data` for the object with this name, and authenticates both.
    pub fn protect(&self, name: &[u8], data: &[u8]) -> Protected {
        let storage = kdfa(&*self.0, "STORAGE", name, &[], AES_KEY_LEN);
        let encrypted = aes_128_cfb(&storage, data);
        let integrity = kdfa(&*self.0, "INTEGRITY", &[], &[], DIGEST_LEN);
        Protected { integrity: hmac_sha256(&integrity, &[&encrypted, name]), encrypted }
    }
}

/// KDFa with HMAC-SHA-256: `length` bytes, of which there are at most 32 here.
fn kdfa(key: &[u8], label: &str, context_u: &[u8], context_v: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    assert!(length <= DIGEST_LEN, "one block is all that is asked for");
    let bits = u32::try_from(length * 8).expect("a few bytes").to_be_bytes();
    let block = hmac_sha256(key, &[&1_u32.to_be_bytes(), label.as_bytes(), &[0], context_u, context_v, &bits]);
    Zeroizing::new(Zeroizing::new(block)[..length].to_vec())
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().expect("an HMAC-SHA-256 tag is 32 bytes")
}

/// With an initial vector of zeros, as part 1 has it: the key is used once.
fn aes_128_cfb(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = UnboundCipherKey::new(&AES_128, key).expect("a key of 16 bytes");
    let key = EncryptingKey::cfb128(key).expect("AES has this mode");
    let mut encrypted = data.to_vec();
    let zeros = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    key.less_safe_encrypt(&mut encrypted, zeros).expect("the mode takes any length");
    encrypted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hex;

    /// Computed with Python's `hmac` and `cryptography` from the specification's text.
    #[test]
    fn a_known_credential() {
        let seed = Seed::danger_from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let name = [&[0, 0x0b][..], &[0xab; 32]].concat();
        let protected = seed.protect(&name, b"\0\x04cred");
        assert_eq!(hex(&protected.encrypted), "a2d7c5cd6ebe");
        let integrity = "412525c23b085f48488435e2292d68d412c578f68734f6d6936ac6f2fedadd93";
        assert_eq!(hex(&protected.integrity), integrity);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        let key = RsaPublicKey { modulus: &[0xff; 64], exponent: &[1, 0, 1] };
        assert_eq!(Seed::generate().encrypt_to(&key, "IDENTITY"), Err(BadKey::Rsa));
        let none = RsaPublicKey { modulus: &[], exponent: &[] };
        assert_eq!(Seed::generate().encrypt_to(&none, "IDENTITY"), Err(BadKey::Rsa));
    }
}
