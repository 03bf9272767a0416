//! `teehouse file`: a user's files, encrypted and decrypted on this machine.

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use client::{Contents, Put, Teehouse};
use indicatif::HumanBytes;
use serde::Serialize;
use types::digest::Digest;
use types::file::{BadFileName, FileName, Format};
use types::id::{FileId, TaskId};
use types::user::UserId;
use types::wire::tdfs_external::{FileEntry, FileInfo, UsageInfo};

use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::Flags;
use crate::utc::utc;

const EXAMPLES: &str = "\
Examples:
  teehouse file put report.pdf
  teehouse file put customers.txt --lines       hash each line, for psi
  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 -o report.pdf
  teehouse file list --long";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Flags,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Encrypt a file, put it, and print its id.
    #[command(after_help = "Example:\n  FILE=$(teehouse file put customers.txt --lines)")]
    Put {
        /// The file; - is standard input
        path: PathBuf,
        /// Its display name; the path's last part when absent
        #[arg(long)]
        name: Option<FileName>,
        /// Put the SHA-256 of each line in place of the text: 32-byte records, as psi takes them
        #[arg(long)]
        lines: bool,
        /// How it is sealed: `single` (one AES-GCM message, up to 2 GiB) or `chunked` (any size); by its size when
        /// absent: over 256 MiB in chunks
        #[arg(long, value_name = "FORMAT", value_parser = format)]
        format: Option<Format>,
    },
    /// Fetch a file and decrypt it. What differs from what its owner declared is refused, and nothing of it is kept.
    #[command(after_help = "Example:\n  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 -o report.pdf")]
    Get {
        /// The file
        id: FileId,
        /// Where it goes, readable by you alone; standard output when absent
        #[arg(short, long, value_name = "PATH")]
        output: Option<PathBuf>,
    },
    /// Show a file's record.
    #[command(after_help = "Example:\n  teehouse file info 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 --json")]
    Info {
        /// The file
        id: FileId,
    },
    /// List your files, newest first.
    #[command(after_help = "Example:\n  teehouse file list --long")]
    List {
        /// Show each file's size, date and name too
        #[arg(short, long)]
        long: bool,
    },
    /// Show how much you keep, and how much you may keep.
    #[command(after_help = "Example:\n  teehouse file usage")]
    Usage,
    /// Delete a file: its record, its key and its ciphertext.
    #[command(after_help = "Example:\n  teehouse file rm 0a9ca5ac-2150-4bdd-ab63-c2c12252e747")]
    Rm {
        /// The file
        id: FileId,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    match verb {
        Verb::Put { path, name, lines, format } => {
            let name = name.map_or_else(|| name_of(&path), Ok)?;
            put(&connection.connect()?, What { path, lines, format }, name, output).await
        }
        Verb::Get { id, output: path } => {
            if output.is_json() && path.is_none() {
                let complaint = Complaint::usage("with --json a file's content has no place on standard output");
                return Err(complaint.help("say where it goes: -o PATH").into());
            }
            get(&connection.connect()?, &id, path.as_deref(), output).await
        }
        Verb::Info { id } => {
            let info = connection.connect()?.file_info(&id).await?;
            show(&Record::new(&id, &info), output)
        }
        Verb::List { long } => list(&connection.connect()?, long, output).await,
        Verb::Usage => {
            let usage = connection.connect()?.usage().await?;
            Ok(output.result(&usage, |out| write_usage(out, &usage))?)
        }
        Verb::Rm { id } => {
            let info = connection.connect()?.delete_file(&id).await?;
            output.note(format_args!("file {id} ({}) is deleted", info.file_name));
            output.result(&Record::new(&id, &info), |_| Ok(()))?;
            Ok(())
        }
    }
}

fn name_of(path: &Path) -> anyhow::Result<FileName> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = Complaint::usage(format!("{} gives no usable file name", path.display()));
    let complain = |error: BadFileName| named.help("name it yourself: --name NAME").because(error).into();
    name.parse().map_err(complain)
}

/// What is to be put.
struct What {
    path: PathBuf,
    lines: bool,
    format: Option<Format>,
}

fn format(text: &str) -> Result<Format, &'static str> {
    match text {
        "single" => Ok(Format::Single),
        "chunked" => Ok(Format::Chunked),
        _ => Err("expected single or chunked"),
    }
}

/// What `put` answers.
#[derive(Serialize)]
struct Answer<'a> {
    file_id: &'a FileId,
    file_name: &'a FileName,
    file_size: u64,
    sha256: Digest,
}

