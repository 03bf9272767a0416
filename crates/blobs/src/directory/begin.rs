//! The files of an upload in parts: opened when they are there, made in an order that survives a crash when not.

use std::fs::File;
use std::sync::PoisonError;

use super::journal::Journal;
use super::{Inner, journal_name};
use crate::Id;
use crate::error::Reason;

/// An open upload.
pub(super) struct Upload {
    pub(super) data: File,
    pub(super) journal: Journal,
}

impl Inner {
    /// The upload, if one was begun.
    pub(super) fn upload(&self, id: &Id) -> Result<Option<Upload>, Reason> {
        let Some(data) = self.uploads.write(id.as_str())? else { return Ok(None) };
        let Some(journal) = self.uploads.write(&journal_name(id))? else { return Ok(None) };
        Ok(Some(Upload { data, journal: Journal(journal) }))
    }

    /// The upload, which is begun if need be; not when a finished ciphertext has the name.
    pub(super) fn begin(&self, id: &Id) -> Result<Upload, Reason> {
        if self.home.find(id.as_str())?.is_some() {
            return Err(Reason::Exists);
        }
        if let Some(upload) = self.upload(id)? {
            return Ok(upload);
        }
        let _alone = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        self.make(id)
    }

    /// Data without a journal says nothing about itself, so only the journal needs to be there last. A journal without
    /// data is of an upload that is over, and must be gone, durably, before there is data that it would vouch for.
    fn make(&self, id: &Id) -> Result<Upload, Reason> {
        if self.uploads.find(id.as_str())?.is_none() {
            if self.uploads.remove(&journal_name(id))? {
                self.uploads.sync()?;
            }
            self.uploads.create(id.as_str())?;
        }
        if self.uploads.find(&journal_name(id))?.is_none() {
            self.uploads.create(&journal_name(id))?;
            self.uploads.sync()?;
        }
        self.upload(id)?.ok_or(Reason::Superseded)
    }
}
