//! Values as a manifest writes them: hexadecimal, dates, names.

use std::fmt::Display;
use std::str::FromStr;

use crypto::hash::{hex, parse_hex};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::time::UnixMillis;

use crate::claims::{ConfigId, PlatformId, SnpAuthor};
use crate::date;
use crate::identity::Deployment;
use crate::manifest::key::AuditorKey;
use crate::reference::Allowance;
use crate::snp::{SnpProduct, SnpTcb};

/// `N` bytes in lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

/// Any bytes in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

/// A date in whole seconds of UTC: `2026-11-23T12:00:00Z`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date(pub(super) UnixMillis);

/// A value that has a text of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<T>(pub(super) T);

/// The text names nothing that a manifest can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct BadText(&'static str);

/// The allowance with this name, as [`Allowance::as_str`] writes it.
///
/// # Errors
/// [`BadText`] when there is none.
pub fn parse_allowance(name: &str) -> Result<Allowance, BadText> {
    let known = Allowance::ALL.into_iter().find(|allowance| allowance.as_str() == name);
    known.ok_or(BadText("the name of an allowance"))
}

/// A machine's number as [`PlatformId`] displays it: its kind, a colon, lower-case hexadecimal.
///
/// # Errors
/// [`BadText`] for another kind or length.
pub fn parse_platform_id(text: &str) -> Result<PlatformId, BadText> {
    let bad = BadText("ppid:HEX, piid:HEX (32 digits), chip:HEX (128) or tpm-key:HEX (64)");
    let (kind, digits) = text.split_once(':').ok_or(bad.clone())?;
    let id = match kind {
        "ppid" => parse_hex(digits).map(PlatformId::Ppid),
        "piid" => parse_hex(digits).map(PlatformId::Piid),
        "chip" => parse_hex(digits).map(PlatformId::ChipId),
        "tpm-key" => parse_hex(digits).map(PlatformId::TpmKey),
        _ => return Err(bad),
    };
    id.map_err(|_| bad)
}

/// Who signed an SEV-SNP launch, as [`SnpAuthor`] displays it.
///
/// # Errors
/// [`BadText`] for anything else.
pub fn parse_snp_author(text: &str) -> Result<SnpAuthor, BadText> {
    match text {
        "anonymous" => Ok(SnpAuthor::Anonymous),
        digest => parse_hex(digest).map(SnpAuthor::Key).map_err(|_| BadText("anonymous, or 96 hexadecimal digits")),
    }
}

/// The lowest firmware of a product: `Milan:BOOT_LOADER,TEE,SNP,MICROCODE`, and for Turin a fifth number, its FMC.
///
/// # Errors
/// [`BadText`] for anything else.
pub fn parse_snp_tcb(text: &str) -> Result<(SnpProduct, SnpTcb), BadText> {
    let bad = BadText("Milan:BOOT_LOADER,TEE,SNP,MICROCODE, and for Turin a fifth number, its FMC");
    let (product, versions) = text.split_once(':').ok_or(bad.clone())?;
    let versions: Vec<u8> = versions.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad.clone())?;
    match (parse_snp_product(product)?, &versions[..]) {
        (SnpProduct::Turin, &[boot_loader, tee, snp, microcode, fmc]) => {
            Ok((SnpProduct::Turin, SnpTcb { fmc, boot_loader, tee, snp, microcode }))
        }
        (SnpProduct::Turin, _) => Err(bad),
        (product, &[boot_loader, tee, snp, microcode]) => {
            Ok((product, SnpTcb { fmc: 0, boot_loader, tee, snp, microcode }))
        }
        _ => Err(bad),
    }
}

fn parse_snp_product(name: &str) -> Result<SnpProduct, BadText> {
    SnpProduct::ALL.into_iter().find(|product| product.as_str() == name).ok_or(BadText("Milan, Genoa or Turin"))
}

/// A config id as it displays: lower-case hexadecimal.
///
/// # Errors
/// [`BadText`] for anything else.
pub fn parse_config_id(text: &str) -> Result<ConfigId, BadText> {
    parse_hex_bytes(text).map(ConfigId).ok_or(BadText("lower-case hexadecimal digits, two for each byte"))
}

