//! Collateral: what platforms' makers say of their platforms, which evidence rests on.
//!
//! It comes as bytes from files or a cache, is checked each time that evidence is appraised with it, and so needs no
//! trust on its way: a wrong byte refuses evidence, never accepts it. What is read here, dates and which machines it is
//! for, only chooses among collateral and tells a cache when to renew it.

pub(crate) mod intel;
mod pcs;

use types::time::UnixMillis;

pub use intel::{BadCollateral, IntelCollateral, MAX_COLLATERAL_BYTES};
pub use pcs::PcsAnswers;

/// The collateral that a verifier holds. The default holds none: enough for simulated platforms and TPMs.
#[derive(Clone, Debug, Default)]
pub struct Collateral {
    intel: Vec<IntelCollateral>,
}

impl Collateral {
    /// The same with Intel's collateral for one more kind of machine, in place of older collateral for that kind.
    pub fn with_intel(mut self, added: IntelCollateral) -> Self {
        self.intel.retain(|held| !held.is_for_what(&added));
        self.intel.push(added);
        self
    }

    /// Intel's collateral, one for each kind of machine.
    pub fn intel(&self) -> &[IntelCollateral] {
        &self.intel
    }

    /// When the first of it runs out: a cache renews it well before. Collateral that is empty never does.
    pub fn valid_until(&self) -> UnixMillis {
        self.intel.iter().map(|held| held.validity().not_after).min().unwrap_or(UnixMillis(u64::MAX))
    }
}
