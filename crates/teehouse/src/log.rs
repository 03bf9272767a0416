//! `teehouse log`: what happened to one's tasks, files and consent, proven by the tms's append-only log.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;
use client::{LogEntry, Teehouse};
use serde::Serialize;
use serde_json::Value;
use types::id::TaskId;

use crate::output::Output;
use crate::settings::Flags;
use crate::utc::utc;

const EXAMPLES: &str = "\
Examples:
  teehouse log list                      what concerns you, oldest first
  teehouse log list --task TASK_ID
  teehouse log verify                    that the log only grew, and nothing of yours is missing
  teehouse log watch                     entries as they come

Every verb compares what the server shows with what it showed before, which is kept in
$XDG_STATE_HOME/teehouse/log (else ~/.local/state/teehouse/log), and ends with status 5 if that is
another history.";

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
    /// List the entries that concern you, oldest first; each is proven to be in the log.
    #[command(after_help = "Examples:\n  teehouse log list\n  teehouse log list --task TASK_ID --json")]
    List {
        /// Only those about this task
        #[arg(long, value_name = "ID")]
        task: Option<TaskId>,
    },
    /// Verify the log: who signs it, that it extends what you saw before, that all your entries are in it.
    #[command(after_help = "Example:\n  teehouse log verify && echo the server showed one history")]
    Verify,
    /// Print entries as they come, until it is interrupted; with --json, one line for each.
    #[command(after_help = "Examples:\n  teehouse log watch\n  teehouse log watch --new --json")]
    Watch {
        /// Leave out the entries that there are already
        #[arg(long)]
        new: bool,
        /// Seconds between two looks
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
        every: u64,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    let user = connection.connect()?;
    match verb {
        Verb::List { task } => list(&user, task, output).await,
        Verb::Verify => verify(&user, output).await,
        Verb::Watch { new, every } => watch(&user, new, Duration::from_secs(every), output).await,
    }
}

/// What `list` answers.
#[derive(Serialize)]
struct List {
    entries: Vec<LogEntry>,
}

async fn list(user: &Teehouse, task: Option<TaskId>, output: &Output) -> anyhow::Result<()> {
    let entries = user.log_reader(task).rest().await?;
    if entries.is_empty() {
        output.note("nothing in the log concerns you yet");
    }
    let answer = List { entries };
    output.result(&answer, |out| answer.entries.iter().try_for_each(|entry| line(out, entry)))?;
    Ok(())
}

/// What `verify` answers. What is not true ends the command instead.
#[derive(Serialize)]
struct Verified {
    size: u64,
    root: String,
    entries: usize,
}

async fn verify(user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let before = user.log_remembered()?;
    let entries = user.log_reader(None).rest().await?.len();
    let checkpoint = user.log_checkpoint().await?;
    let (size, root) = (checkpoint.size, crypto::hash::hex(&checkpoint.root));
    output.result(&Verified { size, root: root.clone(), entries }, |out| {
        writeln!(out, "the log has {size} entries; root {root}")?;
        writeln!(out, "it is signed by the tms of {}, which this client accepts", user.deployment())?;
        match before {
            Some(before) => writeln!(out, "it extends the {} entries that you saw before", before.size)?,
            None => writeln!(out, "you saw nothing of it before: from now on it can only grow")?,
        }
        writeln!(out, "all {entries} entries that concern you are in it, and none is missing between them")
    })?;
    Ok(())
}

async fn watch(user: &Teehouse, new: bool, every: Duration, output: &Output) -> anyhow::Result<()> {
    let mut reader = user.log_reader(None);
    if new {
        reader.rest().await?;
    }
    loop {
        let entries = reader.next().await?;
        let mut out = io::stdout().lock();
        for entry in &entries {
            match output.is_json() {
                true => writeln!(out, "{}", serde_json::to_string(entry)?)?,
                false => line(&mut out, entry)?,
            }
        }
        out.flush()?;
        drop(out);
        if entries.is_empty() {
            tokio::time::sleep(every).await;
        }
    }
}

/// An entry on one line: index, time, kind, and the rest as `name=value`.
fn line(out: &mut dyn Write, entry: &LogEntry) -> io::Result<()> {
    let kind = entry.event["type"].as_str().unwrap_or("?");
    write!(out, "{:>6}  {}  {kind:<15}", entry.index, utc(entry.at_ms))?;
    for (name, value) in entry.event.as_object().into_iter().flatten().filter(|(name, _)| *name != "type") {
        match value {
            Value::String(text) => write!(out, "  {name}={text}")?,
            other => write!(out, "  {name}={other}")?,
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use types::time::UnixMillis;

    use super::*;

    #[test]
    fn an_entry_is_one_line_whatever_it_says() {
        let event = serde_json::json!({"type": "Later", "user_id": "alice", "exact": true, "files": ["f"]});
        let entry = LogEntry { index: 7, at_ms: UnixMillis(1_700_000_000_000), concerns: Vec::new(), event };
        let mut out = Vec::new();
        line(&mut out, &entry).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "     7  2023-11-14T22:13:20Z  Later            exact=true  files=[\"f\"]  user_id=alice\n");
    }
}
