//! AES-256-GCM (NIST SP 800-38D) in place: the one way in which files of either format are sealed.
//!
//! It is aws-lc-rs's, but for x86-64 processors with vector AES and no AVX-512 (Zen 3, for one): aws-lc-rs has nothing
//! for them between AVX-512 and single AES instructions, and ring is twice as fast there, as aws-lc-rs is elsewhere
//! (`docs/benchmarks.md`). Whoever reads a file can't tell who sealed it.

use aws_lc_rs::aead as aws_lc;
#[cfg(target_arch = "x86_64")]
use ring::aead as ring;

use crate::{error::Refused, key::KEY_LEN};

pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;

/// The longest message, in bytes: 2³⁹ − 256 bits (NIST SP 800-38D, section 5.2.1.1).
pub(crate) const MAX_LEN: u64 = (1 << 36) - 32;

/// A key, expanded once for many messages; several threads may use it.
pub(crate) struct Gcm(Expanded);

/// The key in the library that is used here. Either wipes it in the end.
enum Expanded {
    AwsLc(aws_lc::LessSafeKey),
    #[cfg(target_arch = "x86_64")]
    Ring(Wiped),
}

impl Gcm {
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if ring_is_faster() {
            return Self::with_ring(key);
        }
        Self::with_aws_lc(key)
    }

    fn with_aws_lc(key: &[u8; KEY_LEN]) -> Self {
        let key = aws_lc::UnboundKey::new(&aws_lc::AES_256_GCM, key).expect("the key is 32 bytes");
        Self(Expanded::AwsLc(aws_lc::LessSafeKey::new(key)))
    }

    #[cfg(target_arch = "x86_64")]
    fn with_ring(key: &[u8; KEY_LEN]) -> Self {
        Self(Expanded::Ring(Wiped::new(key)))
    }

    /// Seals at most [`MAX_LEN`] bytes in place under a nonce that this key has not seen.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], ad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        match &self.0 {
            Expanded::AwsLc(key) => {
                let nonce = aws_lc::Nonce::assume_unique_for_key(nonce);
                key.seal_in_place_separate_tag(nonce, aws_lc::Aad::from(ad), text)
                    .map(|tag| to_array(tag.as_ref()))
                    .ok()
            }
            #[cfg(target_arch = "x86_64")]
            Expanded::Ring(key) => {
                let nonce = ring::Nonce::assume_unique_for_key(nonce);
                key.0
                    .seal_in_place_separate_tag(nonce, ring::Aad::from(ad), text)
                    .map(|tag| to_array(tag.as_ref()))
                    .ok()
            }
        }
        .expect("the length was checked")
    }

    /// Opens ciphertext ‖ tag in place; what is returned is all but the tag.
    pub(crate) fn open<'b>(
        &self,
        nonce: [u8; NONCE_LEN],
        ad: &[u8],
        sealed: &'b mut [u8],
    ) -> Result<&'b mut [u8], Refused> {
        match &self.0 {
            Expanded::AwsLc(key) => {
                let nonce = aws_lc::Nonce::assume_unique_for_key(nonce);
                key.open_in_place(nonce, aws_lc::Aad::from(ad), sealed).map_err(|_| Refused)
            }
            #[cfg(target_arch = "x86_64")]
            Expanded::Ring(key) => {
                let nonce = ring::Nonce::assume_unique_for_key(nonce);
                key.0.open_in_place(nonce, ring::Aad::from(ad), sealed).map_err(|_| Refused)
            }
        }
    }
}

fn to_array(tag: &[u8]) -> [u8; TAG_LEN] {
    tag.try_into().expect("a tag is 16 bytes")
}

/// Vector AES, which ring uses and aws-lc-rs does not, without the AVX-512 that aws-lc-rs wants beside it.
#[cfg(target_arch = "x86_64")]
fn ring_is_faster() -> bool {
    let vector_aes = is_x86_feature_detected!("vaes") && is_x86_feature_detected!("vpclmulqdq");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    vector_aes && is_x86_feature_detected!("avx2") && !avx512
}

/// A key of ring, which doesn't wipe its keys: it stays in one place, and another key takes that before it is freed.
#[cfg(target_arch = "x86_64")]
struct Wiped(Box<ring::LessSafeKey>);

#[cfg(target_arch = "x86_64")]
impl Wiped {
    fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(Box::new(expanded(key)))
    }
}

#[cfg(target_arch = "x86_64")]
impl Drop for Wiped {
    fn drop(&mut self) {
        *self.0 = expanded(&[0; KEY_LEN]);
        // Whoever looks could see it, so the compiler can't leave the writing out.
        std::hint::black_box(&mut self.0);
    }
}

#[cfg(target_arch = "x86_64")]
fn expanded(key: &[u8; KEY_LEN]) -> ring::LessSafeKey {
    ring::LessSafeKey::new(ring::UnboundKey::new(&ring::AES_256_GCM, key).expect("the key is 32 bytes"))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    const KEY: [u8; KEY_LEN] = [0x5a; KEY_LEN];
    const NONCE: [u8; NONCE_LEN] = [0xa5; NONCE_LEN];

    fn libraries() -> [Gcm; 2] {
        [Gcm::with_aws_lc(&KEY), Gcm::with_ring(&KEY)]
    }

    fn sealed(by: &Gcm, len: usize) -> Vec<u8> {
        let mut text: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let tag = by.seal(NONCE, b"ad", &mut text);
        [text, tag.to_vec()].concat()
    }

    /// Whichever a processor takes, the file is the same.
    #[test]
    fn the_libraries_agree_at_every_length_around_their_blocks() {
        for len in (0..600).chain([4095, 4096, 65_535, 65_536, 300_000]) {
            let [a, b] = libraries();
            let of_a = sealed(&a, len);
            assert!(of_a == sealed(&b, len), "{len}");
            for opener in [a, b] {
                let mut opened = of_a.clone();
                let opened = opener.open(NONCE, b"ad", &mut opened).unwrap();
                assert!(opened.len() == len && opened.iter().enumerate().all(|(i, byte)| *byte == (i % 251) as u8));
            }
        }
    }

    #[test]
    fn either_refuses_every_changed_bit_and_every_truncation() {
        for gcm in libraries() {
            let whole = sealed(&gcm, 70);
            for at in 0..whole.len() {
                for bit in 0..8 {
                    let mut changed = whole.clone();
                    changed[at] ^= 1 << bit;
                    assert_eq!(gcm.open(NONCE, b"ad", &mut changed), Err(Refused));
                }
                assert_eq!(gcm.open(NONCE, b"ad", &mut whole[..at].to_vec()), Err(Refused));
            }
            assert_eq!(gcm.open(NONCE, b"aD", &mut whole.clone()), Err(Refused));
            assert_eq!(gcm.open([0; NONCE_LEN], b"ad", &mut whole.clone()), Err(Refused));
        }
    }
}
