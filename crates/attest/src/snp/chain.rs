//! The chain of a key that signs reports: AMD's root, the CA for a product, the key's certificate.
//!
//! There are always three, so no path is sought. Each is signed with RSASSA-PSS, SHA-384, MGF1-SHA-384 and a salt of 48
//! bytes, which AMD writes in two encodings: with the default trailer field, as older certificates have it, and without.

use crypto::verify::RsaPublicKey;
use types::time::UnixMillis;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE, Oid};
use x509_parser::prelude::parse_x509_crl;

use crate::certificate;
use crate::collateral::AmdCollateral;
use crate::der::{BOOLEAN, Der, SEQUENCE, Signed};
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::snp::unverifiable;
use crate::snp::vek::Vek;
use crate::validity::Validity;

/// The AlgorithmIdentifier with the trailer field, which has its default value (RFC 4055, section 3.1).
const WITH_TRAILER: [u8; 72] = {
    let mut encoded = [0; 72];
    let mut at = 0;
    while at < 67 {
        encoded[at] = WITHOUT_TRAILER[at];
        at += 1;
    }
    // Both sequences are five bytes longer.
    encoded[1] += 5;
    encoded[14] += 5;
    let trailer = [0xa3, 0x03, 0x02, 0x01, 0x01];
    while at < 72 {
        encoded[at] = trailer[at - 67];
        at += 1;
    }
    encoded
};

/// The AlgorithmIdentifier without it.
const WITHOUT_TRAILER: [u8; 67] = [
    0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, // id-RSASSA-PSS
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
    0x00, // SHA-384
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, // MGF1
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, // with SHA-384
    0xa2, 0x03, 0x02, 0x01, 0x30, // a salt of 48 bytes
];

/// `keyCertSign` in the last byte of a key usage of up to eight bits (RFC 5280, section 4.2.1.3).
const KEY_CERT_SIGN: u8 = 0x04;

const AUTHORITY: &str = "ASK's certificate";
const REVOCATION_LIST: &str = "AMD's revocation list";

/// Checks that `root` vouches for `authority` and that for the key; answers when all of them hold.
pub(super) fn check(root: &[u8], authority: &[u8], vek: &Vek<'_>, now: UnixMillis) -> Result<Validity, Refusal> {
    let name = vek.kind().as_str();
    let ark = parse(root, "ARK's certificate")?;
    let ask = parse(authority, AUTHORITY)?;
    let key = parse(vek.der(), name)?;
    if ask.issuer().as_raw() != ark.subject().as_raw() {
        return Err(Refusal::OtherRoot(Platform::SevSnp));
    }
    if key.issuer().as_raw() != ask.subject().as_raw() {
        return Err(unverifiable("another CA issued the endorsement key's certificate"));
    }
    if certificate::common_name(ask.subject()) != Some(&*vek.kind().authority_name(vek.product())) {
        return Err(unverifiable("the CA is for other endorsement keys"));
    }
    check_authority(&ask)?;
    check_signed(authority, &ark, AUTHORITY)?;
    check_signed(vek.der(), &ask, name)?;
    let dated =
        [("ARK", certificate::validity_of(&ark)), ("ASK", certificate::validity_of(&ask)), (name, vek.validity())];
    dated.into_iter().try_for_each(|(what, validity)| validity.check(what, now))?;
    let [(_, ark), (_, ask), (_, key)] = dated;
    Ok(ark.and(ask).and(key))
}

/// Checks the revocation list under `root`, and that the CA is not on it. Endorsement keys never are: AMD revokes
/// versions of firmware by not counting them any more, and all keys of a product with its CA.
pub(super) fn check_revocation(
    root: &[u8],
    authority: &[u8],
    collateral: &AmdCollateral,
    now: UnixMillis,
) -> Result<(), Refusal> {
    let malformed = |_| Fault::Expected("a revocation list").of(REVOCATION_LIST);
    let (ark, ask) = (parse(root, "ARK's certificate")?, parse(authority, AUTHORITY)?);
    let der = collateral.revocation_list();
    let (_, list) = parse_x509_crl(der).map_err(malformed)?;
    if list.issuer().as_raw() != ark.subject().as_raw() {
        return Err(Refusal::OtherRoot(Platform::SevSnp));
    }
    check_signed(der, &ark, REVOCATION_LIST)?;
    collateral.revocation_validity().check(REVOCATION_LIST, now)?;
    if list.iter_revoked_certificates().any(|revoked| revoked.raw_serial() == ask.raw_serial()) {
        return Err(Refusal::Revoked(AUTHORITY));
    }
    Ok(())
}

fn parse<'a>(der: &'a [u8], part: &'static str) -> Result<X509Certificate<'a>, Refusal> {
    let certificate = certificate::parse(der).map_err(|fault| fault.of(part))?;
    let known = [OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE];
    let unknown =
        |extension: &x509_parser::extensions::X509Extension<'_>| extension.critical && !known.contains(&extension.oid);
    if certificate.extensions().iter().any(unknown) {
        return Err(Fault::Expected("no unknown critical extension").of(part));
    }
    Ok(certificate)
}

