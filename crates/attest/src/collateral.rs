//! Collateral: what platforms' makers say of their platforms, which evidence rests on.
//!
//! It comes as bytes from files or a cache, is checked each time that evidence is appraised with it, and so needs no
//! trust on its way: a wrong byte refuses evidence, never accepts it. What is read here, dates and which machines it is
//! for, only chooses among collateral and tells a cache when to renew it.

mod amd;
pub(crate) mod intel;
pub(crate) mod need;
mod part;
mod pcs;

use types::time::UnixMillis;

use crate::snp::{KeyKind, SnpProduct};

pub use amd::{AmdCollateral, KdsAnswers};
pub use intel::{BadCollateral, IntelCollateral, MAX_COLLATERAL_BYTES};
pub use need::{BadNeed, ChipKey, Need, PckCa};
pub use part::Part;
pub use pcs::PcsAnswers;

/// The collateral that a verifier holds. The default holds none: enough for simulated platforms and TPMs.
#[derive(Clone, Debug, Default)]
pub struct Collateral {
    intel: Vec<IntelCollateral>,
    amd: Vec<AmdCollateral>,
}

impl Collateral {
    /// The same with Intel's collateral for one more kind of machine, in place of older collateral for that kind.
    pub fn with_intel(mut self, added: IntelCollateral) -> Self {
        self.intel.retain(|held| !held.is_for_what(&added));
        self.intel.push(added);
        self
    }

    /// The same with AMD's collateral for one more product or kind of key, in place of older collateral for that.
    pub fn with_amd(mut self, added: AmdCollateral) -> Self {
        self.amd.retain(|held| !held.is_for_what(&added));
        self.amd.push(added);
        self
    }

    /// The same with one more document. Of two for the same machines the newer counts, and the keys of both.
    pub fn with(self, part: Part) -> Self {
        let held = part.need().and_then(|need| self.part(&need));
        match (part, held) {
            (Part::Amd(amd), Some(Part::Amd(held))) => self.with_amd(amd.joined(*held)),
            (part, Some(held)) if part.is_older_than(&held) => self,
            (Part::Intel(intel), _) => self.with_intel(*intel),
            (Part::Amd(amd), _) => self.with_amd(*amd),
        }
    }

    /// What it is for, single chips' keys aside, and when each document runs out. Intel's is for nothing that can be
    /// asked for where its CA is neither of Intel's two.
    pub fn dated(&self) -> impl Iterator<Item = (Option<Need>, UnixMillis)> {
        let intel = self.intel.iter().map(|held| (held.need(), held.validity().not_after));
        intel.chain(self.amd.iter().map(|held| (Some(held.need()), held.revocation_validity().not_after)))
    }

    /// When the document runs out that is what is needed.
    pub fn until(&self, need: &Need) -> Option<UnixMillis> {
        let intel = self.intel.iter().filter(|held| held.answers(need)).map(|held| held.validity().not_after);
        let amd = self.amd.iter().filter(|held| held.answers(need));
        intel.chain(amd.map(|held| held.revocation_validity().not_after)).next()
    }

    /// The document that is what is needed.
    pub fn part(&self, need: &Need) -> Option<Part> {
        let intel = self.intel.iter().find(|held| held.answers(need)).cloned().map(|held| Part::Intel(Box::new(held)));
        let amd = || self.amd.iter().find(|held| held.answers(need)).cloned().map(|held| Part::Amd(Box::new(held)));
        intel.or_else(amd)
    }

    /// AMD's collateral, one for each product and kind of key.
    pub fn amd(&self) -> &[AmdCollateral] {
        &self.amd
    }

    pub(crate) fn amd_for(&self, product: SnpProduct, kind: KeyKind) -> Option<&AmdCollateral> {
        self.amd.iter().find(|held| held.is_for(product, kind))
    }

    /// Intel's collateral, one for each kind of machine.
    pub fn intel(&self) -> &[IntelCollateral] {
        &self.intel
    }

    /// When the first of it runs out: a cache renews it well before. Collateral that is empty never does.
    pub fn valid_until(&self) -> UnixMillis {
        let intel = self.intel.iter().map(|held| held.validity().not_after);
        let amd = self.amd.iter().map(|held| held.revocation_validity().not_after);
        intel.chain(amd).min().unwrap_or(UnixMillis(u64::MAX))
    }
}
