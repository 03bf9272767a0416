//! `teehouse task approve`, `bring`, `payload`, `withdraw` and `cancel`: giving consent, and taking it back.

use std::path::Path;

use anyhow::Context as _;
use client::Teehouse;
use crypto::hash::Sha256;
use serde::Serialize;
use types::digest::Digest;
use types::id::{FileId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::user::UserId;

use crate::exit::Complaint;
use crate::key;
use crate::output::Output;

/// What `approve` answers.
#[derive(Serialize)]
struct Approved<'a> {
    task_id: &'a TaskId,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_sha256: Option<Digest>,
    signed: bool,
}

/// What an approval is of.
pub(super) enum Of {
    /// The task as it stands, and whatever files others bring: the documented request.
    AsItStands,
    /// The manifest that there is, or the one that was looked at.
    Manifest(Option<Digest>),
}

pub(super) async fn approve(
    user: &Teehouse,
    id: &TaskId,
    (files, of): (&[FileId], Of),
    output: &Output,
) -> anyhow::Result<()> {
    let wanted = match of {
        Of::AsItStands => {
            let status = user.approve(id, files).await?.status;
            return print(&Approved { task_id: id, status, manifest_sha256: None, signed: false }, output);
        }
        Of::Manifest(wanted) => wanted,
    };
    if wanted.is_some() && !files.is_empty() {
        return Err(Complaint::usage("--manifest is of a manifest that has your files: bring them first")
            .help(format!("teehouse task bring {id} --file FILE_ID"))
            .into());
    }
    let found = if files.is_empty() { user.manifest(id).await? } else { user.bring_files(id, files).await? };
    let manifest = wanted.unwrap_or(found.manifest_sha256);
    let signer = key::signer(user).await?;
    let status = user.approve_manifest(id, manifest, signer.as_ref()).await?.status;
    let lapsed = found.lapsed.iter().map(|approval| &approval.user_id);
    let again: Vec<&str> = lapsed.filter(|user| found.missing.contains(user)).map(UserId::as_str).collect();
    if !again.is_empty() && !files.is_empty() {
        output.note(format_args!("your files changed the task: {} must approve it again", again.join(", ")));
    }
    print(&Approved { task_id: id, status, manifest_sha256: Some(manifest), signed: signer.is_some() }, output)
}

fn print(approved: &Approved<'_>, output: &Output) -> anyhow::Result<()> {
    output.result(approved, |out| writeln!(out, "{}", approved.status))?;
    match approved.status {
        Status::Ready => output.note(format_args!("everyone approved; run it: teehouse task run {}", approved.task_id)),
        _ => output.note("others are still to approve"),
    }
    Ok(())
}

/// What `bring` and `payload` answer.
#[derive(Serialize)]
struct Changed<'a> {
    task_id: &'a TaskId,
    status: Status,
    manifest_sha256: Digest,
    missing: Vec<UserId>,
}

pub(super) async fn bring(user: &Teehouse, id: &TaskId, files: &[FileId], output: &Output) -> anyhow::Result<()> {
    let found = user.bring_files(id, files).await?;
    let changed =
        Changed { task_id: id, status: found.status, manifest_sha256: found.manifest_sha256, missing: found.missing };
    print_changed(&changed, output)
}

pub(super) async fn payload(
    user: &Teehouse,
    id: &TaskId,
    payload: Option<Secret>,
    output: &Output,
) -> anyhow::Result<()> {
    let found = user.set_payload(id, payload.as_ref().map(digest)).await?;
    let changed =
        Changed { task_id: id, status: found.status, manifest_sha256: found.manifest_sha256, missing: found.missing };
    print_changed(&changed, output)
}

/// What a manifest says of a payload.
pub(super) fn digest(payload: &Secret) -> Digest {
    Digest::new(Sha256::digest(payload.expose().as_bytes()))
}

fn print_changed(changed: &Changed<'_>, output: &Output) -> anyhow::Result<()> {
    output.result(changed, |out| writeln!(out, "{}", changed.manifest_sha256))?;
    let missing: Vec<&str> = changed.missing.iter().map(UserId::as_str).collect();
    match missing.is_empty() {
        true => output.note(format_args!("the task is {}", changed.status)),
        false => output.note(format_args!("{} must approve it", missing.join(", "))),
    }
    Ok(())
}

pub(super) async fn withdraw(user: &Teehouse, id: &TaskId, save: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let statement = user.withdraw(id).await?;
    if let Some(path) = save {
        let text = serde_json::to_vec(&statement)?;
        client::write_shared(path, &text).with_context(|| format!("{} can't be written", path.display()))?;
    }
    output.result(&statement, |out| writeln!(out, "withdrawn: nothing of it runs, and nothing of it will"))?;
    if save.is_none() {
        output.note("--save FILE keeps the service's signed statement of it");
    }
    Ok(())
}
