//! Deleting one file, and sweeping up uploads that nobody goes on with.

use std::time::SystemTime;

use super::list::{self, Name};
use super::{Directory, Inner, journal_name};
use crate::Id;
use crate::error::Reason;

impl Directory {
    /// Whatever has this name: an upload, drafts, the finished file. Requests that are writing it fail.
    pub(crate) async fn delete(&self, id: &Id) -> Result<(), Reason> {
        let id = id.clone();
        self.step(move |inner| {
            let _all = inner.claims.all(&id);
            inner.remove_upload(&id)?;
            inner.home.remove(id.as_str())?;
            Ok(inner.home.sync()?)
        })
        .await
    }

    /// Uploads and drafts whose last activity was before `older_than`, and that nobody is writing to.
    pub(crate) async fn sweep(&self, older_than: SystemTime) -> Result<Vec<Id>, Reason> {
        self.step(move |inner| inner.sweep(older_than)).await
    }
}

impl Inner {
    fn remove_upload(&self, id: &Id) -> Result<(), Reason> {
        // The data first: without it the journal vouches for nothing.
        self.uploads.remove(id.as_str())?;
        self.uploads.remove(&journal_name(id))?;
        Ok(self.uploads.sync()?)
    }

    fn sweep(&self, older_than: SystemTime) -> Result<Vec<Id>, Reason> {
        let mut swept = Vec::new();
        for name in list::names(&self.uploads)? {
            match list::parse_upload(&name?) {
                Name::Upload(id) | Name::Journal(id) if self.sweep_upload(&id, older_than)? => swept.push(id),
                Name::Draft(id, name) if self.sweep_draft(&id, &name, older_than)? => swept.push(id),
                _ => {}
            }
        }
        self.uploads.sync()?;
        Ok(swept)
    }

    fn sweep_upload(&self, id: &Id, older_than: SystemTime) -> Result<bool, Reason> {
        let Some(_all) = self.claims.all_if_idle(id) else { return Ok(false) };
        match self.last_activity(id)? {
            Some(last) if last < older_than => self.remove_upload(id).map(|()| true),
            _ => Ok(false),
        }
    }

    fn last_activity(&self, id: &Id) -> Result<Option<SystemTime>, Reason> {
        let found = [self.uploads.find(id.as_str())?, self.uploads.find(&journal_name(id))?];
        Ok(found.into_iter().flatten().map(|found| found.modified).max())
    }

    fn sweep_draft(&self, id: &Id, name: &str, older_than: SystemTime) -> Result<bool, Reason> {
        let Some(_all) = self.claims.all_if_idle(id) else { return Ok(false) };
        match self.uploads.find(name)? {
            Some(found) if found.modified < older_than => self.uploads.remove(name),
            _ => Ok(false),
        }
    }
}
