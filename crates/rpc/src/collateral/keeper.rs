//! The task that keeps collateral: looks at the folder, fetches what is due, and tells people of the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attest::collateral::{Collateral, Need, Part};
use types::time::UnixMillis;

use crate::collateral::Held;
use crate::collateral::expiry::Watch;
use crate::collateral::fetch::{FetchError, Makers};
use crate::collateral::folder::Folder;
use crate::collateral::schedule::Schedule;
use crate::shutdown::Shutdown;

/// How often the folder is looked at, and what is due decided anew.
const LOOK: Duration = Duration::from_secs(10);

/// The least time between two looks, however often strangers name what is missing.
const PACE: Duration = Duration::from_millis(500);

/// Keeps one process's collateral.
pub(crate) struct Keeper {
    held: Arc<Held>,
    folder: Folder,
    makers: Makers,
    schedule: Schedule,
    watch: Watch,
}

/// Why fetched collateral is not taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// Nothing came.
    #[error("fetch")]
    Fetch(#[from] FetchError),
    /// It is for other machines than it was asked for.
    #[error("the answer is for other machines")]
    OtherMachines,
    /// It does not hold now.
    #[error("the answer does not hold now")]
    NotNow,
    /// What is held is newer.
    #[error("the answer is older than what is held")]
    Older,
}

impl Keeper {
    /// Loads a folder into `held`, and prepares to keep it.
    pub(crate) fn new(held: Arc<Held>, folder: PathBuf, makers: Makers, wanted: Vec<Need>, before: Duration) -> Self {
        let schedule = Schedule::new(wanted, before);
        let mut keeper = Keeper { held, folder: Folder::at(folder), makers, schedule, watch: Watch::default() };
        keeper.look();
        keeper
    }

    /// Works until the order to stop.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = self.work() => {}
                () = shutdown.begun() => return,
            }
        }
    }

    async fn work(&mut self) {
        let fetched = self.turn().await;
        tokio::time::sleep(PACE).await;
        if !fetched {
            let held = self.held.clone();
            let _ = tokio::time::timeout(LOOK, held.noted()).await;
        }
    }

    /// Looks around, and fetches one thing that is due. Says whether there was one.
    pub(super) async fn turn(&mut self) -> bool {
        self.look();
        self.listen();
        let held = self.held.current();
        self.schedule.keep(&held);
        self.watch.look(&held, UnixMillis::now());
        match self.due(&held) {
            Some(need) => {
                self.fetch(&need, &held).await;
                true
            }
            None => false,
        }
    }

    fn look(&mut self) {
        if self.folder.look() {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let collateral = self.folder.collateral();
        let (intel, amd) = (collateral.intel().len(), collateral.amd().len());
        tracing::info!(folder = %self.folder.path().display(), intel, amd, "collateral is loaded");
        self.held.replace(collateral);
    }

    fn listen(&mut self) {
        for need in self.held.take_noted() {
            if self.schedule.note(need.clone()) && !self.makers.can_answer(&need) {
                let folder = self.folder.path().display();
                tracing::warn!(machines = %need, %folder, "evidence was refused: no collateral is held, and no address to fetch it from is configured");
            }
        }
    }

    fn due(&mut self, held: &Collateral) -> Option<Need> {
        let now = UnixMillis::now();
        while let Some(need) = self.schedule.due(held, now) {
            if self.makers.can_answer(&need) {
                return Some(need);
            }
            // Whoever provides files may yet provide this one.
            self.schedule.failed(&need, now);
        }
        None
    }

    async fn fetch(&mut self, need: &Need, held: &Collateral) {
        match self.try_fetch(need, held).await {
            Ok(()) => {
                tracing::info!(machines = %need, "collateral is fetched");
                self.schedule.succeeded(need, UnixMillis::now());
                self.folder.look();
                self.publish();
            }
            Err(error) => {
                let pause = self.schedule.failed(need, UnixMillis::now());
                let error = anyhow::Error::from(error);
                let (error, again) = (format!("{error:#}"), pause.as_secs());
                tracing::warn!(machines = %need, error, again_in_seconds = again, "collateral is not fetched");
            }
        }
    }

    async fn try_fetch(&mut self, need: &Need, held: &Collateral) -> Result<(), NotTaken> {
        let fetched = self.makers.fetch(need).await?;
        let before = held.part(&need.without_key());
        check(&fetched, need, before.as_ref(), UnixMillis::now())?;
        let joined = before.into_iter().chain([fetched]).fold(Collateral::default(), Collateral::with);
        let kept = joined.part(need).ok_or(NotTaken::OtherMachines)?;
        if let Err(error) = self.folder.write(&kept) {
            let folder = self.folder.path().display();
            tracing::warn!(%folder, %error, "fetched collateral can't be written, and is gone when this process ends");
            self.folder.remember(kept);
        }
        Ok(())
    }
}

/// Whether what was fetched may take the place of what is held. Its signatures are verifiers' business.
fn check(fetched: &Part, need: &Need, held: Option<&Part>, now: UnixMillis) -> Result<(), NotTaken> {
    if !fetched.answers(need) {
        return Err(NotTaken::OtherMachines);
    }
    fetched.validity().check("collateral", now).map_err(|_| NotTaken::NotNow)?;
    match held {
        Some(held) if fetched.is_older_than(held) => Err(NotTaken::Older),
        _ => Ok(()),
    }
}
