//! AMD's processors and the security versions of their firmware.

use std::fmt;

use crate::refusal::Fault;

/// A family of AMD's processors with SEV-SNP. Each has a root of its own and counts firmware in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnpProduct {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004, 8004 and 97x4, which AMD's certificates call Genoa too.
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl SnpProduct {
    /// Every product, oldest first.
    pub const ALL: [SnpProduct; 3] = [SnpProduct::Milan, SnpProduct::Genoa, SnpProduct::Turin];

    /// AMD's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            SnpProduct::Milan => "Milan",
            SnpProduct::Genoa => "Genoa",
            SnpProduct::Turin => "Turin",
        }
    }

    /// The product with this name, a stepping after it aside (`Milan-B0`).
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.split_once('-').map_or(name, |(name, _)| name);
        SnpProduct::ALL.into_iter().find(|product| product.as_str() == name)
    }

    /// The product of CPUID's combined family and model (SNP ABI, table 23, from version 3 on).
    pub(super) const fn of_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(SnpProduct::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(SnpProduct::Genoa),
            (0x1a, 0x00..=0x11) => Some(SnpProduct::Turin),
            _ => None,
        }
    }
}

impl fmt::Display for SnpProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The security versions of a processor's firmware (SNP ABI, section 2.2, `TCB_VERSION`).
///
/// They have no order as a whole: see [`SnpTcb::reaches`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnpTcb {
    /// The firmware's management controller; Turin alone has one, and 0 stands elsewhere.
    pub fmc: u8,
    /// The secure processor's boot loader.
    pub boot_loader: u8,
    /// The secure processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode of all cores.
    pub microcode: u8,
}

impl SnpTcb {
    /// Whether no part is below the same part of `minimum`.
    pub fn reaches(&self, minimum: &SnpTcb) -> bool {
        self.lower(minimum) == *minimum
    }

    /// Each part the lower of both.
    pub(super) fn lower(&self, other: &SnpTcb) -> SnpTcb {
        SnpTcb {
            fmc: self.fmc.min(other.fmc),
            boot_loader: self.boot_loader.min(other.boot_loader),
            tee: self.tee.min(other.tee),
            snp: self.snp.min(other.snp),
            microcode: self.microcode.min(other.microcode),
        }
    }

    /// Reads the eight bytes of a report, which Turin lays out differently. Reserved bytes are zero.
    pub(crate) fn read(product: SnpProduct, bytes: [u8; 8]) -> Result<Self, Fault> {
        match (product, bytes) {
            (SnpProduct::Milan | SnpProduct::Genoa, [boot_loader, tee, 0, 0, 0, 0, snp, microcode]) => {
                Ok(SnpTcb { fmc: 0, boot_loader, tee, snp, microcode })
            }
            (SnpProduct::Turin, [fmc, boot_loader, tee, snp, 0, 0, 0, microcode]) => {
                Ok(SnpTcb { fmc, boot_loader, tee, snp, microcode })
            }
            _ => Err(Fault::Expected("zeros in a TCB version's reserved bytes")),
        }
    }

    /// The eight bytes of a report.
    pub fn to_bytes(self, product: SnpProduct) -> [u8; 8] {
        let SnpTcb { fmc, boot_loader, tee, snp, microcode } = self;
        match product {
            SnpProduct::Milan | SnpProduct::Genoa => [boot_loader, tee, 0, 0, 0, 0, snp, microcode],
            SnpProduct::Turin => [fmc, boot_loader, tee, snp, 0, 0, 0, microcode],
        }
    }
}

/// The parts as they are named in manifests: `fmc 0, boot-loader 3, tee 0, snp 8, microcode 115`.
impl fmt::Display for SnpTcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SnpTcb { fmc, boot_loader, tee, snp, microcode } = self;
        write!(f, "fmc {fmc}, boot-loader {boot_loader}, tee {tee}, snp {snp}, microcode {microcode}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_read_back_and_reserve_their_own_bytes() {
        for product in SnpProduct::ALL {
            let reserved = if product == SnpProduct::Turin { 4..7 } else { 2..6 };
            for at in 0..8 {
                let mut bytes = [0; 8];
                bytes[at] = 9;
                let tcb = SnpTcb::read(product, bytes);
                assert_eq!(tcb.is_err(), reserved.contains(&at), "{product} {at}");
                assert!(tcb.is_err() || tcb.unwrap_or_default().to_bytes(product) == bytes);
            }
        }
    }

    #[test]
    fn every_part_must_reach_the_minimum() {
        let tcb = SnpTcb { fmc: 1, boot_loader: 2, tee: 3, snp: 4, microcode: 5 };
        assert!(tcb.reaches(&tcb) && tcb.reaches(&SnpTcb::default()));
        let higher = [
            SnpTcb { fmc: 2, ..tcb },
            SnpTcb { boot_loader: 3, ..tcb },
            SnpTcb { tee: 4, ..tcb },
            SnpTcb { snp: 5, ..tcb },
            SnpTcb { microcode: 6, ..tcb },
        ];
        assert!(higher.iter().all(|minimum| !tcb.reaches(minimum) && minimum.reaches(&tcb)));
    }

    #[test]
    fn products_are_known_by_name_and_by_cpuid() {
        assert_eq!(SnpProduct::named("Milan-B0"), Some(SnpProduct::Milan));
        assert_eq!(SnpProduct::named("Turin"), Some(SnpProduct::Turin));
        assert_eq!(SnpProduct::named("Venice"), None);
        assert_eq!(SnpProduct::of_cpuid(0x19, 0x01), Some(SnpProduct::Milan));
        assert_eq!(SnpProduct::of_cpuid(0x19, 0xa0), Some(SnpProduct::Genoa));
        assert_eq!(SnpProduct::of_cpuid(0x1a, 0x02), Some(SnpProduct::Turin));
        assert_eq!(SnpProduct::of_cpuid(0x1a, 0x50), None);
    }
}
