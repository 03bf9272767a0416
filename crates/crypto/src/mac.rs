//! HMAC-SHA-256 (RFC 2104) over a list of parts.
//!
//! Each part follows its length as 8 bytes big-endian, so that no two lists of parts are one message.

use aws_lc_rs::{constant_time, hmac};

use crate::{error::Refused, key::MacKey};

/// Length of a tag, in bytes.
pub const TAG_LEN: usize = 32;

/// The tag of these parts in this order.
pub fn mac(key: &MacKey, parts: &[&[u8]]) -> [u8; TAG_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign().as_ref().try_into().expect("an HMAC-SHA-256 tag is 32 bytes")
}

/// Checks a tag in time that does not depend on where it differs.
///
/// # Errors
/// [`Refused`] unless `tag` is exactly what [`mac`] makes of these parts.
pub fn verify(key: &MacKey, parts: &[&[u8]], tag: &[u8]) -> Result<(), Refused> {
    constant_time::verify_slices_are_equal(&mac(key, parts), tag).map_err(|_| Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `hmac.new(bytes([0x0b])*32, b"\0"*7+b"\2"+b"Hi"+b"\0"*7+b"\5"+b"There", "sha256")`.
    const HI_THERE: &str = "66e428cd536597bf9f72b4a149d781414a7d8b6b054da8352b6563e78a87590c";

    #[test]
    fn known_tag() {
        let tag = mac(&MacKey::from_bytes([0x0b; 32]), &[b"Hi", b"There"]);
        assert_eq!(crate::hash::hex(&tag), HI_THERE);
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = MacKey::generate();
        let lists: [&[&[u8]]; 5] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[]];
        for (i, a) in lists.iter().enumerate() {
            for (j, b) in lists.iter().enumerate() {
                assert_eq!(verify(&key, a, &mac(&key, b)).is_ok(), i == j);
            }
        }
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_refused() {
        let key = MacKey::generate();
        let tag = mac(&key, &[b"part"]);
        assert_eq!(verify(&key, &[b"part"], &tag), Ok(()));
        for i in 0..tag.len() {
            let mut changed = tag;
            changed[i] ^= 1;
            assert_eq!(verify(&key, &[b"part"], &changed), Err(Refused));
            assert_eq!(verify(&key, &[b"part"], &tag[..i]), Err(Refused));
        }
        assert_eq!(verify(&MacKey::generate(), &[b"part"], &tag), Err(Refused));
    }
}
