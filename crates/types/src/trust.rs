//! How much the word of a platform is worth.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much a platform's word is worth; ordered from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrustLevel {
    /// Protects nothing from whoever runs the machine.
    Simulated,
    /// Says what was booted; memory is open to the machine's operator.
    Tpm,
    /// Memory is encrypted and the processor's maker signs what runs.
    Confidential,
}

impl TrustLevel {
    /// The name that manifests, policies and receipts use.
    pub const fn as_str(self) -> &'static str {
        match self {
            TrustLevel::Simulated => "simulated",
            TrustLevel::Tpm => "tpm",
            TrustLevel::Confidential => "confidential",
        }
    }
}

impl fmt::Display for TrustLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no level.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no trust level: expected simulated, tpm or confidential")]
pub struct UnknownTrustLevel(String);

impl std::str::FromStr for TrustLevel {
    type Err = UnknownTrustLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [TrustLevel::Simulated, TrustLevel::Tpm, TrustLevel::Confidential];
        all.into_iter().find(|level| level.as_str() == text).ok_or_else(|| UnknownTrustLevel(text.to_owned()))
    }
}
