//! The certificate of a key that signs reports: VCEK, a chip's own, or VLEK, which AMD gave to a cloud.
//!
//! Source: AMD, VCEK Certificate and KDS Interface Specification (57230), chapter 3; the VLEK one says the same.

use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::Oid;

use crate::certificate;
use crate::der::{Der, IA5_STRING};
use crate::refusal::Fault;
use crate::snp::tcb::{SnpProduct, SnpTcb};
use crate::validity::Validity;

/// 1.3.6.1.4.1.3704.1, before the last arcs.
const AMD: [u64; 8] = [1, 3, 6, 1, 4, 1, 3704, 1];
const PRODUCT_NAME: &[u64] = &[2];
const BOOT_LOADER: &[u64] = &[3, 1];
const TEE: &[u64] = &[3, 2];
const SNP: &[u64] = &[3, 3];
const MICROCODE: &[u64] = &[3, 8];
const FMC: &[u64] = &[3, 9];
const CHIP: &[u64] = &[4];

/// A SubjectPublicKeyInfo of P-384 up to the point (RFC 5480, section 2).
const P384_SPKI_HEAD: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];

/// Which key signs a machine's reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Versioned Chip Endorsement Key: derived from the chip's own secret.
    Vcek,
    /// Versioned Loaded Endorsement Key: AMD's, one for all machines of a cloud.
    Vlek,
}

impl KeyKind {
    /// AMD's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyKind::Vcek => "VCEK",
            KeyKind::Vlek => "VLEK",
        }
    }

    /// The name of the CA that issues its certificates for a product (KDS specification, section 3.1).
    pub(crate) fn authority_name(self, product: SnpProduct) -> String {
        match self {
            KeyKind::Vcek => format!("SEV-{product}"),
            KeyKind::Vlek => format!("SEV-VLEK-{product}"),
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            KeyKind::Vcek => "SEV-VCEK",
            KeyKind::Vlek => "SEV-VLEK",
        }
    }
}

/// What the certificate says, nothing of it verified.
pub(crate) struct Vek<'a> {
    /// The certificate.
    der: &'a [u8],
    kind: KeyKind,
    product: SnpProduct,
    tcb: SnpTcb,
    chip: Option<[u8; 64]>,
    point: &'a [u8],
    validity: Validity,
}

impl<'a> Vek<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Fault> {
        let certificate = certificate::parse(der)?;
        let kind = kind(&certificate)?;
        let product = product(&certificate)?;
        let spki = certificate.tbs_certificate.subject_pki.raw;
        Ok(Vek {
            tcb: tcb(&certificate, product)?,
            chip: match kind {
                KeyKind::Vcek => Some(chip(&certificate, product)?),
                KeyKind::Vlek => None,
            },
            point: spki.strip_prefix(&P384_SPKI_HEAD).ok_or(Fault::Expected("a P-384 key"))?,
            validity: certificate::validity_of(&certificate),
            der,
            kind,
            product,
        })
    }

    pub(super) fn der(&self) -> &'a [u8] {
        self.der
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn product(&self) -> SnpProduct {
        self.product
    }

    pub(crate) fn tcb(&self) -> SnpTcb {
        self.tcb
    }

    /// The chip whose key it is, as reports name it; none where the key is not a chip's.
    pub(crate) fn chip(&self) -> Option<[u8; 64]> {
        self.chip
    }

    pub(super) fn point(&self) -> &'a [u8] {
        self.point
    }

    pub(crate) fn validity(&self) -> Validity {
        self.validity
    }
}

fn kind(certificate: &X509Certificate<'_>) -> Result<KeyKind, Fault> {
    let name = certificate::common_name(certificate.subject());
    let kinds = [KeyKind::Vcek, KeyKind::Vlek];
    kinds.into_iter().find(|kind| name == Some(kind.subject())).ok_or(Fault::Expected("a VCEK or VLEK"))
}

fn product(certificate: &X509Certificate<'_>) -> Result<SnpProduct, Fault> {
    let mut value = Der::new(extension(certificate, PRODUCT_NAME)?);
    let name = std::str::from_utf8(value.content(IA5_STRING)?).ok();
    value.end()?;
    name.and_then(SnpProduct::named).ok_or(Fault::Expected("a known product's name"))
}

fn tcb(certificate: &X509Certificate<'_>, product: SnpProduct) -> Result<SnpTcb, Fault> {
    let part = |arcs| {
        let mut value = Der::new(extension(certificate, arcs)?);
        let byte = value.byte()?;
        value.end().map(|()| byte)
    };
    Ok(SnpTcb {
        fmc: if product == SnpProduct::Turin { part(FMC)? } else { 0 },
        boot_loader: part(BOOT_LOADER)?,
        tee: part(TEE)?,
        snp: part(SNP)?,
        microcode: part(MICROCODE)?,
    })
}

/// The chip's number: 64 bytes, or on Turin 8, which reports fill up with zeros. AMD writes it without a DER head.
fn chip(certificate: &X509Certificate<'_>, product: SnpProduct) -> Result<[u8; 64], Fault> {
    let value = extension(certificate, CHIP)?;
    let length = if product == SnpProduct::Turin { 8 } else { 64 };
    if value.len() != length {
        return Err(Fault::Expected("a chip id of the product's length"));
    }
    let mut chip = [0; 64];
    chip[..length].copy_from_slice(value);
    if chip == [0; 64] { Err(Fault::Expected("a chip id that is not zero")) } else { Ok(chip) }
}

fn extension<'a>(certificate: &X509Certificate<'a>, arcs: &[u64]) -> Result<&'a [u8], Fault> {
    let oid = Oid::from(&[&AMD, arcs].concat()).map_err(|_| Fault::Expected("AMD's extensions"))?;
    let found = certificate.get_extension_unique(&oid).map_err(|_| Fault::Expected("each extension once"))?;
    found.map(|extension| extension.value).ok_or(Fault::Expected("AMD's extensions"))
}
