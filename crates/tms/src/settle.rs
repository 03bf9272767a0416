//! Settling with the tdfs: what a task held or made and did not list goes when the task ends.
//!
//! The end of a task and the note that the tdfs is to be told are one commit; the tdfs is told afterwards, again until
//! it answers. To be told twice changes nothing there. Where somebody asks the tdfs first for what a task made, it asks
//! here whether the task has ended.

use std::sync::Arc;
use std::time::Duration;

use rpc::shutdown::Shutdown;
use types::id::{FileId, TaskId};
use types::wire::tdfs_internal::EndTask;
use types::wire::tms_internal::FoundEnded;

use crate::task::Task;
use crate::{Error, Tms, db};

/// Tasks that one round settles.
const AT_ONCE: usize = 100;

/// How often the tdfs is asked again after it did not answer.
const RETRY: Duration = Duration::from_secs(10);

impl Tms {
    /// Settles ended tasks until the order to stop.
    pub async fn settle_ended(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            let more = self.settle_some().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "ended tasks wait for the tdfs");
                false
            });
            tokio::select! {
                () = std::future::ready(()), if more => {}
                () = self.ended.notified() => {}
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Whether there may be more.
    async fn settle_some(&self) -> Result<bool, Error> {
        let tasks = db::unsettled(&self.store, AT_ONCE).await?;
        let full = tasks.len() == AT_ONCE;
        for (id, task) in tasks {
            self.tdfs.call(EndTask { task_id: id.clone(), outputs: listed(task) }).await?;
            db::settled(&self.store, id).await?;
        }
        Ok(full)
    }

    /// Which of some tasks have ended.
    pub(crate) async fn which_ended(&self, tasks: Vec<TaskId>) -> Result<FoundEnded, Error> {
        let mut found = FoundEnded { ended: Vec::new(), going: Vec::new() };
        for (task_id, task) in db::tasks(&self.store, tasks).await? {
            match task.status().is_final() {
                true => found.ended.push(EndTask { task_id, outputs: listed(task) }),
                false => found.going.push(task_id),
            }
        }
        Ok(found)
    }

    /// Settles a task once more if it ended, after inputs were held for it in vain.
    pub(crate) async fn settle_again(&self, id: TaskId) -> Result<(), Error> {
        db::unsettle(&self.store, id).await?;
        self.ended.notify_one();
        Ok(())
    }

    /// Settles tasks that were being created when the tms stopped and never came to be.
    pub async fn settle_unborn(self: Arc<Self>) {
        for id in self.unborn.clone() {
            while let Err(error) = self.settle_one_unborn(&id).await {
                tracing::warn!(%error, "a task that never came to be waits for the tdfs");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    pub(crate) async fn settle_one_unborn(&self, id: &TaskId) -> Result<(), Error> {
        self.tdfs.call(EndTask { task_id: id.clone(), outputs: Vec::new() }).await?;
        Ok(db::no_intent(&self.store, id.clone()).await?)
    }
}

fn listed(task: Task) -> Vec<FileId> {
    task.outputs.into_iter().map(|output| output.file_id).chain(task.result_file).collect()
}
