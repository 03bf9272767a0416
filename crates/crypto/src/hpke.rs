//! Something short for whoever holds one private key: HPKE (RFC 9180), base mode, one message.
//!
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305: the suite of the RFC's appendix A.2.
//!
//! ```text
//! sealed = enc (32 bytes, a fresh public key) ‖ ciphertext ‖ tag (16 bytes)
//! ```
//!
//! Base mode says nothing about the sender: anyone can seal to a public key. It is no post-quantum scheme either.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::error::{BadKey, Refused};

/// Length of a private and of a public key, in bytes (RFC 7748).
pub const KEY_LEN: usize = 32;

/// How many bytes longer a sealed message is than its plaintext.
pub const OVERHEAD_LEN: usize = KEY_LEN + TAG_LEN;

const TAG_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const HASH_LEN: usize = 32;

/// `"KEM" ‖ DHKEM(X25519, HKDF-SHA256)` (section 4.1).
const KEM_SUITE: &[u8] = b"KEM\x00\x20";
/// `"HPKE" ‖ KEM ‖ HKDF-SHA256 ‖ ChaCha20-Poly1305` (section 5.1).
const HPKE_SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x03";

/// Whom a message is sealed to: an X25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// Takes a key as it travels. A key that no message can be sealed to is refused by [`seal`].
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The key as it travels.
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

/// Opens what was sealed to its public key.
pub struct KeyPair {
    private: agreement::PrivateKey,
    public: PublicKey,
}

impl KeyPair {
    /// A fresh key pair from the system's random source.
    pub fn generate() -> Self {
        let private = agreement::PrivateKey::generate(&X25519).expect("the system has a random source");
        Self::new(private).expect("a generated key has a public key")
    }

    /// Takes a private key from wherever its holder keeps it.
    ///
    /// # Errors
    /// [`BadKey::Length`] when it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        let bad = BadKey::Length { part: "X25519 private key", expected: KEY_LEN, found: bytes.len() };
        let private = agreement::PrivateKey::from_private_key(&X25519, bytes).map_err(|_| bad)?;
        Self::new(private).ok_or(bad)
    }

    fn new(private: agreement::PrivateKey) -> Option<Self> {
        let public = private.compute_public_key().ok()?;
        Some(Self { private, public: PublicKey(public.as_ref().try_into().ok()?) })
    }

    /// What messages to this key are sealed to.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The private key itself, for its holder to keep. Whoever has it opens every message to it.
    pub fn danger_to_bytes(&self) -> Zeroizing<[u8; KEY_LEN]> {
        let seed: Curve25519SeedBin<'_> = self.private.as_be_bytes().expect("a key in memory encodes");
        Zeroizing::new(seed.as_ref().try_into().expect("an X25519 private key is 32 bytes"))
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair {{ public: {:?}, private: [redacted] }}", self.public)
    }
}

/// Seals `plaintext` so that only the holder of `to` opens it, and only with the same `info` and `aad`.
///
/// # Errors
/// [`Refused`] for a public key of small order, which keeps nothing secret (RFC 9180, section 7.1.4).
pub fn seal(to: &PublicKey, info: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Refused> {
    seal_from(&KeyPair::generate(), to, info, aad, plaintext)
}

/// Opens what [`seal`] made. Never panics, whatever the bytes.
///
/// # Errors
/// [`Refused`] for another key, other `info` or `aad`, or bytes that are not exactly what was sealed.
pub fn open(key: &KeyPair, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (enc, ciphertext) = sealed.split_first_chunk::<KEY_LEN>().ok_or(Refused)?;
    let (ciphertext, tag) = ciphertext.split_last_chunk::<TAG_LEN>().ok_or(Refused)?;
    let secret = shared_secret(key, &PublicKey(*enc), &[enc, &key.public.0])?;
    let (cipher, nonce) = schedule(&secret, info);
    let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
    cipher.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext).map_err(|_| Refused)?;
    Ok(plaintext)
}

fn seal_from(
    ephemeral: &KeyPair,
    to: &PublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Refused> {
    let enc = ephemeral.public.0;
    let secret = shared_secret(ephemeral, to, &[&enc, &to.0])?;
    let (cipher, nonce) = schedule(&secret, info);
    let mut sealed = [&enc[..], plaintext].concat();
    let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed[KEY_LEN..]);
    sealed.extend_from_slice(tag.expect("a short message is below the algorithm's 256 GiB").as_ref());
    Ok(sealed)
}

/// `ExtractAndExpand` over X25519 (section 4.1); the context is `enc ‖ pkR`.
fn shared_secret(own: &KeyPair, other: &PublicKey, context: &[&[u8]; 2]) -> Result<Zeroizing<[u8; HASH_LEN]>, Refused> {
    let other = UnparsedPublicKey::new(&X25519, &other.0);
    agreement::agree(&own.private, other, Refused, |dh| {
        let prk = labeled_extract(KEM_SUITE, &[], b"eae_prk", dh);
        Ok(labeled_expand(KEM_SUITE, &prk, b"shared_secret", &context.concat()))
    })
}

