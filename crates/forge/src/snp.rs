//! A forge of SEV-SNP reports: what AMD and its processors sign, under a root of its own.
//!
//! ```text
//! SnpForge ── install(Chip) → InstalledChip ─┬─ collateral()   what AMD would publish, as JSON
//!                                            ├─ report(&Guest) signed
//!                                            └─ evidence(&Guest), carried(&Guest): alone, or with its certificates
//! ```

mod certificate;
mod guest;

use attest::evidence::Evidence;
use attest::platform::Platform;
use attest::snp::table::{Certificates, Vek};
use attest::snp::{KeyKind, SnpProduct, SnpTcb};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::maker::{P384KeyPair, RsaKey};
use types::time::UnixMillis;

use crate::snp::certificate::{Issued, Issuer};

pub use guest::{Guest, REPORT_BYTES};

/// The serial number of every CA's certificate.
const AUTHORITY_SERIAL: u8 = 2;

/// Which of AMD's two encodings of a signature algorithm certificates have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// With the default trailer field, as older ones.
    Older,
    /// Without it.
    Newer,
}

/// A root of trust for one product with the two CAs under it. Two forges have nothing in common but their names.
pub struct SnpForge {
    product: SnpProduct,
    encoding: Encoding,
    issued: UnixMillis,
    root_key: RsaKey,
    authority_key: RsaKey,
    root_name: String,
    root: Vec<u8>,
    authorities: [Vec<u8>; 2],
}

/// A processor with its firmware.
#[derive(Clone, Copy, Debug)]
pub struct Chip {
    /// Its number; on Turin the first eight bytes alone.
    pub id: [u8; 64],
    /// What its endorsement key stands for.
    pub tcb: SnpTcb,
    /// Which key signs its reports.
    pub kind: KeyKind,
}

impl Default for Chip {
    fn default() -> Self {
        let tcb = SnpTcb { fmc: 0, boot_loader: 4, tee: 1, snp: 22, microcode: 213 };
        Chip { id: [0x5a; 64], tcb, kind: KeyKind::Vcek }
    }
}

impl SnpForge {
    /// A fresh forge whose revocation list is issued at `issued` and holds for a year. Its certificates hold from 2020
    /// to 2049.
    pub fn new(product: SnpProduct, encoding: Encoding, issued: UnixMillis) -> Self {
        let root_name = format!("Forged ARK-{product}");
        let (root_key, authority_key) = (RsaKey::generate(), RsaKey::generate());
        let issuer = Issuer { name: &root_name, key: &root_key, encoding };
        let root = issuer.certificate(&Issued::authority(&root_name, &root_key, 1));
        let authorities = [KeyKind::Vcek, KeyKind::Vlek].map(|kind| {
            let name = authority_name(product, kind);
            issuer.certificate(&Issued::authority(&name, &authority_key, AUTHORITY_SERIAL))
        });
        SnpForge { product, encoding, issued, root_name, root, authorities, root_key, authority_key }
    }

    /// The root's certificate (DER), for [`attest::snp::AmdRoots::danger_other`].
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// A processor with its endorsement key, able to make reports.
    pub fn install(&self, chip: Chip) -> InstalledChip<'_> {
        let id = if self.product == SnpProduct::Turin { &chip.id[..8] } else { &chip.id };
        let (name, key) = (authority_name(self.product, chip.kind), P384KeyPair::generate());
        let issuer = Issuer { name: &name, key: &self.authority_key, encoding: self.encoding };
        let certificate = issuer.certificate(&Issued::endorsement_key(self.product, &chip, id, &key));
        InstalledChip { forge: self, chip, key, certificate }
    }

    /// The revocation list of the root, with the CAs on it or not.
    fn revocation_list(&self, revoked: bool) -> Vec<u8> {
        let issuer = Issuer { name: &self.root_name, key: &self.root_key, encoding: self.encoding };
        issuer.revocation_list(self.issued, revoked.then_some(AUTHORITY_SERIAL))
    }

    fn authority(&self, kind: KeyKind) -> &[u8] {
        match kind {
            KeyKind::Vcek => &self.authorities[0],
            KeyKind::Vlek => &self.authorities[1],
        }
    }
}

/// The name of the CA that issues endorsement keys of a kind.
fn authority_name(product: SnpProduct, kind: KeyKind) -> String {
    match kind {
        KeyKind::Vcek => format!("SEV-{product}"),
        KeyKind::Vlek => format!("SEV-VLEK-{product}"),
    }
}

/// A processor with its key and certificate.
pub struct InstalledChip<'a> {
    forge: &'a SnpForge,
    chip: Chip,
    key: P384KeyPair,
    certificate: Vec<u8>,
}

impl InstalledChip<'_> {
    /// What AMD would publish: the JSON that [`attest::collateral::AmdCollateral::from_json`] reads.
    pub fn collateral(&self) -> Vec<u8> {
        self.document(false)
    }

    /// The same with the CA on the revocation list.
    pub fn revoked_collateral(&self) -> Vec<u8> {
        self.document(true)
    }

    /// A signed report.
    pub fn report(&self, guest: &Guest) -> [u8; REPORT_BYTES] {
        let mut report = guest.report(self.forge.product, &self.chip);
        self.sign(&mut report);
        report
    }

    /// Signs what a report says now.
    pub fn sign(&self, report: &mut [u8; REPORT_BYTES]) {
        guest::sign(report, &self.key);
    }

    /// Evidence without certificates.
    pub fn evidence(&self, guest: &Guest) -> Evidence {
        Evidence::new(Platform::SevSnp, self.report(guest).to_vec()).expect("small enough")
    }

    /// Evidence with its certificates.
    pub fn carried(&self, guest: &Guest) -> Evidence {
        self.carry(&self.report(guest))
    }

    /// Any report with this machine's certificates.
    pub fn carry(&self, report: &[u8; REPORT_BYTES]) -> Evidence {
        let bytes = [&report[..], &self.table()].concat();
        Evidence::new(Platform::SevSnp, bytes).expect("small enough")
    }

    /// The certificates as a host hands them out.
    pub fn table(&self) -> Vec<u8> {
        let vek = match self.chip.kind {
            KeyKind::Vcek => Vek::Vcek(&self.certificate),
            KeyKind::Vlek => Vek::Vlek(&self.certificate),
        };
        Certificates { vek: Some(vek), authority: Some(self.forge.authority(self.chip.kind)) }.to_table()
    }

    fn document(&self, revoked: bool) -> Vec<u8> {
        let document = serde_json::json!({
            "authority": pem("CERTIFICATE", self.forge.authority(self.chip.kind)),
            "revocation_list": pem("X509 CRL", &self.forge.revocation_list(revoked)),
            "keys": [pem("CERTIFICATE", &self.certificate)],
        });
        document.to_string().into_bytes()
    }
}

/// A block of PEM in one line.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
