//! What a change of a task is in the log: a pure function of the task before and after it.

use crypto::hash::Sha256;
use types::consent::Approval;
use types::digest::Digest;
use types::error::ErrorCode;
use types::id::{FileId, TaskId};
use types::log::Event;
use types::task::Status;
use types::trust::TrustLevel;

use crate::task::Task;

/// The events that a change is made of, in their order. Without a task before it, the task was created.
pub(crate) fn of_change(task_id: &TaskId, before: Option<&Task>, after: &Task) -> Vec<Event> {
    let Some(before) = before else { return vec![created(task_id, after)] };
    let mut events = Vec::new();
    let manifest = digest(task_id, after);
    if digest(task_id, before) != manifest {
        events.push(Event::Changed { task_id: task_id.clone(), manifest });
    }
    events.extend(approvals(task_id, before, after));
    match &after.withdrawn {
        Some(withdrawn) if before.withdrawn.is_none() => events.push(withdrawal(task_id, after, withdrawn.by.clone())),
        _ if before.status() != after.status() => events.extend(arrived(task_id, after)),
        _ => {}
    }
    events
}

/// The manifest's digest, which every task has whose numbers have a canonical form.
fn digest(task_id: &TaskId, task: &Task) -> Option<Digest> {
    task.digest(task_id).ok()
}

fn standing(task_id: &TaskId, task: &Task) -> Vec<Approval> {
    task.agreement(task_id).map(|agreement| agreement.standing().to_vec()).unwrap_or_default()
}

fn created(task_id: &TaskId, task: &Task) -> Event {
    Event::Created {
        task_id: task_id.clone(),
        manifest: digest(task_id, task),
        user_id: task.creator.clone(),
        approved: standing(task_id, task).iter().any(|approval| approval.user_id == task.creator),
        function_name: task.function.name.clone(),
    }
}

/// Approvals that are none any more, then new ones.
fn approvals(task_id: &TaskId, before: &Task, after: &Task) -> Vec<Event> {
    let (old, new) = (standing(task_id, before), standing(task_id, after));
    let dropped = old.iter().filter(|old| !new.iter().any(|new| new.user_id == old.user_id)).map(|old| {
        let (task_id, manifest) = (task_id.clone(), digest(task_id, after));
        Event::ApprovalDropped { task_id, manifest, user_id: old.user_id.clone() }
    });
    let given = new.iter().filter(|new| !old.contains(new)).map(|new| Event::Approved {
        task_id: task_id.clone(),
        manifest: Some(new.manifest),
        user_id: new.user_id.clone(),
        by: new.by.clone(),
        exact: new.exact,
    });
    dropped.chain(given).collect()
}

fn withdrawal(task_id: &TaskId, task: &Task, user_id: types::user::UserId) -> Event {
    let (task_id, manifest) = (task_id.clone(), digest(task_id, task));
    match user_id == task.creator {
        true => Event::Cancelled { task_id, manifest, user_id },
        false => Event::Withdrawn { task_id, manifest, user_id },
    }
}

/// What it means that a task came to its status.
fn arrived(task_id: &TaskId, task: &Task) -> Option<Event> {
    let (manifest, task_id) = (digest(task_id, task), task_id.clone());
    match task.status() {
        Status::Created => None,
        Status::Ready => Some(Event::Ready { task_id, manifest }),
        Status::Running => Some(Event::Released {
            task_id,
            manifest,
            lease_id: task.lease.as_ref().and_then(|lease| lease.id.clone()),
            node: task.lease.as_ref().and_then(|lease| lease.node),
            trust: task.run.as_ref().map_or(TrustLevel::Simulated, |run| run.trust),
            files: task.inputs.iter().map(|input| input.file_id.clone()).collect(),
        }),
        Status::Finished => {
            Some(Event::Finished { task_id, manifest, outputs: outputs(task), run_sha256: statement(task) })
        }
        Status::Failed => {
            let code = task.error.as_ref().map_or(ErrorCode::Internal, |reason| reason.code);
            Some(Event::Failed { task_id, manifest, code, run_sha256: statement(task) })
        }
    }
}

/// SHA-256 of what the node stated of the run.
fn statement(task: &Task) -> Option<Digest> {
    let statement = task.run.as_ref()?.statement.as_ref()?;
    Some(Digest::new(Sha256::digest(&statement.payload.0)))
}

fn outputs(task: &Task) -> Vec<FileId> {
    task.outputs.iter().map(|output| output.file_id.clone()).chain(task.result_file.clone()).collect()
}
