//! What records, keys and ciphertext have lost of each other: found while the service runs, and removed on request.
//!
//! ```text
//! a file's life    key ─▶ record ─▶ ciphertext ─▶ (deleted: record gone, key and ciphertext doomed, in one commit)
//!
//! keys             1 list keys   2 wait until every declaration that was under way has ended   3 look for records
//! ciphertext       1 list it     2 look for records
//! ```
//!
//! So whatever is listed and has neither a record nor an entry of what is still to be removed never will have one, except
//! what was removed between the two looks; that is asked for once more before anything is said about it. Everything is
//! read in pages; of keys, [`KEYS_AT_ONCE`] names are in memory, for which the records are read once.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use blobs::{Entry, Kind, Layout, Reason};
use futures_util::StreamExt as _;
use rpc::CallError;
use types::id::{FileId, KeyId};
use types::time::UnixMillis;
use types::wire::kms;
use types::wire::tdfs_operator::{Check, CheckReport, Finding, Flaw, FlawCount};

use crate::file::FileRow;
use crate::service::place;
use crate::transfer::{check_length, id};
use crate::{Error, Tdfs, db};

/// Records or entries that are looked at in one step.
const PAGE: usize = 1000;

/// Names of keys in memory: some 10 MiB. For each such number all records are read once.
const KEYS_AT_ONCE: usize = 1 << 17;

/// Findings of one kind that a report lists; all are counted.
const LISTED: u64 = 1000;

/// Names of keys from one on, up to another.
struct Window {
    keys: HashSet<KeyId>,
    /// Where the window before ended.
    after: Option<KeyId>,
    /// Its last name; there are no more keys when it is absent.
    last: Option<KeyId>,
}

impl Window {
    /// Whether the kms would have listed this key here, if it has it.
    fn covers(&self, key: &KeyId) -> bool {
        let text = |key: &Option<KeyId>| key.as_ref().map(|key| key.as_str().to_owned());
        text(&self.after).is_none_or(|after| *key.as_str() > *after)
            && text(&self.last).is_none_or(|last| *key.as_str() <= *last)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    report: CheckReport,
    counts: BTreeMap<Flaw, FlawCount>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        let flaw = finding.flaw;
        let count = self.counts.entry(flaw).or_insert(FlawCount { flaw, found: 0, removed: 0 });
        count.found += 1;
        count.removed += u64::from(finding.removed);
        tracing::info!(flaw = ?flaw, name = finding.name, removed = finding.removed, "fsck");
        if count.found <= LISTED {
            self.report.findings.push(finding);
        }
    }

    fn end(self) -> CheckReport {
        CheckReport { flaws: self.counts.into_values().collect(), ..self.report }
    }
}

/// What a file's ciphertext is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// It may still come.
    Waiting,
    Flawed(Flaw),
}

/// Judges a file by the length of its ciphertext, if it has one. `old` files should have it.
fn judge(file: &FileId, row: &FileRow, length: Option<u64>, old: bool) -> State {
    match length {
        _ if row.open => State::Waiting,
        Some(length) if check_length(file, row.format, row.size, length).is_ok() => State::Good,
        Some(_) if old || row.layout != Layout::Whole => State::Flawed(Flaw::WrongLength),
        // Whoever writes to the place itself may be at it.
        Some(_) => State::Waiting,
        None if row.layout != Layout::Whole || (old && row.task_id.is_some()) => State::Flawed(Flaw::LostCiphertext),
        None if old => State::Flawed(Flaw::NeverUploaded),
        None => State::Waiting,
    }
}

impl Tdfs {
    /// Compares records, keys and ciphertext, and removes what belongs to nothing if that is wanted.
    ///
    /// # Errors
    /// When another check runs, something can't be read, or the ciphertext is not where it was.
    pub async fn check(&self, check: Check, now: UnixMillis) -> Result<CheckReport, Error> {
        let _alone = self.checking.try_lock().map_err(|_| Error::Checking)?;
        self.check_place(&check).await?;
        if check.repair {
            self.sweep_uploads(now).await;
        }
        let mut findings = Findings::default();
        self.check_files(&check, now, &mut findings).await?;
        self.check_ciphertext(&check, &mut findings).await?;
        self.check_keys(&check, &mut findings).await?;
        if check.repair {
            self.remove_doomed().await;
        }
        Ok(findings.end())
    }

    /// Nothing is removed because of a disk that is not there.
    async fn check_place(&self, check: &Check) -> Result<(), Error> {
        let now = place(&self.blobs);
        if check.moved {
            return Ok(db::set_place(&self.store, now).await?);
        }
        let before = db::place(&self.store, now.clone()).await?;
        match check.repair && before != now {
            true => Err(Error::OtherPlace { before, now }),
            false => Ok(()),
        }
    }

