//! What a change of a task is in the log: a pure function of the task before and after it.

use crypto::hash::Sha256;
use types::digest::Digest;
use types::error::ErrorCode;
use types::id::{FileId, TaskId};
use types::log::Event;
use types::task::Status;

use crate::task::Task;

/// The events that a change is made of, in their order. Without a task before it, the task was created.
pub(crate) fn of_change(task_id: &TaskId, before: Option<&Task>, after: &Task) -> Vec<Event> {
    let Some(before) = before else { return vec![created(task_id, after)] };
    let mut events = approvals(task_id, before, after);
    if before.status() != after.status() {
        events.extend(arrived(task_id, after));
    }
    events
}

fn created(task_id: &TaskId, task: &Task) -> Event {
    Event::Created {
        task_id: task_id.clone(),
        manifest: task.digest(task_id).ok(),
        user_id: task.creator.clone(),
        function_name: task.function.name.clone(),
    }
}

/// Approvals that came, and such that lapsed.
fn approvals(task_id: &TaskId, before: &Task, after: &Task) -> Vec<Event> {
    let (Ok(was), Ok(is)) = (before.agreement(task_id), after.agreement(task_id)) else { return Vec::new() };
    let lapsed = was.standing().iter().filter(|approval| is.of(&approval.user_id).is_none());
    let dropped = lapsed.map(|approval| Event::ApprovalDropped {
        task_id: task_id.clone(),
        manifest: after.digest(task_id).ok(),
        user_id: approval.user_id.clone(),
    });
    let new = is.standing().iter().filter(|approval| !was.standing().contains(approval));
    let approved = new.map(|approval| Event::Approved {
        task_id: task_id.clone(),
        manifest: Some(approval.manifest),
        user_id: approval.user_id.clone(),
        by: approval.by.clone(),
        exact: approval.exact,
    });
    dropped.chain(approved).collect()
}

/// What it means that a task came to its status.
fn arrived(task_id: &TaskId, task: &Task) -> Option<Event> {
    let (task_id, manifest) = (task_id.clone(), task.digest(task_id).ok());
    let statement = task.run.as_ref().and_then(|run| run.statement.as_ref());
    let run = statement.map(|signed| Digest::new(Sha256::digest(&signed.payload.0)));
    match (task.status(), &task.withdrawn) {
        (Status::Created, _) => None,
        (Status::Ready, _) => Some(Event::Ready { task_id, manifest }),
        (Status::Running, _) => Some(Event::Released {
            task_id,
            manifest,
            lease_id: task.lease.as_ref().and_then(|lease| lease.id.clone()),
            node: task.lease.as_ref().and_then(|lease| lease.node),
            files: task.inputs.iter().map(|input| input.file_id.clone()).collect(),
        }),
        (Status::Finished, _) => Some(Event::Finished { task_id, manifest, outputs: outputs(task), run }),
        (Status::Failed, Some(withdrawn)) if withdrawn.by == task.creator => {
            Some(Event::Cancelled { task_id, manifest, user_id: withdrawn.by.clone() })
        }
        (Status::Failed, Some(withdrawn)) => {
            Some(Event::Withdrawn { task_id, manifest, user_id: withdrawn.by.clone() })
        }
        (Status::Failed, None) => {
            let code = task.error.as_ref().map_or(ErrorCode::Internal, |reason| reason.code);
            Some(Event::Failed { task_id, manifest, code, run })
        }
    }
}

fn outputs(task: &Task) -> Vec<FileId> {
    task.outputs.iter().map(|output| output.file_id.clone()).chain(task.result_file.clone()).collect()
}
