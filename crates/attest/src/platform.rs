//! The kinds of platform that can vouch for code, and how far each is to be trusted.

use std::fmt;
use std::str::FromStr;

pub use types::trust::TrustLevel;

/// A kind of platform: what made a piece of evidence and whose word it is.
///
/// It has no order of its own: compare [`Platform::level`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Platform {
    /// No hardware at all: a key in a file says what runs. For laptops and tests.
    Simulated,
    /// A TPM 2.0 quote over the boot measurements of an ordinary machine.
    Tpm,
    /// An AMD SEV-SNP virtual machine.
    SevSnp,
    /// An Intel TDX virtual machine.
    Tdx,
    /// An Intel SGX enclave.
    Sgx,
}

impl Platform {
    /// Every platform, least trusted first.
    pub const ALL: [Platform; 5] = [Platform::Simulated, Platform::Tpm, Platform::SevSnp, Platform::Tdx, Platform::Sgx];

    /// The name that configuration, certificates, receipts and banners use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Platform::Simulated => "simulated",
            Platform::Tpm => "tpm",
            Platform::SevSnp => "sev-snp",
            Platform::Tdx => "tdx",
            Platform::Sgx => "sgx",
        }
    }

    /// How much its word is worth. The three confidential platforms are equals.
    pub const fn level(self) -> TrustLevel {
        match self {
            Platform::Simulated => TrustLevel::Simulated,
            Platform::Tpm => TrustLevel::Tpm,
            Platform::SevSnp | Platform::Tdx | Platform::Sgx => TrustLevel::Confidential,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no platform.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no platform: expected simulated, tpm, sev-snp, tdx or sgx")]
pub struct UnknownPlatform(String);

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        Platform::ALL
            .into_iter()
            .find(|platform| platform.as_str() == text)
            .ok_or_else(|| UnknownPlatform(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(platform));
        }
        for bad in ["", "Simulated", "snp", "sgx "] {
            assert_eq!(bad.parse::<Platform>(), Err(UnknownPlatform(bad.to_owned())));
        }
    }

    #[test]
    fn simulation_is_worth_least_and_confidential_platforms_are_equals() {
        assert!(Platform::Simulated.level() < Platform::Tpm.level());
        for confidential in [Platform::SevSnp, Platform::Tdx, Platform::Sgx] {
            assert!(Platform::Tpm.level() < confidential.level());
            assert_eq!(confidential.level(), TrustLevel::Confidential);
        }
    }
}
