//! One document of collateral: what one file has, and one answer of a cache.

use serde::Deserialize;
use serde::de::IgnoredAny;
use types::time::UnixMillis;

use crate::collateral::amd::AmdCollateral;
use crate::collateral::intel::{BadCollateral, IntelCollateral, within};
use crate::collateral::need::Need;
use crate::validity::Validity;

/// One maker's collateral for machines of one kind.
#[derive(Clone, Debug)]
pub enum Part {
    /// Intel's.
    Intel(Box<IntelCollateral>),
    /// AMD's.
    Amd(Box<AmdCollateral>),
}

/// What tells the two documents apart.
#[derive(Deserialize)]
struct Form {
    authority: Option<IgnoredAny>,
}

impl Part {
    /// Reads a document of either maker.
    ///
    /// # Errors
    /// [`BadCollateral`] names the part that can't be read.
    pub fn from_json(json: &[u8]) -> Result<Self, BadCollateral> {
        within(json)?;
        let form: Form =
            serde_json::from_slice(json).map_err(|source| BadCollateral::Json { part: "collateral", source })?;
        match form.authority {
            Some(IgnoredAny) => AmdCollateral::from_json(json).map(|amd| Part::Amd(Box::new(amd))),
            None => IntelCollateral::from_json(json).map(|intel| Part::Intel(Box::new(intel))),
        }
    }

    /// The document, which [`Self::from_json`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        match self {
            Part::Intel(intel) => intel.to_json(),
            Part::Amd(amd) => amd.to_json(),
        }
    }

    /// What it answers, single chips' keys aside; none where Intel's document is of a CA that nobody can be asked about.
    pub fn need(&self) -> Option<Need> {
        match self {
            Part::Intel(intel) => intel.need(),
            Part::Amd(amd) => Some(amd.need()),
        }
    }

    /// Whether it is what is needed.
    pub fn answers(&self, need: &Need) -> bool {
        match self {
            Part::Intel(intel) => intel.answers(need),
            Part::Amd(amd) => amd.answers(need),
        }
    }

    /// When it holds: what is renewed, and for Intel every certificate too.
    pub fn validity(&self) -> Validity {
        match self {
            Part::Intel(intel) => intel.validity(),
            Part::Amd(amd) => amd.revocation_validity(),
        }
    }

    /// When the oldest of what is renewed was issued.
    pub fn issued(&self) -> UnixMillis {
        match self {
            Part::Intel(intel) => intel.issued(),
            Part::Amd(amd) => amd.revocation_validity().not_before,
        }
    }

    /// Whether a verifier is worse off with this than with `other`, which is for the same machines.
    pub fn is_older_than(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Intel(new), Part::Intel(old)) if new.tcb_evaluation() != old.tcb_evaluation() => {
                new.tcb_evaluation() < old.tcb_evaluation()
            }
            _ => self.issued() < other.issued(),
        }
    }
}
