//! `teehouse task explain`: why a task does not run, or was refused.

use client::Teehouse;
use serde::Serialize;
use types::id::TaskId;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::FoundManifest;

use crate::output::Output;
use crate::utc::utc;

/// What `explain` answers.
#[derive(Serialize)]
struct Explained<'a> {
    task_id: &'a TaskId,
    status: Status,
    because: Vec<String>,
}

pub(super) async fn run(user: &Teehouse, id: &TaskId, output: &Output) -> anyhow::Result<()> {
    let found = user.manifest(id).await?;
    let explained = Explained { task_id: id, status: found.status, because: explain(&found) };
    output.result(&explained, |out| explained.because.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    Ok(())
}

/// Where a task stands and why, one reason a line: the rule, and the party whose turn it is.
pub(super) fn explain(found: &FoundManifest) -> Vec<String> {
    let id = &found.manifest.task_id;
    match found.status {
        Status::Created => waits(found),
        Status::Ready => ready(found),
        Status::Running => vec!["it runs now".to_owned()],
        Status::Finished => vec![format!("it ran; `teehouse task results {id}` fetches what it gave")],
        Status::Failed => match &found.error {
            Some(error) => vec![format!("it failed ({}): {}", error.code, error.message)],
            None => vec!["it failed, and nobody said why".to_owned()],
        },
    }
}

fn waits(found: &FoundManifest) -> Vec<String> {
    let rule = &found.manifest.approval;
    let mut because = Vec::new();
    if let Some(deadline) = rule.deadline_ms.filter(|deadline| UnixMillis::now() > *deadline) {
        because.push(format!("it can't be approved any more: its deadline was {}; create it anew", utc(deadline)));
    }
    if let (Some(number), false) = (rule.at_least, found.missing.is_empty()) {
        because.push(format!("{number} parties must approve, and {} did", found.approvals.len()));
    }
    because.extend(found.missing.iter().map(|user| format!("{user} {}", lacks(found, user))));
    because.extend(found.incomplete.clone());
    because
}

fn lacks(found: &FoundManifest, user: &UserId) -> &'static str {
    match found.lapsed.iter().any(|approval| approval.user_id == *user) {
        true => "approved it before it changed, and must approve it again",
        false => "has not approved it",
    }
}

fn ready(found: &FoundManifest) -> Vec<String> {
    let (id, limits, now) = (&found.manifest.task_id, &found.manifest.limits, UnixMillis::now());
    if let Some(why) = &found.incomplete {
        return vec![why.clone()];
    }
    match (limits.not_before_ms, limits.not_after_ms) {
        (Some(first), _) if now < first => {
            vec![format!("everyone agreed that it starts at {} at the earliest", utc(first))]
        }
        (_, Some(last)) if now > last => {
            vec![format!("everyone agreed that it starts by {}, which has passed; create it anew", utc(last))]
        }
        _ => vec![format!("it can be run: teehouse task run {id}")],
    }
}
