//! What opens a run's files: their records, and their keys, which the kms releases all at once or not at all.

use types::file::PinnedFile;
use types::key::KeyConfig;
use types::wire::kms::{BeginUse, GetKey, ReleaseKeys, ReleasedKeys, Response, WantedKey};
use types::wire::tdfs_internal::FileRecord;

use super::{Session, record};
use crate::Error;
use crate::error::unexpected;

/// A file that can be opened.
pub(super) struct Sealed {
    pub(super) record: FileRecord,
    pub(super) key: KeyConfig,
}

/// Files that can be opened.
#[derive(Default)]
pub(super) struct Unlocked {
    /// In the order asked.
    pub(super) files: Vec<Sealed>,
    /// Whether their uses are counted.
    pub(super) counted: bool,
}

impl Session {
    /// Asks for all that the run reads: its code, unless that is here, and its inputs.
    pub(super) async fn unlock(&self, code: Option<&PinnedFile>) -> Result<Unlocked, Error> {
        let inputs = &self.plan.inputs;
        if !self.plan.named {
            return self.release(code.into_iter().chain(inputs).collect()).await;
        }
        // What only the invocation names, is not the task's: its key is there for whoever may ask, or not at all.
        let mut unlocked = self.release(code.into_iter().collect()).await?;
        for input in inputs {
            let record = self.pinned_record(input).await?;
            let key = self.key(&record).await?;
            unlocked.files.push(Sealed { record, key });
        }
        Ok(unlocked)
    }

    /// The records of files of the task, and their keys: all or none.
    async fn release(&self, files: Vec<&PinnedFile>) -> Result<Unlocked, Error> {
        const OPERATION: &str = "fetch the inputs' keys";
        if files.is_empty() {
            return Ok(Unlocked::default());
        }
        let (mut records, mut wanted) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
        for file in files {
            let record = self.pinned_record(file).await?;
            wanted.push(WantedKey { file_id: file.file_id.clone(), key_id: record.key_id.clone() });
            records.push(record);
        }
        let (task_id, lease_id) = (self.plan.task_id.clone(), self.lease.clone());
        let release = ReleaseKeys { task_id, lease_id, files: wanted };
        let ReleasedKeys { keys, counted } =
            match self.node.services.kms.call(release).await.map_err(Error::withheld(OPERATION))? {
                Response::Release(released) if released.keys.len() == records.len() => released,
                _ => return Err(unexpected(OPERATION)),
            };
        let files = records.into_iter().zip(keys).map(|(record, key)| Sealed { record, key }).collect();
        Ok(Unlocked { files, counted })
    }

    /// Says that the function is about to read: from now on the run counts as a use of its files.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        const OPERATION: &str = "count the uses of inputs";
        let begin = BeginUse { task_id: self.plan.task_id.clone(), lease_id: self.lease.clone() };
        match self.node.services.kms.call(begin).await.map_err(Error::withheld(OPERATION))? {
            Response::Begin(_) => Ok(()),
            _ => Err(unexpected(OPERATION)),
        }
    }

    /// A file's record: of exactly the bytes that were consented to.
    async fn pinned_record(&self, file: &PinnedFile) -> Result<FileRecord, Error> {
        let record = record(&self.node, &file.file_id).await?;
        match (record.sha256, record.file_size) == (file.sha256, file.file_size) {
            true => Ok(record),
            false => {
                let reason = "it was declared anew after it was brought to the task".to_owned();
                Err(Error::Input { file: file.file_id.clone(), reason })
            }
        }
    }

    async fn key(&self, record: &FileRecord) -> Result<KeyConfig, Error> {
        const OPERATION: &str = "fetch an input's key";
        let get = GetKey { key_id: record.key_id.clone() };
        match self.node.services.kms.call(get).await.map_err(Error::withheld(OPERATION))? {
            Response::Get(found) => Ok(found.config),
            _ => Err(unexpected(OPERATION)),
        }
    }
}
