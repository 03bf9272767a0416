//! What a change of a task is in the log: a pure function of the task before and after it.

use types::consent::ApprovedBy;
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
        manifest: None,
        user_id: task.creator.clone(),
        function_name: task.function.name.clone(),
    }
}

fn approvals(task_id: &TaskId, before: &Task, after: &Task) -> Vec<Event> {
    let approved = after.collaborators.iter().filter(|collaborator| {
        collaborator.approved
            && before.collaborators.iter().any(|was| was.user_id == collaborator.user_id && !was.approved)
    });
    let event = |user_id| Event::Approved {
        task_id: task_id.clone(),
        manifest: None,
        user_id,
        by: ApprovedBy::Token,
        exact: false,
    };
    approved.map(|collaborator| event(collaborator.user_id.clone())).collect()
}

/// What it means that a task came to its status.
fn arrived(task_id: &TaskId, task: &Task) -> Option<Event> {
    let (task_id, manifest) = (task_id.clone(), None);
    match task.status() {
        Status::Created => None,
        Status::Ready => Some(Event::Ready { task_id, manifest }),
        Status::Running => Some(Event::Released {
            task_id,
            manifest,
            lease_id: task.lease.as_ref().and_then(|lease| lease.id.clone()),
            node: task.lease.as_ref().and_then(|lease| lease.node),
            files: task.inputs.iter().map(|input| input.file_id.clone()).collect(),
        }),
        Status::Finished => Some(Event::Finished { task_id, manifest, outputs: outputs(task), receipt: None }),
        Status::Failed => {
            let code = task.error.as_ref().map_or(ErrorCode::Internal, |reason| reason.code);
            Some(Event::Failed { task_id, manifest, code, receipt: None })
        }
    }
}

fn outputs(task: &Task) -> Vec<FileId> {
    task.outputs.iter().map(|output| output.file_id.clone()).chain(task.result_file.clone()).collect()
}
