//! Signatures that platforms make and we only check: raw ECDSA on P-256 and P-384, and RSA (FIPS 186-5, RFC 8017).
//!
//! Platforms sign with numbers, not with ASN.1: the two halves of an ECDSA signature come as fixed-length big-endian
//! integers, and RSA keys as modulus and exponent. Whoever parses a platform's format brings them into that form.
//!
//! An ECDSA signature `(r, s)` has a twin `(r, n − s)` that verifies too. Signed bytes prove what they say, but their
//! signature is no name for them.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RsaParameters,
};

use crate::error::Refused;
use crate::sign;

/// Checks an ECDSA P-256 signature, `r ‖ s`, over SHA-256 of `message`. `public_key` is an encoded point.
///
/// # Errors
/// [`Refused`] unless the signature is this key's over this message.
pub fn p256_fixed(public_key: &[u8], message: &[u8], signature: &[u8; 64]) -> Result<(), Refused> {
    sign::verify(&ECDSA_P256_SHA256_FIXED, public_key, message, signature)
}

/// Checks an ECDSA P-384 signature, `r ‖ s`, over SHA-384 of `message`. `public_key` is an encoded point.
///
/// # Errors
/// [`Refused`] unless the signature is this key's over this message.
pub fn p384_fixed(public_key: &[u8], message: &[u8], signature: &[u8; 96]) -> Result<(), Refused> {
    sign::verify(&ECDSA_P384_SHA384_FIXED, public_key, message, signature)
}

/// An RSA public key: big-endian modulus (2048 to 8192 bits) and exponent, both without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaPublicKey<'a> {
    /// The modulus.
    pub modulus: &'a [u8],
    /// The public exponent.
    pub exponent: &'a [u8],
}

