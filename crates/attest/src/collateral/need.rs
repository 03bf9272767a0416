//! Which collateral is needed: what a cache asks a maker for.
//!
//! As text `tdx:50806f000000:platform` (kind of TEE, FMSPC, PCK CA), `Milan:VCEK` (product, kind of endorsement key), or
//! `Milan:VCEK:CHIP:TCB` where also the certificate of one chip's key is needed (64 and 8 bytes as its reports have them,
//! in hexadecimal).

use std::fmt;
use std::str::FromStr;

use crypto::hash::{hex, parse_hex};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::certificate;
use crate::dcap;
use crate::evidence::Evidence;
use crate::platform::Platform;
use crate::reference::Allowance;
use crate::refusal::Refusal;
use crate::snp::{self, KeyKind, SnpProduct, SnpTcb};

/// Which collateral.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Intel's, for machines of one kind.
    Intel {
        /// SGX or TDX.
        platform: Platform,
        /// Family, model, stepping, platform and custom SKU.
        fmspc: [u8; 6],
        /// Who issues their certificates.
        ca: PckCa,
    },
    /// AMD's, for machines of one product.
    Amd {
        /// The product.
        product: SnpProduct,
        /// Which key signs their reports.
        kind: KeyKind,
        /// Whose certificate has to be among the keys.
        key: Option<ChipKey>,
    },
}

/// Intel's two CAs for PCK certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PckCa {
    /// For machines of one package.
    Processor,
    /// For machines of several packages, and all TDX machines.
    Platform,
}

/// A chip at one state of its firmware, which has an endorsement key for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChipKey {
    /// The chip's number as reports have it; on Turin its first 8 bytes count.
    pub chip: [u8; 64],
    /// The state of its firmware.
    pub tcb: SnpTcb,
}

/// A text names no collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected sgx:FMSPC:CA, tdx:FMSPC:CA (CA: processor or platform), or PRODUCT:VCEK, PRODUCT:VLEK")]
pub struct BadNeed;

impl Need {
    /// What evidence says it needs, nothing of it verified: whoever made it up chose it. Reports of version 2 do not name
    /// their product, and need one of two.
    pub fn of(evidence: &Evidence) -> Vec<Need> {
        match evidence.platform() {
            Platform::Sgx | Platform::Tdx => dcap::need(evidence).into_iter().collect(),
            Platform::SevSnp => snp::needs(evidence.bytes()),
            Platform::Tpm | Platform::Simulated => Vec::new(),
        }
    }

    /// What evidence needs that was refused for want of collateral.
    pub fn of_refused(refusal: &Refusal, evidence: &Evidence) -> Vec<Need> {
        match refusal {
            Refusal::CollateralMissing { .. } | Refusal::NotAllowed(Allowance::UncheckedRevocation) => {
                Need::of(evidence)
            }
            _ => Vec::new(),
        }
    }

    /// The same without a single chip's key.
    pub fn without_key(&self) -> Need {
        match self.clone() {
            Need::Amd { product, kind, .. } => Need::Amd { product, kind, key: None },
            intel @ Need::Intel { .. } => intel,
        }
    }
}

impl PckCa {
    /// Its name in Intel's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            PckCa::Processor => "processor",
            PckCa::Platform => "platform",
        }
    }

    /// The CA with this name (DER); Intel's are `Intel SGX PCK Platform CA` and `Intel SGX PCK Processor CA`.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let (_, name) = X509Name::from_der(name).ok()?;
        match certificate::common_name(&name)? {
            name if name.ends_with(" PCK Platform CA") => Some(PckCa::Platform),
            name if name.ends_with(" PCK Processor CA") => Some(PckCa::Processor),
            _ => None,
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Intel { platform, fmspc, ca } => write!(f, "{platform}:{}:{}", hex(fmspc), ca.as_str()),
            Need::Amd { product, kind, key: None } => write!(f, "{product}:{}", kind.as_str()),
            Need::Amd { product, kind, key: Some(ChipKey { chip, tcb }) } => {
                write!(f, "{product}:{}:{}:{}", kind.as_str(), hex(chip), hex(&tcb.to_bytes(*product)))
            }
        }
    }
}

impl FromStr for Need {
    type Err = BadNeed;

    fn from_str(text: &str) -> Result<Self, BadNeed> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["sgx", fmspc, ca] => intel(Platform::Sgx, fmspc, ca),
            ["tdx", fmspc, ca] => intel(Platform::Tdx, fmspc, ca),
            [product, kind] => amd(product, kind, |_| Ok(None)),
            [product, kind, chip, tcb] => amd(product, kind, |product| {
                let chip = parse_hex(chip).map_err(|_| BadNeed)?;
                let tcb = SnpTcb::read(product, parse_hex(tcb).map_err(|_| BadNeed)?).map_err(|_| BadNeed)?;
                Ok(Some(ChipKey { chip, tcb }))
            }),
            _ => Err(BadNeed),
        }
    }
}

fn intel(platform: Platform, fmspc: &str, ca: &str) -> Result<Need, BadNeed> {
    let ca = [PckCa::Processor, PckCa::Platform].into_iter().find(|known| known.as_str() == ca).ok_or(BadNeed)?;
    Ok(Need::Intel { platform, fmspc: parse_hex(fmspc).map_err(|_| BadNeed)?, ca })
}

fn amd(
    product: &str,
    kind: &str,
    key: impl FnOnce(SnpProduct) -> Result<Option<ChipKey>, BadNeed>,
) -> Result<Need, BadNeed> {
    let product = SnpProduct::ALL.into_iter().find(|known| known.as_str() == product).ok_or(BadNeed)?;
    let kind = [KeyKind::Vcek, KeyKind::Vlek].into_iter().find(|known| known.as_str() == kind).ok_or(BadNeed)?;
    Ok(Need::Amd { product, kind, key: key(product)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_read_back() {
        let chip = format!("Turin:VCEK:{}:0102030400000005", "5a".repeat(64));
        for text in ["sgx:00606a000000:processor", "tdx:50806f000000:platform", "Milan:VCEK", "Genoa:VLEK", &chip] {
            assert_eq!(text.parse::<Need>().map(|need| need.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "tdx", "tdx:50806f:platform", "tdx:50806f000000:root", "Milan", "Milan:VCEK:5a", "x:VCEK"] {
            assert_eq!(text.parse::<Need>(), Err(BadNeed), "{text}");
        }
        assert_eq!(chip.parse::<Need>().map(|need| need.without_key().to_string()), Ok("Turin:VCEK".to_owned()));
    }
}