/// The CA may sign certificates.
fn check_authority(ask: &X509Certificate<'_>) -> Result<(), Refusal> {
    let value = |oid: &Oid<'_>| ask.get_extension_unique(oid).ok().flatten().map(|extension| extension.value);
    let is_ca = value(&OID_X509_EXT_BASIC_CONSTRAINTS).is_some_and(|value| {
        let content = Der::new(value).content(SEQUENCE);
        content.and_then(|content| Der::new(content).content(BOOLEAN)) == Ok(&[0xff])
    });
    let may_sign = value(&OID_X509_EXT_KEY_USAGE)
        .and_then(|value| Der::new(value).content(crate::der::BIT_STRING).ok())
        .is_some_and(|bits| matches!(bits, [_, bits] if bits & KEY_CERT_SIGN != 0));
    if is_ca && may_sign { Ok(()) } else { Err(unverifiable("the ASK's certificate is not a CA's")) }
}

/// Checks a certificate's or a list's signature by its issuer.
fn check_signed(der: &[u8], issuer: &X509Certificate<'_>, part: &'static str) -> Result<(), Refusal> {
    let signed = Signed::read(der).map_err(|fault| fault.of(part))?;
    if signed.algorithm != WITH_TRAILER && signed.algorithm != WITHOUT_TRAILER {
        return Err(Fault::Expected("an RSASSA-PSS signature with SHA-384").of(part));
    }
    let key = rsa_key(issuer.tbs_certificate.subject_pki.raw).map_err(|fault| fault.of("issuer's key"))?;
    key.verify_pss_sha384(signed.to_be_signed, signed.signature).map_err(|_| Refusal::BadSignature)
}

/// The RSA key in a SubjectPublicKeyInfo (RFC 8017, appendix A.1.1).
fn rsa_key(spki: &[u8]) -> Result<RsaPublicKey<'_>, Fault> {
    let mut outer = Der::new(Der::new(spki).content(SEQUENCE)?);
    outer.value(SEQUENCE)?;
    let mut key = Der::new(Der::new(outer.bits()?).content(SEQUENCE)?);
    let (modulus, exponent) = (key.natural()?, key.natural()?);
    key.end()?;
    Ok(RsaPublicKey { modulus, exponent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snp::root::{AmdRoots, ask};
    use crate::snp::tcb::{SnpProduct, SnpTcb};

    const NOW: UnixMillis = UnixMillis(1_780_272_000_000);
    const MILAN: &[u8] = include_bytes!("../../tests/data/snp/vcek_milan.der");
    const TURIN: &[u8] = include_bytes!("../../tests/data/snp/vcek_turin.der");

    /// Two certificates of AMD's, one in each encoding.
    #[test]
    fn real_keys_lead_to_their_own_root() {
        let roots = AmdRoots::default();
        for (der, product, algorithm) in
            [(MILAN, SnpProduct::Milan, &WITH_TRAILER[..]), (TURIN, SnpProduct::Turin, &WITHOUT_TRAILER)]
        {
            let vek = Vek::read(der).expect("a VCEK");
            assert_eq!(vek.product(), product);
            assert_eq!(Signed::read(der).map(|signed| signed.algorithm).ok(), Some(algorithm));
            assert!(check(roots.certificate(product), ask(product), &vek, NOW).is_ok(), "{product}");
            let genoa = SnpProduct::Genoa;
            let other = check(roots.certificate(genoa), ask(product), &vek, NOW);
            assert_eq!(other, Err(Refusal::OtherRoot(Platform::SevSnp)));
            let other = check(roots.certificate(genoa), ask(genoa), &vek, NOW);
            assert_eq!(other, Err(unverifiable("another CA issued the endorsement key's certificate")));
        }
    }

    /// Every place of `from` in a certificate, with `to` there.
    fn replaced(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut changed = der.to_vec();
        for at in 0..=der.len() - from.len() {
            if der[at..].starts_with(from) {
                changed[at..at + from.len()].copy_from_slice(to);
            }
        }
        changed
    }

    #[test]
    fn only_the_two_encodings_of_the_one_algorithm_are_read() {
        let ask = parse(ask(SnpProduct::Turin), AUTHORITY).expect("AMD's certificate");
        assert_eq!(check_signed(TURIN, &ask, "VCEK"), Ok(()));
        let mut short_salt = WITHOUT_TRAILER;
        short_salt[66] = 0x20;
        let changed = replaced(TURIN, &WITHOUT_TRAILER, &short_salt);
        let refusal = Fault::Expected("an RSASSA-PSS signature with SHA-384").of("VCEK");
        assert_eq!(check_signed(&changed, &ask, "VCEK"), Err(refusal));
    }

    #[test]
    fn a_key_is_no_authority() {
        let is_authority = |der| check_authority(&parse(der, AUTHORITY).expect("a certificate")).is_ok();
        assert!(SnpProduct::ALL.iter().all(|product| is_authority(ask(*product))));
        assert!(!is_authority(MILAN) && !is_authority(TURIN));
    }

    #[test]
    fn a_turin_key_has_the_fifth_version_and_a_short_chip_id() {
        let vek = Vek::read(TURIN).expect("a VCEK");
        assert_eq!(vek.tcb(), SnpTcb { fmc: 0, boot_loader: 0, tee: 0, snp: 0, microcode: 9 });
        let chip = vek.chip().expect("a chip's key");
        assert_eq!(chip[..8], [0x1e, 0x55, 0x0a, 0x8e, 0xe5, 0xcf, 0x9f, 0x4d]);
        assert_eq!(chip[8..], [0; 56]);
    }
}
