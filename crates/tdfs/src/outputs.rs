//! What tasks make is nobody's until they have ended: up to then each party can take back its consent, and a task from
//! which one did leaves nothing behind.
//!
//! The tms tells of a task's end, a moment after it. Whoever asks before has the tms asked.

use rpc::CallError;
use types::id::{FileId, TaskId};
use types::user::UserId;
use types::wire::tdfs_internal::EndTask;
use types::wire::tms_internal::{FindEnded, FoundEnded, Response};

use crate::db::Page;
use crate::file::FileRow;
use crate::{Error, Tdfs, db};

impl Tdfs {
    /// A file's record, if it is no output of a task that has not ended.
    pub(crate) async fn released(&self, id: &FileId, row: FileRow) -> Result<FileRow, Error> {
        match &row.task_id {
            Some(task) if db::is_withheld(&self.store, task.clone(), id.clone()).await? => {
                self.release(id, task).await?;
                self.row(id).await
            }
            _ => Ok(row),
        }
    }

    /// Makes an output of a task had by those who may, or removes it, as the task's end says.
    pub(crate) async fn release(&self, file: &FileId, task: &TaskId) -> Result<(), Error> {
        self.settle(vec![task.clone()]).await?;
        match db::is_withheld(&self.store, task.clone(), file.clone()).await? {
            true => Err(Error::Withheld { file: file.clone(), task: task.clone() }),
            false => Ok(()),
        }
    }

    /// One page of an owner's files, without the records of what tasks made that have not ended.
    pub(crate) async fn released_page(
        &self,
        owner: &UserId,
        after: Option<u64>,
        limit: usize,
        details: bool,
    ) -> Result<Page, Error> {
        let page = db::list(&self.store, owner.clone(), after, limit, details).await?;
        if page.withheld.is_empty() {
            return Ok(page);
        }
        self.settle(page.withheld).await?;
        Ok(db::list(&self.store, owner.clone(), after, limit, details).await?)
    }

    /// Settles those of some tasks that have ended.
    async fn settle(&self, mut tasks: Vec<TaskId>) -> Result<(), Error> {
        tasks.sort_unstable();
        tasks.dedup();
        let FoundEnded { ended, going } = match self.tms.call(FindEnded { task_ids: tasks.clone() }).await {
            Ok(Response::Ended(found)) => found,
            Ok(_) => return Err(Error::Tms(CallError::unexpected())),
            Err(error) => return Err(Error::Tms(error)),
        };
        for task in tasks {
            let end = ended.iter().find(|end| end.task_id == task);
            match end {
                Some(EndTask { task_id, outputs }) => self.end_task(task_id.clone(), outputs.clone()).await?,
                // No such task: whatever it was, nobody's consent to it can be taken back.
                None if !going.contains(&task) => db::release_outputs(&self.store, task).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Releases what an ended task holds, and removes what it made without listing it: record, key and ciphertext.
    pub(crate) async fn end_task(&self, task: TaskId, outputs: Vec<FileId>) -> Result<(), Error> {
        if db::end_task(&self.store, task, outputs).await? {
            self.house.notify_one();
        }
        Ok(())
    }
}
