//! `teehouse file put`: what is put, how, and whether it may be.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::{Put, StoredFile, Teehouse};
use indicatif::HumanBytes;
use serde::Serialize;
use types::consent::FilePolicy;
use types::digest::Digest;
use types::file::{FileName, Format};
use types::id::FileId;

use super::batch;
use super::check::{self, Check};
use super::input::{Input, Kind};
use super::policy;
use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  FILE=$(teehouse file put customers.txt --lines)
  teehouse file put photos                               a folder, as photos.tar
  pg_dump shop | teehouse file put - --name shop.sql     bash: set -o pipefail, in case it fails
  teehouse file put sales.csv --columns 'id:int,name:text,amount:float?,day:date'
  teehouse file put new.parquet --like old.parquet
  teehouse file put *.csv --like model.csv --parallel 8";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The files; a folder is put as one tar archive; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Its display name; the path's last part when absent, with .tar after a folder's
    #[arg(long)]
    name: Option<FileName>,
    /// Put the SHA-256 of each line in place of the text: 32-byte records, as psi takes them
    #[arg(long)]
    lines: bool,
    /// How it is sealed: `single` (one AES-GCM message, up to 2 GiB) or `chunked` (any size); by its size when
    /// absent: over 256 MiB in chunks, and what has no size beforehand over 8 MiB
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// How many files are put at once
    #[arg(long, value_name = "N", default_value = "4")]
    parallel: NonZeroU8,
    /// What tasks may do with them: a file as `teehouse file policy ID --json` shows it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    check: check::Flags,
}

fn format(text: &str) -> Result<Format, &'static str> {
    match text {
        "single" => Ok(Format::Single),
        "chunked" => Ok(Format::Chunked),
        _ => Err("expected single or chunked"),
    }
}

impl Args {
    /// Finds out what is to be done, and what of it can't be.
    pub(super) fn prepare(self) -> anyhow::Result<Work> {
        let Args { paths, name, lines, format, parallel, policy, check } = self;
        if name.is_some() && paths.len() > 1 {
            let complaint = Complaint::usage("one name is no name for several files");
            return Err(complaint.help("leave --name out, or put one at a time").into());
        }
        if paths.iter().filter(|path| *path == Path::new("-")).count() > 1 {
            return Err(Complaint::usage("there is one standard input, not several").help("say - once").into());
        }
        let inputs = paths.into_iter().map(|path| Input::new(path, name.clone())).collect::<Result<Vec<_>, _>>()?;
        let policy = policy.as_deref().map(policy::read).transpose()?;
        let how = How { lines, format, policy, check: Check::new(check)?.map(Arc::new) };
        inputs.iter().try_for_each(|input| how.suits(input))?;
        Ok(Work { inputs, how, parallel: parallel.get().into() })
    }
}

/// What is put, and how.
pub(super) struct Work {
    inputs: Vec<Input>,
    how: How,
    parallel: usize,
}

impl Work {
    pub(super) async fn run(self, user: &Teehouse, output: &Output) -> anyhow::Result<()> {
        match self.inputs.as_slice() {
            [input] => {
                let (stored, rows) = self.how.put(user, input, output.bytes_bar("encrypting")).await?;
                self.how.note(input, &stored, rows, output);
                output.result(&Answer::new(input, &stored), |out| writeln!(out, "{}", stored.file_id))?;
                Ok(())
            }
            inputs => batch::put(user, inputs, &self.how, self.parallel, output).await,
        }
    }
}

/// How everything is put.
pub(super) struct How {
    lines: bool,
    format: Option<Format>,
    policy: Option<FilePolicy>,
    check: Option<Arc<Check>>,
}

impl How {
    /// What can't be put in this way is refused before anything is sent.
    fn suits(&self, input: &Input) -> Result<(), Complaint> {
        let path = input.path.display();
        match (input.kind, &self.check) {
            (Kind::Folder, _) if self.lines => {
                Err(Complaint::usage(format!("{path} is a folder and has no lines")).help("leave --lines out"))
            }
            (Kind::Folder, Some(_)) => {
                Err(Complaint::usage(format!("{path} is a folder, not a table")).help("put the tables in it by name"))
            }
            (Kind::Standard, Some(_)) => Err(Complaint::usage("standard input can't be checked before it is sent")
                .help("write it to a file, and put that")),
            _ => Ok(()),
        }
    }

    /// Puts one file. A table is looked at before, and has to be the same still after it was sent; how many rows it has.
    pub(super) async fn put(
        &self,
        user: &Teehouse,
        input: &Input,
        bar: impl FnMut(u64, u64) + Send + 'static,
    ) -> anyhow::Result<(StoredFile, Option<u64>)> {
        let looked = match self.check.clone() {
            Some(check) => {
                let path = input.path.clone();
                Some(tokio::task::spawn_blocking(move || check.table(&path)).await??)
            }
            None => None,
        };
        let (begun, lines) = (input.clone(), self.lines);
        let contents = tokio::task::spawn_blocking(move || begun.contents(lines)).await??;
        let (format, policy) = (self.format, self.policy.clone());
        let put = Put { format, policy, ..Put::named(input.name.clone()) };
        let stored = user.put_file(contents, put, bar).await?;
        if looked.as_ref().is_some_and(|looked| !looked.is_current(&input.path)) {
            user.delete_file(&stored.file_id).await?;
            let complaint = Complaint::new(format!("{} changed while it was checked and put", input.path.display()));
            return Err(complaint.help("it was deleted again: put it when nobody writes to it").into());
        }
        Ok((stored, looked.map(|looked| looked.rows)))
    }

    fn note(&self, input: &Input, stored: &StoredFile, rows: Option<u64>, output: &Output) {
        let (size, sha256) = (HumanBytes(stored.file_size), stored.sha256);
        match (rows, self.lines, input.kind) {
            (Some(rows), _, _) => {
                output.note(format_args!("{rows} rows ({size}) are checked and put, SHA-256 {sha256}"))
            }
            (None, true, _) => {
                output.note(format_args!("{} lines are put as {size} of records", stored.file_size / 32))
            }
            (None, false, Kind::Folder) => {
                output.note(format_args!("{size} are put as {}, SHA-256 {sha256}", input.name));
            }
            (None, false, _) => output.note(format_args!("{size} are put, SHA-256 {sha256}")),
        }
    }
}

/// What `put` answers of one file.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    file_id: FileId,
    file_name: &'a FileName,
    file_size: u64,
    sha256: Digest,
}

impl<'a> Answer<'a> {
    pub(super) fn new(input: &'a Input, stored: &StoredFile) -> Self {
        let StoredFile { file_id, file_size, sha256 } = stored.clone();
        Answer { file_id, file_name: &input.name, file_size, sha256 }
    }
}
