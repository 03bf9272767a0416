//! `teehouse file list`, `info` and `usage`: what a user has.

use std::cmp::Reverse;
use std::io::{self, Write};

use clap::ValueEnum;
use client::Teehouse;
use indicatif::HumanBytes;
use serde::Serialize;
use types::consent::{FilePolicy, SignedStatement};
use types::digest::Digest;
use types::file::FileName;
use types::id::{FileId, TaskId};
use types::user::UserId;
use types::wire::tdfs_external::{DeletedFile, FileEntry, FileInfo, UsageInfo};

use super::policy;
use crate::output::Output;
use crate::utc::utc;

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    /// By name
    Name,
    /// Largest first
    Size,
    /// Newest first
    Date,
}

/// A file's record without its key.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    file_id: &'a FileId,
    user_id: &'a UserId,
    file_name: &'a FileName,
    file_size: u64,
    sha256: Digest,
    task_id: Option<&'a TaskId>,
    collaborator_list: &'a [UserId],
    access_path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a FilePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(file_id: &'a FileId, info: &'a FileInfo) -> Self {
        let FileInfo { user_id, file_name, sha256, file_size, access_path, task_id, collaborator_list, .. } = info;
        Record {
            file_id,
            user_id,
            file_name,
            file_size: *file_size,
            sha256: *sha256,
            task_id: task_id.as_ref(),
            collaborator_list,
            access_path,
            policy: info.policy.as_ref(),
            uses: info.uses,
        }
    }
}

pub(super) fn show(record: &Record<'_>, output: &Output) -> anyhow::Result<()> {
    output.result(record, |out| {
        writeln!(out, "file           {}", record.file_id)?;
        writeln!(out, "name           {}", record.file_name)?;
        writeln!(out, "owner          {}", record.user_id)?;
        writeln!(out, "size           {} bytes", record.file_size)?;
        writeln!(out, "SHA-256        {}", record.sha256)?;
        if let Some(task) = record.task_id {
            writeln!(out, "written by     task {task}")?;
        }
        if !record.collaborator_list.is_empty() {
            let names: Vec<_> = record.collaborator_list.iter().map(UserId::as_str).collect();
            writeln!(out, "shared with    {}", names.join(", "))?;
        }
        if record.policy.is_some() {
            policy::write(out, record.policy, record.uses)?;
        }
        writeln!(out, "ciphertext     {}", record.access_path)
    })?;
    Ok(())
}

/// What `rm` answers.
#[derive(Serialize)]
struct Removed<'a> {
    #[serde(flatten)]
    record: Record<'a>,
    /// The service's signed statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<&'a SignedStatement>,
}

pub(super) fn removed(id: &FileId, deleted: &DeletedFile, output: &Output) -> anyhow::Result<()> {
    let (info, erasure) = (&deleted.file_info, deleted.erasure.as_ref());
    output.note(format_args!("file {id} ({}) is deleted", info.file_name));
    match erasure {
        Some(_) => output.note("its key is gone; --json shows the service's signed statement"),
        None => output.note("its key goes as soon as the kms can be reached"),
    }
    output.result(&Removed { record: Record::new(id, info), erasure }, |_| Ok(()))?;
    Ok(())
}

/// What `list` answers.
#[derive(Serialize)]
struct List<T> {
    files: Vec<T>,
}

pub(super) async fn list(user: &Teehouse, long: bool, sort: Sort, output: &Output) -> anyhow::Result<()> {
    if long || sort != Sort::Date {
        let mut files = user.described_files().await?;
        self::sort(&mut files, sort);
        return if long { list_entries(files, output) } else { list_ids(files.into_iter().map(id).collect(), output) };
    }
    list_ids(user.list_files().await?, output)
}

fn id(file: FileEntry) -> FileId {
    file.file_id
}

/// Sorts what comes newest first; what is equal stays in that order.
fn sort(files: &mut [FileEntry], sort: Sort) {
    match sort {
        Sort::Name => files.sort_by(|a, b| a.file_name.as_str().cmp(b.file_name.as_str())),
        Sort::Size => files.sort_by_key(|file| Reverse(file.file_size)),
        Sort::Date => files.sort_by_key(|file| Reverse(file.created_ms)),
    }
}

fn list_ids(files: Vec<FileId>, output: &Output) -> anyhow::Result<()> {
    note_if_empty(files.is_empty(), output);
    let answer = List { files };
    Ok(output.result(&answer, |out| answer.files.iter().try_for_each(|id| writeln!(out, "{id}")))?)
}

fn list_entries(files: Vec<FileEntry>, output: &Output) -> anyhow::Result<()> {
    note_if_empty(files.is_empty(), output);
    let answer = List { files };
    Ok(output.result(&answer, |out| answer.files.iter().try_for_each(|file| write_entry(out, file)))?)
}

fn note_if_empty(empty: bool, output: &Output) {
    if empty {
        output.note("no files yet: `teehouse file put PATH` puts one");
    }
}

fn write_entry(out: &mut dyn Write, file: &FileEntry) -> io::Result<()> {
    let size = match file.incomplete {
        true => "unfinished".to_owned(),
        false => HumanBytes(file.file_size).to_string(),
    };
    writeln!(out, "{}  {:>12}  {}  {}", file.file_id, size, utc(file.created_ms), file.file_name)
}

pub(super) async fn usage(user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let usage = user.usage().await?;
    Ok(output.result(&usage, |out| write_usage(out, &usage))?)
}

fn write_usage(out: &mut dyn Write, usage: &UsageInfo) -> io::Result<()> {
    let of = |limit: Option<String>| limit.map_or_else(|| "no limit".to_owned(), |limit| format!("of {limit}"));
    let bytes = HumanBytes(usage.bytes).to_string();
    writeln!(out, "files  {:>12}  {}", usage.files, of(usage.files_limit.map(|limit| limit.to_string())))?;
    writeln!(out, "bytes  {bytes:>12}  {}", of(usage.bytes_limit.map(|limit| HumanBytes(limit).to_string())))
}
