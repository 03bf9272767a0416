//! An upload becomes a finished file: checked against its journal, made durable, and given its name in one step.

use super::begin::Upload;
use super::claims::Claim;
use super::folder::Found;
use super::{Directory, Inner, journal_name};
use crate::error::Reason;
use crate::layout::check_cover;
use crate::{Id, Layout};

impl Directory {
    pub(crate) async fn complete(&self, id: &Id, stored_len: u64) -> Result<Layout, Reason> {
        let id = id.clone();
        self.step(move |inner| {
            let claim = inner.claims.all(&id);
            inner.complete(&claim, &id, stored_len)?;
            Ok(Layout::Whole)
        })
        .await
    }
}

impl Inner {
    fn complete(&self, claim: &Claim, id: &Id, stored_len: u64) -> Result<(), Reason> {
        let finished = self.home.find_file(id.as_str())?;
        let draft = self.uploads.find_file(id.as_str())?;
        match (finished, draft) {
            (Some(finished), draft) => self.completed(id, stored_len, finished, draft)?,
            (None, None) => return Err(Reason::Missing),
            (None, Some(_)) => self.name_upload(claim, id, stored_len)?,
        }
        // The name first, then the journal: it is what vouches for the upload until then.
        self.home.sync()?;
        self.uploads.sync()?;
        self.uploads.remove(&journal_name(id)).map(drop)
    }

    fn name_upload(&self, claim: &Claim, id: &Id, stored_len: u64) -> Result<(), Reason> {
        let Upload { data, journal } = self.upload(id)?.ok_or(Reason::Missing)?;
        check_cover(stored_len, &journal.received()?)?;
        let len = data.metadata()?.len();
        if len < stored_len {
            return Err(Reason::Damaged);
        }
        // The last part may have been longer when it came for the first time.
        if len > stored_len {
            data.set_len(stored_len)?;
        }
        data.sync_all()?;
        claim.act(|| self.uploads.rename(id.as_str(), &self.home, id.as_str()))
    }

    /// Completing again is fine. An upload beside a finished file is another file's, unless none of its parts counts, or
    /// it is the same file under both names, which a crash can leave where names are given by linking.
    fn completed(&self, id: &Id, stored_len: u64, finished: Found, draft: Option<Found>) -> Result<(), Reason> {
        match draft {
            _ if finished.len != stored_len => Err(Reason::Exists),
            Some(draft) if draft.file == finished.file => self.uploads.remove(id.as_str()).map(drop),
            Some(_) if self.vouched(id)? => Err(Reason::Exists),
            Some(_) => self.uploads.remove(id.as_str()).map(drop),
            None => Ok(()),
        }
    }

    /// Whether any part of the upload was acknowledged.
    fn vouched(&self, id: &Id) -> Result<bool, Reason> {
        match self.upload(id)? {
            Some(upload) => Ok(!upload.journal.received()?.is_empty()),
            None => Ok(false),
        }
    }
}