/// What [`Text`] can hold: it reads back from what it displays.
pub(super) trait Named: Display + Sized {
    fn read(text: &str) -> Result<Self, String>;
}

impl Named for Allowance {
    fn read(text: &str) -> Result<Self, String> {
        parse_allowance(text).map_err(|error| error.to_string())
    }
}

impl Named for PlatformId {
    fn read(text: &str) -> Result<Self, String> {
        parse_platform_id(text).map_err(|error| error.to_string())
    }
}

impl Named for SnpAuthor {
    fn read(text: &str) -> Result<Self, String> {
        parse_snp_author(text).map_err(|error| error.to_string())
    }
}

impl Named for SnpProduct {
    fn read(text: &str) -> Result<Self, String> {
        parse_snp_product(text).map_err(|error| error.to_string())
    }
}

impl Named for Deployment {
    fn read(text: &str) -> Result<Self, String> {
        Deployment::from_str(text).map_err(|error| error.to_string())
    }
}

impl Named for AuditorKey {
    fn read(text: &str) -> Result<Self, String> {
        AuditorKey::from_str(text).map_err(|error| error.to_string())
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_hex(&String::deserialize(deserializer)?).map(Hex).map_err(D::Error::custom)
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex_bytes(&text).map(HexBytes).ok_or_else(|| D::Error::custom("expected lower-case hexadecimal digits"))
    }
}

fn parse_hex_bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| parse_hex::<1>(str::from_utf8(pair).ok()?).ok().map(|[byte]| byte);
    let bytes = pairs.iter().map(byte).collect::<Option<_>>()?;
    rest.is_empty().then_some(bytes)
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date::format(self.0))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        date::parse(&text).map(Date).ok_or_else(|| D::Error::custom("expected a date like 2026-11-23T12:00:00Z"))
    }
}

impl<T: Named> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: Named> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(&String::deserialize(deserializer)?).map(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for allowance in Allowance::ALL {
            assert_eq!(parse_allowance(allowance.as_str()), Ok(allowance));
        }
        assert!(parse_allowance("Debug-mode").is_err());
        let ids = [
            PlatformId::Ppid([0xab; 16]),
            PlatformId::Piid([0; 16]),
            PlatformId::ChipId([1; 64]),
            PlatformId::TpmKey([2; 32]),
        ];
        for id in ids {
            assert_eq!(parse_platform_id(&id.to_string()), Ok(id));
        }
        for bad in ["", "ppid", "ppid:", "ppid:00", &format!("PPID:{}", "0".repeat(32)), &"0".repeat(32)] {
            assert!(parse_platform_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn snp_firmware_and_authors_read() {
        let tcb = |fmc| SnpTcb { fmc, boot_loader: 4, tee: 0, snp: 24, microcode: 219 };
        assert_eq!(parse_snp_tcb("Milan:4,0,24,219"), Ok((SnpProduct::Milan, tcb(0))));
        assert_eq!(parse_snp_tcb("Turin:4,0,24,219,7"), Ok((SnpProduct::Turin, tcb(7))));
        for bad in [
            "",
            "Milan",
            "Milan:",
            "Milan:4,0,24",
            "Milan:4,0,24,219,7",
            "Turin:4,0,24,219",
            "Rome:1,2,3,4",
            "Milan:4,0,24,256",
        ] {
            assert!(parse_snp_tcb(bad).is_err(), "{bad}");
        }
        for author in [SnpAuthor::Anonymous, SnpAuthor::Key([9; 48])] {
            assert_eq!(parse_snp_author(&author.to_string()), Ok(author));
        }
        assert!(parse_snp_author("nobody").is_err());
    }

    #[test]
    fn hexadecimal_of_any_length() {
        assert_eq!(parse_hex_bytes(""), Some(vec![]));
        assert_eq!(parse_hex_bytes("00ff"), Some(vec![0, 0xff]));
        for bad in ["0", "0F", "00f", "é", "0x"] {
            assert_eq!(parse_hex_bytes(bad), None, "{bad}");
        }
    }
}
