//! Collateral for running verifiers: loaded from a folder, fetched from its makers ahead of expiry, replaced as a whole.
//!
//! ```text
//! DATA_DIR/collateral/*.json ──▶ Folder ──▶ Held ──▶ verifiers (Trust), which see it whole
//!              ▲                              │ what evidence named and was not there
//!              └── Makers (PCS or PCCS, KDS) ◀┴── Keeper: what is due, one at a time
//! ```
//!
//! Verifiers check collateral each time that they use it, so nothing on its way needs to be trusted: not the folder, not
//! the network, not a local cache. A wrong byte refuses evidence, and never accepts it.
//!
//! **When it runs out**, evidence that rests on it is refused with its own reason ([`attest::refusal::Refusal::Expired`],
//! which names the part), and everything else goes on: connections that are already attested, other platforms, and
//! `/healthz`. Seven, three and one day before, the log warns; `teehouse_collateral_expires_seconds` shows it always.

mod expiry;
mod fetch;
mod folder;
mod keeper;
mod schedule;
mod web;

#[cfg(test)]
mod fake_tests;
#[cfg(test)]
mod keeper_tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use attest::collateral::{Collateral, Need};
use attest::evidence::Evidence;
use attest::refusal::Refusal;
use tokio::sync::Notify;

use crate::collateral::fetch::Makers;
use crate::collateral::folder::Folder;
use crate::collateral::web::AnswerLimits;
use crate::config::Config;
use crate::tls::TlsError;

pub(crate) use keeper::Keeper;

/// How many needs may wait to be looked at. Strangers can name needs on a kms's enrolment port.
const NOTED: usize = 64;

/// What keeps the configured collateral in `held`, which has what the folder has from here on.
///
/// # Errors
/// When the file of additional roots can't be used.
pub(crate) fn keeper(config: &Config, held: Arc<Held>) -> Result<Keeper, TlsError> {
    let settings = &config.collateral;
    let makers = Makers::new(settings, AnswerLimits::default())?;
    let wanted = settings.needs().unwrap_or_default();
    Ok(Keeper::new(held, config.collateral_dir(), makers, wanted, settings.refresh_before()))
}

/// The collateral that a process holds, shared by everything in it that verifies.
#[derive(Default)]
pub(crate) struct Held {
    current: RwLock<Arc<Collateral>>,
    noted: Mutex<Vec<Need>>,
    news: Notify,
}

impl From<Arc<Collateral>> for Held {
    /// Holds this, until something else is known.
    fn from(collateral: Arc<Collateral>) -> Self {
        Held { current: RwLock::new(collateral), ..Held::default() }
    }
}

impl Held {
    /// What a folder has now, for whoever does not keep looking.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut folder = Folder::at(folder.to_owned());
        folder.look();
        Held::from(Arc::new(folder.collateral()))
    }

    /// All of it, for one appraisal. The lock is held for as long as counting a reference takes.
    pub(crate) fn current(&self) -> Arc<Collateral> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives every later appraisal other collateral.
    pub(crate) fn replace(&self, collateral: Collateral) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(collateral);
    }

    /// Remembers what refused evidence would have needed, for the keeper to look for.
    pub(crate) fn note(&self, refusal: &Refusal, evidence: &Evidence) {
        for need in Need::of_refused(refusal, evidence) {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.len() < NOTED && !noted.contains(&need) {
                noted.push(need);
                self.news.notify_one();
            }
        }
    }

    /// What was noted since the last call.
    fn take_noted(&self) -> Vec<Need> {
        std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was noted.
    async fn noted(&self) {
        self.news.notified().await;
    }
}