async fn put(user: &Teehouse, what: What, name: FileName, output: &Output) -> anyhow::Result<()> {
    let What { path, lines, format } = what;
    let path = if path == Path::new("-") { PathBuf::from("/dev/stdin") } else { path };
    let contents = if lines { Contents::Lines(path) } else { Contents::File(path) };
    let put = Put { format, ..Put::named(name.clone()) };
    let stored = user.put_file(contents, put, output.bytes_bar("encrypting")).await?;
    let size = HumanBytes(stored.file_size);
    match lines {
        true => output.note(format_args!("{} lines are put as {size} of records", stored.file_size / 32)),
        false => output.note(format_args!("{size} are put, SHA-256 {}", stored.sha256)),
    }
    let answer =
        Answer { file_id: &stored.file_id, file_name: &name, file_size: stored.file_size, sha256: stored.sha256 };
    output.result(&answer, |out| writeln!(out, "{}", stored.file_id))?;
    Ok(())
}

async fn get(user: &Teehouse, id: &FileId, path: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let bar = output.bytes_bar("fetching");
    let Some(path) = path else { return print(user, id, bar).await };
    let info = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let complaint = Complaint::usage(format!("{} is a folder", path.display()));
            return Err(complaint.help("name the file that is to be written: -o PATH").into());
        }
        // Devices and pipes are written to; a file is replaced once the whole new one is there.
        Ok(found) if !found.is_file() => {
            user.stream_file(id, fs::OpenOptions::new().write(true).open(path)?, bar).await?
        }
        _ => user.save_file(id, path, bar).await?,
    };
    output.note(format_args!(
        "{} are in {}, as declared by {}",
        HumanBytes(info.file_size),
        path.display(),
        info.user_id
    ));
    output.result(&Record::new(id, &info), |_| Ok(()))?;
    Ok(())
}

/// Writes a file to standard output: as it comes, unless people read it there.
async fn print(user: &Teehouse, id: &FileId, bar: impl FnMut(u64, u64) + Send + 'static) -> anyhow::Result<()> {
    if !io::stdout().is_terminal() {
        user.stream_file(id, io::stdout(), bar).await?;
        return Ok(io::stdout().flush()?);
    }
    let (_, plaintext) = user.get_file(id, bar).await?;
    if !is_text(&plaintext) {
        let complaint = Complaint::usage("the file is not text and would garble the terminal");
        return Err(complaint.help("say where it goes: -o PATH").into());
    }
    let mut out = io::stdout().lock();
    out.write_all(&plaintext)?;
    Ok(out.flush()?)
}

fn is_text(bytes: &[u8]) -> bool {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_harmless))
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
        }
    }
}

fn show(record: &Record<'_>, output: &Output) -> anyhow::Result<()> {
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
        writeln!(out, "ciphertext     {}", record.access_path)
    })?;
    Ok(())
}

/// What `list` answers.
#[derive(Serialize)]
struct List<T> {
    files: Vec<T>,
}

async fn list(user: &Teehouse, long: bool, output: &Output) -> anyhow::Result<()> {
    if long {
        return list_long(user, output).await;
    }
    let files = user.list_files().await?;
    note_if_empty(files.is_empty(), output);
    let answer = List { files };
    Ok(output.result(&answer, |out| answer.files.iter().try_for_each(|id| writeln!(out, "{id}")))?)
}

async fn list_long(user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let files = user.described_files().await?;
    note_if_empty(files.is_empty(), output);
    let answer = List { files };
    output.result(&answer, |out| answer.files.iter().try_for_each(|file| write_entry(out, file)))?;
    Ok(())
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

fn write_usage(out: &mut dyn Write, usage: &UsageInfo) -> io::Result<()> {
    let of = |limit: Option<String>| limit.map_or_else(|| "no limit".to_owned(), |limit| format!("of {limit}"));
    let bytes = HumanBytes(usage.bytes).to_string();
    writeln!(out, "files  {:>12}  {}", usage.files, of(usage.files_limit.map(|limit| limit.to_string())))?;
    writeln!(out, "bytes  {bytes:>12}  {}", of(usage.bytes_limit.map(|limit| HumanBytes(limit).to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_a_name() {
        assert_eq!(name_of(Path::new("/a/b.txt")).unwrap().as_str(), "b.txt");
        assert_eq!(name_of(Path::new("-")).unwrap().as_str(), "-");
        assert!(name_of(Path::new("a\nb")).is_err());
    }

    #[test]
    fn only_harmless_text_goes_to_a_terminal() {
        for good in ["", "a\tb\r\n", "grün"] {
            assert!(is_text(good.as_bytes()), "{good:?}");
        }
        for bad in [&b"\xff"[..], b"\x1b[2J", b"a\0"] {
            assert!(!is_text(bad), "{bad:?}");
        }
    }
}