impl RsaPublicKey<'_> {
    /// Checks an RSASSA-PKCS1-v1_5 signature over SHA-256 of `message`.
    ///
    /// # Errors
    /// [`Refused`] unless the signature is this key's over this message.
    pub fn verify_pkcs1_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
    }

    /// Checks an RSASSA-PSS signature over SHA-256 of `message`, with MGF1-SHA-256 and a salt of 32 bytes.
    ///
    /// # Errors
    /// [`Refused`] unless the signature is this key's over this message.
    pub fn verify_pss_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.verify(&RSA_PSS_2048_8192_SHA256, message, signature)
    }

    /// Checks an RSASSA-PSS signature over SHA-384 of `message`, with MGF1-SHA-384 and a salt of 48 bytes.
    ///
    /// # Errors
    /// [`Refused`] unless the signature is this key's over this message.
    pub fn verify_pss_sha384(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.verify(&RSA_PSS_2048_8192_SHA384, message, signature)
    }

    fn verify(&self, scheme: &RsaParameters, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.components().verify(scheme, message, signature).map_err(|_| Refused)
    }

    pub(crate) fn components(&self) -> PublicKeyComponents<&[u8]> {
        PublicKeyComponents { n: self.modulus, e: self.exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::parse_hex;
    use crate::sign::P256KeyPair;

    fn check_every_bit_counts(good: &[u8], verifies: impl Fn(&[u8]) -> bool) {
        assert!(verifies(good));
        for index in 0..good.len() {
            let mut changed = good.to_vec();
            changed[index] ^= 1;
            assert!(!verifies(&changed), "byte {index}");
        }
    }

    /// `r` or `s` of an ASN.1 signature, padded to 32 bytes.
    fn half(integer: &[u8]) -> [u8; 32] {
        let digits = integer.strip_prefix(&[0]).unwrap_or(integer);
        let mut half = [0; 32];
        half[32 - digits.len()..].copy_from_slice(digits);
        half
    }

    #[test]
    fn p256_in_fixed_form() {
        let pair = P256KeyPair::generate();
        let asn1 = pair.sign(b"message");
        let (r, rest) = asn1[4..].split_at(usize::from(asn1[3]));
        let signature = [half(r), half(&rest[2..])].concat();
        check_every_bit_counts(&signature, |changed| {
            p256_fixed(pair.public_key(), b"message", changed.try_into().unwrap()).is_ok()
        });
        let signature = signature[..].try_into().unwrap();
        assert_eq!(p256_fixed(pair.public_key(), b"massage", signature), Err(Refused));
    }

    /// RFC 6979, appendix A.2.6: P-384 with SHA-384 over "sample".
    #[test]
    fn p384_in_fixed_form() {
        let key = parse_hex::<97>(concat!(
            "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13",
            "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720"
        ))
        .unwrap();
        let signature = parse_hex::<96>(concat!(
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
            "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"
        ))
        .unwrap();
        check_every_bit_counts(&signature, |changed| p384_fixed(&key, b"sample", changed.try_into().unwrap()).is_ok());
        assert_eq!(p384_fixed(&key, b"simple", &signature), Err(Refused));
        assert_eq!(p384_fixed(&[], b"sample", &signature), Err(Refused));
    }

    // Made with Python's `cryptography`: one key, `message` signed by both schemes.
    const MODULUS: &str = concat!(
        "e1b071027e2d5134059db8a6bacd446673842699b5c943932805e89c82adc75df6b162723993e699f985196d3465e9596040",
        "431e3489dc695d8d5f08f813f4ef80a6288b1888ea3ff01d61218f16e354b09555f2934f21020a0cdf06b8ecfa71f692bbbc",
        "3a9a38df3bf7dbc046b688a12c3e8906942feb002dcdb6e419126290b9265876bb9d2ca078c6dbab70091ffe8a3f73a4e5d0",
        "901858cfb7e50d3ebd83afbf99e4297b1b5e601e5af940930c136644191bf1145c22219814967a59b1a1eb406e34fb107a3a",
        "a814280dea55bff6a216ff56ad2c79655e8a3c9bb90a08a233807633a49c2cb8988256ed4c5a9a8f39d973f3124988b00383",
        "f3f011c81765"
    );
    const PKCS1: &str = concat!(
        "0925d8a140bb631f9b491ef9910519eeb2ce9739f7f9e4fb7a43f1c338b880555f93891392503cc66d22cc40bc00f3385620",
        "5689e94e02c04c0ec728c7f9ce34ff88fd628b1465dc4aba4ce4d3f2a85c1c903093ef8fa97a21def90900b0156dbddc3991",
        "9c0cae07bb988a7b2264f6c84e830c7eedd64ac23cd973a52adfab0b5f456810382df9ea678552c05aedcd40d812c67abd27",
        "7c6f01d598866ec5b3d4179a4c077d3e0589f2016083f6e80e373aa841deabda7b42e87551abda880ee0138623df7a52d958",
        "941e7abc6283cd7b4ca8f139319fa80c2ba816b621c026da771be4fc30fc2c9159be7d945849fe9dd6b2e98de33762c1fe25",
        "998d7162c11d"
    );
    const PSS: &str = concat!(
        "8f854628f788f8e873acc2022af8098409029c786b19b5a5c70319f0eebbc1176032454fdc270b73e45019185433a6893288",
        "f5abdc587a7f924deb401b432a1037da513a5a74e956fe306294686c264cbba80389fbb54450c44e712926f6440c49a11545",
        "d174c23ed3b4fc51f612165a97f0a5046e540dd950bba360158ad4d88c4040c6a25188b1b0fc151508a18d7a673a5027e19e",
        "dd631c33259c082cada1cd59fe68aa273cfcb06d966f70b117012ea24d714db90e279b82b4e49daafb132a70d0a64a8ea02b",
        "b9d41fb4a5eb4a6f7a2dec1afae7042980490830c1e4a58fc807c7b75d042bceaa643c5a00b84d304b23edadddc06f15f92a",
        "f58e309deb2b"
    );

    #[test]
    fn both_rsa_schemes() {
        let [modulus, pkcs1, pss] = [MODULUS, PKCS1, PSS].map(|text| parse_hex::<256>(text).unwrap());
        let key = RsaPublicKey { modulus: &modulus, exponent: &[1, 0, 1] };
        check_every_bit_counts(&pkcs1, |changed| key.verify_pkcs1_sha256(b"message", changed).is_ok());
        check_every_bit_counts(&pss, |changed| key.verify_pss_sha256(b"message", changed).is_ok());
        assert_eq!(key.verify_pkcs1_sha256(b"massage", &pkcs1), Err(Refused));
        assert_eq!(key.verify_pkcs1_sha256(b"message", &pss), Err(Refused));
        assert_eq!(key.verify_pss_sha256(b"message", &pkcs1), Err(Refused));
        let small = RsaPublicKey { modulus: &modulus[..128], ..key };
        assert_eq!(small.verify_pkcs1_sha256(b"message", &pkcs1[..128]), Err(Refused));
    }
}