    fn age(&self, check: &Check) -> Duration {
        let hours = |hours: u64| Duration::from_secs(hours.saturating_mul(3600));
        check.older_than_hours.map_or(self.settings.upload_lifetime, hours)
    }

    async fn check_files(&self, check: &Check, now: UnixMillis, findings: &mut Findings) -> Result<(), Error> {
        let age = u64::try_from(self.age(check).as_millis()).unwrap_or(u64::MAX);
        let mut after = None;
        loop {
            let page = db::records(&self.store, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (file, row) in page {
                findings.report.files += 1;
                let old = row.created.0 <= now.0.saturating_sub(age);
                match judge(&file, &row, self.length(&file, &row).await?, old) {
                    State::Good => {}
                    State::Waiting => findings.report.waiting += 1,
                    State::Flawed(flaw) => self.check_flawed(check, (file, row, flaw), findings).await?,
                }
            }
        }
    }

    /// Bytes of a file's ciphertext. What lies there and is none has no length that is right.
    async fn length(&self, file: &FileId, row: &FileRow) -> Result<Option<u64>, Error> {
        match self.blobs.len(&id(file)?, row.layout).await {
            Ok(length) => Ok(length),
            Err(error) if matches!(error.reason(), Reason::NotAFile | Reason::InParts) => Ok(Some(u64::MAX)),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_flawed(
        &self,
        check: &Check,
        (file, row, flaw): (FileId, FileRow, Flaw),
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if flaw == Flaw::NeverUploaded && !self.blobs.received(&id(&file)?).await?.is_empty() {
            // Somebody is at it; uploads that nobody continues are swept up.
            findings.report.waiting += 1;
            return Ok(());
        }
        let wanted = check.repair && (flaw == Flaw::NeverUploaded || check.delete_unreadable);
        let (name, owner, bytes) = (file.as_str().to_owned(), Some(row.owner.clone()), Some(row.size));
        let removed = wanted && db::remove_unreadable(&self.store, file, row).await?;
        findings.add(Finding { flaw, name, owner, bytes, removed });
        Ok(())
    }

    async fn check_ciphertext(&self, check: &Check, findings: &mut Findings) -> Result<(), Error> {
        let mut entries = self.blobs.list().ready_chunks(PAGE);
        while let Some(page) = entries.next().await {
            let page: Vec<Entry> = page.into_iter().collect::<Result<_, _>>()?;
            self.check_entries(check, page, findings).await?;
        }
        Ok(())
    }

    async fn check_entries(&self, check: &Check, page: Vec<Entry>, findings: &mut Findings) -> Result<(), Error> {
        let file = |entry: &Entry| entry.id.as_ref()?.as_str().parse::<FileId>().ok();
        let files = page.iter().filter_map(file).collect();
        let unknown: HashSet<_> = db::unknown_files(&self.store, files).await?.into_iter().collect();
        for entry in page {
            findings.report.ciphertexts += 1;
            match file(&entry) {
                Some(file) if unknown.contains(&file) => self.check_orphan(check, &entry, findings).await?,
                Some(_) => {}
                None => findings.add(Finding {
                    flaw: Flaw::Stray,
                    name: entry.name,
                    owner: None,
                    bytes: Some(entry.bytes),
                    removed: false,
                }),
            }
        }
        Ok(())
    }

    async fn check_orphan(&self, check: &Check, entry: &Entry, findings: &mut Findings) -> Result<(), Error> {
        let Some(id) = &entry.id else { return Ok(()) };
        let flaw = match entry.kind {
            Kind::Finished | Kind::Stray => Flaw::OrphanCiphertext,
            Kind::Parts { .. } | Kind::Upload | Kind::Draft => Flaw::OrphanUpload,
        };
        let is_there = match entry.kind {
            Kind::Finished | Kind::Stray => self.blobs.len(id, Layout::Whole).await?.is_some(),
            Kind::Parts { .. } | Kind::Upload => !self.blobs.received(id).await?.is_empty(),
            // Whoever wrote it removes it, unless they are gone.
            Kind::Draft => entry.modified + self.settings.upload_lifetime < SystemTime::now(),
        };
        if !is_there {
            return Ok(());
        }
        if check.repair {
            self.blobs.delete(id).await?;
        }
        let (name, bytes, removed) = (entry.name.clone(), Some(entry.bytes), check.repair);
        findings.add(Finding { flaw, name, owner: None, bytes, removed });
        Ok(())
    }

    async fn check_keys(&self, check: &Check, findings: &mut Findings) -> Result<(), Error> {
        let mut after = None;
        loop {
            let mut window = self.window(after).await?;
            findings.report.keys += window.keys.len() as u64;
            // Every declaration that made one of these keys has its record after this.
            drop(self.declaring.write().await);
            self.match_keys(check, &mut window, findings).await?;
            self.check_orphan_keys(check, std::mem::take(&mut window.keys), findings).await?;
            match window.last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    async fn window(&self, after: Option<KeyId>) -> Result<Window, Error> {
        let mut window = Window { keys: HashSet::new(), after: after.clone(), last: after };
        while window.keys.len() < KEYS_AT_ONCE {
            let list = kms::ListKeys { limit: None, cursor: window.last.take() };
            let page = match self.kms.call(list).await? {
                kms::Response::ListKeys(page) => page,
                _ => return Err(CallError::unexpected().into()),
            };
            let last = page.key_ids.last().cloned();
            window.keys.extend(page.key_ids);
            match last.filter(|_| page.more) {
                Some(last) => window.last = Some(last),
                None => return Ok(window),
            }
        }
        Ok(window)
    }

    /// Takes the keys of files out of a window, and finds the files whose key is not there.
    async fn match_keys(&self, check: &Check, window: &mut Window, findings: &mut Findings) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = db::records(&self.store, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (file, row) in page {
                let found = window.keys.remove(&row.key_id);
                if !found && window.covers(&row.key_id) && self.has_lost_key(&file, &row).await? {
                    self.check_flawed(check, (file, row, Flaw::NoKey), findings).await?;
                }
            }
        }
    }

    /// Whether a file is still there and its key is not; it may have been declared, or deleted, since keys were listed.
    async fn has_lost_key(&self, file: &FileId, row: &FileRow) -> Result<bool, Error> {
        let is_there = self.has_key(&row.key_id).await?;
        let now = db::get(&self.store, file.clone()).await?;
        Ok(!is_there && now.is_some_and(|now| now.key_id == row.key_id))
    }

    async fn has_key(&self, key_id: &KeyId) -> Result<bool, Error> {
        match self.kms.call(kms::GetKey { key_id: key_id.clone() }).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_orphan_keys(
        &self,
        check: &Check,
        keys: HashSet<KeyId>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        for key in keys {
            // In this order: an entry goes once its key is gone.
            if db::is_doomed(&self.store, key.clone()).await? || !self.has_key(&key).await? {
                continue;
            }
            let name = key.as_str().to_owned();
            if check.repair {
                db::doom_key(&self.store, key).await?;
            }
            findings.add(Finding { flaw: Flaw::OrphanKey, name, owner: None, bytes: None, removed: check.repair });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use types::file::Format;

    use super::*;

    /// Sixteen bytes of plaintext in one message, and their tag.
    const SEALED: u64 = 32;

    #[test]
    fn a_file_is_judged_by_its_ciphertext_and_its_age() {
        use Flaw::{LostCiphertext, NeverUploaded, WrongLength};
        let file = "f".parse().expect("short");
        let whole = FileRow { size: 16, format: Format::Single, ..crate::file::tests::row() };
        let open = FileRow { open: true, size: 0, ..whole.clone() };
        let parts = FileRow { layout: Layout::Parts { count: 2 }, ..whole.clone() };
        let output = FileRow { task_id: Some("t".parse().expect("short")), ..whole.clone() };
        for (row, length, young, old) in [
            (&whole, Some(SEALED), State::Good, State::Good),
            (&whole, Some(SEALED - 1), State::Waiting, State::Flawed(WrongLength)),
            (&whole, Some(SEALED + 1), State::Waiting, State::Flawed(WrongLength)),
            (&whole, None, State::Waiting, State::Flawed(NeverUploaded)),
            (&output, None, State::Waiting, State::Flawed(LostCiphertext)),
            (&parts, None, State::Flawed(LostCiphertext), State::Flawed(LostCiphertext)),
            (&parts, Some(1), State::Flawed(WrongLength), State::Flawed(WrongLength)),
            // Uploads that nobody continues are swept up, and until then they are nobody's garbage.
            (&open, None, State::Waiting, State::Waiting),
            (&open, Some(1), State::Waiting, State::Waiting),
        ] {
            let judged = [false, true].map(|old| judge(&file, row, length, old));
            assert_eq!(judged, [young, old], "{row:?} {length:?}");
        }
    }

    /// Every name is covered by exactly one window, whichever keys there are.
    #[test]
    fn windows_leave_no_gap_and_do_not_overlap() {
        let key = |name: &str| -> KeyId { name.parse().expect("short") };
        let ends = [None, Some(key("b")), Some(key("d")), None];
        let windows =
            ends.windows(2).map(|ends| Window { keys: HashSet::new(), after: ends[0].clone(), last: ends[1].clone() });
        let windows: Vec<_> = windows.collect();
        for (name, expected) in [("a", 0), ("b", 0), ("b0", 1), ("c", 1), ("d", 1), ("d0", 2), ("z", 2)] {
            let covering: Vec<_> = (0..3).filter(|at| windows[*at].covers(&key(name))).collect();
            assert_eq!(covering, [expected], "{name}");
        }
    }
}