/// `KeySchedule` in base mode (section 5.1): the key, and the nonce of the first message, which is the only one.
fn schedule(shared_secret: &[u8; HASH_LEN], info: &[u8]) -> (LessSafeKey, Nonce) {
    const BASE_MODE: &[u8] = &[0];
    let psk_id_hash = labeled_extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = labeled_extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [BASE_MODE, &*psk_id_hash, &*info_hash].concat();
    let secret = labeled_extract(HPKE_SUITE, shared_secret, b"secret", &[]);
    let key: Zeroizing<[u8; HASH_LEN]> = labeled_expand(HPKE_SUITE, &secret, b"key", &context);
    let nonce: Zeroizing<[u8; NONCE_LEN]> = labeled_expand(HPKE_SUITE, &secret, b"base_nonce", &context);
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).expect("a key of 32 bytes");
    (LessSafeKey::new(key), Nonce::assume_unique_for_key(*nonce))
}

/// `LabeledExtract` (section 4). An empty salt and one of 32 zeros are the same HMAC key.
fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<[u8; HASH_LEN]> {
    hmac_sha256(salt, &[b"HPKE-v1", suite, label, ikm])
}

/// `LabeledExpand` (section 4) to at most one block of HKDF-Expand, which is all that this suite asks for.
fn labeled_expand<const N: usize>(suite: &[u8], prk: &[u8; HASH_LEN], label: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= HASH_LEN) };
    let length = u16::try_from(N).expect("32 at most").to_be_bytes();
    let block = hmac_sha256(prk, &[&length, b"HPKE-v1", suite, label, info, &[1]]);
    Zeroizing::new(block[..N].try_into().expect("a prefix of a block"))
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; HASH_LEN]> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    Zeroizing::new(context.sign().as_ref().try_into().expect("an HMAC-SHA-256 tag is 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{hex, parse_hex};

    fn pair(private: &str) -> KeyPair {
        KeyPair::from_bytes(&parse_hex::<32>(private).unwrap()).unwrap()
    }

    /// RFC 9180, A.2.1 and A.2.1.1, sequence number 0.
    #[test]
    fn rfc_9180_appendix_a_2_1() {
        let ephemeral = pair("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600");
        let receiver = pair("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        assert_eq!(
            hex(receiver.public().as_bytes()),
            "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
        );
        let (info, aad, text) = (b"Ode on a Grecian Urn", b"Count-0", b"Beauty is truth, truth beauty");
        let sealed = seal_from(&ephemeral, &receiver.public(), info, aad, text).unwrap();
        assert_eq!(
            hex(&sealed),
            concat!(
                "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db",
                "21993c62ce81883d2dd1b51a28"
            )
        );
        assert_eq!(&**open(&receiver, info, aad, &sealed).unwrap(), text);
    }

    #[test]
    fn keys_come_back_as_they_were_and_messages_differ() {
        let key = KeyPair::generate();
        let same = KeyPair::from_bytes(&*key.danger_to_bytes()).unwrap();
        assert_eq!(same.public(), key.public());
        let sealed = seal(&key.public(), b"info", b"aad", b"share").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD_LEN);
        assert_eq!(&**open(&same, b"info", b"aad", &sealed).unwrap(), b"share");
        assert_ne!(seal(&key.public(), b"info", b"aad", b"share").unwrap(), sealed);
    }

    #[test]
    fn every_changed_byte_and_every_truncation_is_refused() {
        let key = KeyPair::generate();
        let sealed = seal(&key.public(), b"info", b"aad", b"share").unwrap();
        for i in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[i] ^= 1 << bit;
                assert_eq!(open(&key, b"info", b"aad", &changed), Err(Refused), "byte {i}, bit {bit}");
            }
            assert_eq!(open(&key, b"info", b"aad", &sealed[..i]), Err(Refused));
        }
        assert_eq!(open(&key, b"info", b"aad", &[&sealed[..], &[0]].concat()), Err(Refused));
    }

    #[test]
    fn another_key_or_purpose_is_refused() {
        let key = KeyPair::generate();
        let sealed = seal(&key.public(), b"info", b"aad", b"share").unwrap();
        assert_eq!(open(&KeyPair::generate(), b"info", b"aad", &sealed), Err(Refused));
        assert_eq!(open(&key, b"other", b"aad", &sealed), Err(Refused));
        assert_eq!(open(&key, b"info", b"other", &sealed), Err(Refused));
    }

    #[test]
    fn a_public_key_of_small_order_is_refused() {
        for first in [0, 1] {
            let mut small = [0; 32];
            small[0] = first;
            assert_eq!(seal(&PublicKey::from_bytes(small), b"", b"", b"share"), Err(Refused));
        }
    }

    #[test]
    fn a_private_key_has_32_bytes_and_is_never_printed() {
        for len in [0, 31, 33] {
            let error = KeyPair::from_bytes(&vec![1; len]).unwrap_err();
            assert_eq!(error.to_string(), format!("X25519 private key must be 32 bytes, not {len}"));
        }
        assert!(format!("{:?}", KeyPair::generate()).ends_with("private: [redacted] }"));
    }
}
