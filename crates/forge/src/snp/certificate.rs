//! AMD's certificates and revocation lists, byte for byte (57230, chapter 3; RFC 5280).

use attest::snp::{KeyKind, SnpProduct};
use crypto::maker::{P384KeyPair, RsaKey, RsaScheme};
use time::OffsetDateTime;
use types::time::UnixMillis;

use crate::der::{bits, boolean, natural, octets, oid, sequence, tagged};
use crate::snp::{Chip, Encoding};

const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const IA5_STRING: u8 = 0x16;
const SET: u8 = 0x31;
const NULL: [u8; 2] = [0x05, 0x00];
const CONTEXT: u8 = 0xa0;

/// 1.2.840.113549.1.1, 2.16.840.1.101.3.4.2.2, 1.3.6.1.4.1.3704.1, as the bytes of their encodings.
const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const SHA384: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const AMD: [u8; 8] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P384: [u8; 5] = [0x2b, 0x81, 0x04, 0x00, 0x22];

const NOT_BEFORE: &str = "200101000000Z";
const NOT_AFTER: &str = "491231235959Z";

/// Who signs.
pub(super) struct Issuer<'a> {
    pub(super) name: &'a str,
    pub(super) key: &'a RsaKey,
    pub(super) encoding: Encoding,
}

/// What is signed of one subject.
pub(super) struct Issued {
    name: String,
    serial: u8,
    public_key: Vec<u8>,
    extensions: Vec<Vec<u8>>,
}

impl Issued {
    pub(super) fn authority(name: &str, key: &RsaKey, serial: u8) -> Self {
        let basic_constraints = sequence(&[boolean(true)]);
        let key_usage = [0x03, 0x02, 0x01, 0x06];
        Issued {
            name: name.to_owned(),
            serial,
            public_key: sequence(&[sequence(&[oid(&PKCS1, &[1]), NULL.to_vec()]), bits(key.public_key())]),
            extensions: vec![critical(&[0x55, 0x1d, 19], &basic_constraints), critical(&[0x55, 0x1d, 15], &key_usage)],
        }
    }

    pub(super) fn endorsement_key(product: SnpProduct, chip: &Chip, id: &[u8], key: &P384KeyPair) -> Self {
        let kind = sequence(&[oid(&EC_PUBLIC_KEY, &[]), oid(&P384, &[])]);
        Issued {
            name: format!("SEV-{}", chip.kind.as_str()),
            serial: 0,
            public_key: sequence(&[kind, bits(key.public_key())]),
            extensions: amd_extensions(product, chip, id),
        }
    }
}

impl Issuer<'_> {
    pub(super) fn certificate(&self, subject: &Issued) -> Vec<u8> {
        let validity = sequence(&[utc_time(NOT_BEFORE), utc_time(NOT_AFTER)]);
        self.signed(&[
            tagged(CONTEXT, &natural(&[2])),
            natural(&[subject.serial]),
            self.algorithm(),
            name(self.name),
            validity,
            name(&subject.name),
            subject.public_key.clone(),
            tagged(CONTEXT | 3, &sequence(&subject.extensions)),
        ])
    }

    /// A list that holds for a year.
    pub(super) fn revocation_list(&self, issued: UnixMillis, revoked: Option<u8>) -> Vec<u8> {
        let this_update = date(issued);
        let next_update = date(UnixMillis(issued.0 + 365 * 24 * 3_600_000));
        let mut list =
            vec![natural(&[1]), self.algorithm(), name(self.name), utc_time(&this_update), utc_time(&next_update)];
        let revoked = revoked.map(|serial| sequence(&[sequence(&[natural(&[serial]), utc_time(&this_update)])]));
        list.extend(revoked);
        self.signed(&list)
    }

    fn signed(&self, parts: &[Vec<u8>]) -> Vec<u8> {
        let to_be_signed = sequence(parts);
        let signature = bits(&self.key.sign(RsaScheme::PssSha384, &to_be_signed));
        sequence(&[to_be_signed, self.algorithm(), signature])
    }

    /// RSASSA-PSS with SHA-384 (RFC 4055, section 3.1).
    fn algorithm(&self) -> Vec<u8> {
        let sha384 = sequence(&[oid(&SHA384, &[]), NULL.to_vec()]);
        let mgf1 = sequence(&[oid(&PKCS1, &[8]), sha384.clone()]);
        let mut parameters =
            vec![tagged(CONTEXT, &sha384), tagged(CONTEXT | 1, &mgf1), tagged(CONTEXT | 2, &natural(&[48]))];
        if self.encoding == Encoding::Older {
            parameters.push(tagged(CONTEXT | 3, &natural(&[1])));
        }
        sequence(&[oid(&PKCS1, &[10]), sequence(&parameters)])
    }
}

fn amd_extensions(product: SnpProduct, chip: &Chip, id: &[u8]) -> Vec<Vec<u8>> {
    let number = |arcs: &[u8], value: u8| amd(arcs, &natural(&[value]));
    let tcb = &chip.tcb;
    let mut extensions = vec![
        number(&[1], u8::from(product == SnpProduct::Turin)),
        amd(&[2], &tagged(IA5_STRING, product.as_str().as_bytes())),
        number(&[3, 1], tcb.boot_loader),
        number(&[3, 2], tcb.tee),
        number(&[3, 3], tcb.snp),
        number(&[3, 8], tcb.microcode),
    ];
    if product == SnpProduct::Turin {
        extensions.push(number(&[3, 9], tcb.fmc));
    }
    if chip.kind == KeyKind::Vcek {
        extensions.push(amd(&[4], id));
    }
    extensions
}

fn amd(arcs: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[oid(&AMD, arcs), octets(value)])
}

fn critical(arcs: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[oid(arcs, &[]), boolean(true), octets(value)])
}

fn name(common_name: &str) -> Vec<u8> {
    let value = tagged(UTF8_STRING, common_name.as_bytes());
    sequence(&[tagged(SET, &sequence(&[oid(&[0x55, 0x04, 0x03], &[]), value]))])
}

fn utc_time(text: &str) -> Vec<u8> {
    tagged(UTC_TIME, text.as_bytes())
}

fn date(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1000).expect("a date");
    let at = OffsetDateTime::from_unix_timestamp(seconds).expect("a date");
    let (year, month) = (at.year() % 100, u8::from(at.month()));
    format!("{year:02}{month:02}{:02}{:02}{:02}{:02}Z", at.day(), at.hour(), at.minute(), at.second())
}
