//! `teehouse task`: agree on a function over files, run it, fetch what it gave.

mod agree;
mod explain;
mod plan;
mod tells;
mod terms;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use client::{Plaintext, Teehouse, records};
use indicatif::HumanBytes;
use serde::Serialize;
use types::digest::Digest;
use types::error::FailureReason;
use types::function::{FunctionRef, FunctionType};
use types::id::{FileId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::user::UserId;
use types::wire::tdfs_external::FileInfo;
use types::wire::tms_external::{CollaboratorStatus, TaskInfo, TaskTerms};

use crate::exit::Complaint;
use crate::file::Record;
use crate::output::{Line, Output, write_lines};
use crate::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  teehouse task create psi --with bob --file FILE_ID      alice proposes
  teehouse task approve TASK_ID --file FILE_ID            bob looks with `show`, and agrees
  teehouse task run TASK_ID
  teehouse task results TASK_ID --select customers.txt    each sees which own lines are common
  teehouse task create echo && teehouse task run TASK_ID --payload hello";

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
    /// Create a task and print its id.
    #[command(after_help = "Examples:\n  teehouse task create echo\n  \
                            teehouse task create psi --with bob --file 0a9ca5ac-2150-4bdd-ab63-c2c12252e747")]
    Create {
        /// Which function; `teehouse function list` shows them
        function: String,
        /// Another party; may be said more than once
        #[arg(long, value_name = "USER")]
        with: Vec<UserId>,
        /// A file of yours that it reads; may be said more than once, and the order matters
        #[arg(long, value_name = "ID")]
        file: Vec<FileId>,
        #[command(flatten)]
        terms: Box<terms::Args>,
    },
    /// Show what approving a task comes to: code, files, who learns what, approvals, what changed since last time.
    #[command(after_help = "Examples:\n  teehouse task plan TASK_ID\n  teehouse task plan TASK_ID --json")]
    Plan {
        /// The task
        id: TaskId,
    },
    /// Say why a task does not run, or was refused: which rule, and whose turn it is.
    #[command(after_help = "Example:\n  teehouse task explain TASK_ID")]
    Explain {
        /// The task
        id: TaskId,
    },
    /// Bring your files to a task without approving it yet.
    #[command(after_help = "Example:\n  teehouse task bring TASK_ID --file b76f9ee2-63d2-43bd-a722-466792af7035")]
    Bring {
        /// The task
        id: TaskId,
        /// A file of yours that it reads; may be said more than once, and the order matters
        #[arg(long, value_name = "ID", required = true)]
        file: Vec<FileId>,
    },
    /// Fix the payload of a task that you created: every approval lapses.
    #[command(after_help = "Example:\n  teehouse task payload TASK_ID @request.json")]
    Payload {
        /// The task
        id: TaskId,
        /// The payload, or @FILE that holds it; none any more when absent
        #[arg(value_name = "TEXT|@FILE", value_parser = crate::settings::secret)]
        payload: Option<Secret>,
    },
    /// Take back your consent: what waits will not run, what runs is cancelled.
    #[command(after_help = "Example:\n  teehouse task withdraw TASK_ID --save withdrawal.json")]
    Withdraw {
        /// The task
        id: TaskId,
        /// Where the service's signed statement of it goes
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Cancel a task that you created.
    #[command(after_help = "Example:\n  teehouse task cancel TASK_ID")]
    Cancel {
        /// The task
        id: TaskId,
        /// Where the service's signed statement of it goes
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Show a task that you take part in.
    #[command(after_help = "Example:\n  teehouse task show 5ef0cfc7-11e9-445a-8c46-23790ea86819")]
    Show {
        /// The task
        id: TaskId,
    },
    /// Approve exactly what `task plan` shows, and bring your files to it; with a signature if you registered a key.
    #[command(
        after_help = "Examples:\n  teehouse task approve TASK_ID --file b76f9ee2-63d2-43bd-a722-466792af7035\n  \
                            teehouse task approve TASK_ID --manifest DIGEST"
    )]
    Approve {
        /// The task
        id: TaskId,
        /// A file of yours that it reads; may be said more than once, and the order matters
        #[arg(long, value_name = "ID")]
        file: Vec<FileId>,
        /// The manifest that you looked at: refused if it is another by now
        #[arg(long, value_name = "DIGEST")]
        manifest: Option<Digest>,
        /// Approve the task as it stands, whatever files others still bring
        #[arg(long, conflicts_with = "manifest")]
        as_it_stands: bool,
    },
    /// List the tasks that you take part in, newest first.
    #[command(after_help = "Example:\n  teehouse task list --long")]
    List {
        /// Show each task's function and status too; one more request for each
        #[arg(short, long)]
        long: bool,
    },
    /// Run a task that everyone approved, and print the function's result.
    #[command(after_help = "Examples:\n  teehouse task run TASK_ID --payload hello\n  \
                            teehouse task run TASK_ID --payload @request.json")]
    Run {
        /// The task
        id: TaskId,
        /// What the function is given beside its files: a text, or @FILE that holds it
        #[arg(long, value_name = "TEXT|@FILE", value_parser = crate::settings::secret)]
        payload: Option<Secret>,
    },
    /// Fetch your own results of a finished task, and those that all parties share.
    #[command(after_help = "Examples:\n  teehouse task results TASK_ID -o results/\n  \
                            teehouse task results TASK_ID --select customers.txt > common.txt")]
    Results {
        /// The task
        id: TaskId,
        /// A folder for them; without it they are only listed
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Print the lines of this text that psi says are common; it must be the text that was put with --lines
        #[arg(long, value_name = "PATH")]
        select: Option<PathBuf>,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    match verb {
        Verb::Create { function, with, file, terms } => {
            create(&connection.connect()?, &function, (&with, &file), terms.read()?, output).await
        }
        Verb::Plan { id } => plan::run(&connection.connect()?, &id, output).await,
        Verb::Explain { id } => explain::run(&connection.connect()?, &id, output).await,
        Verb::Bring { id, file } => agree::bring(&connection.connect()?, &id, &file, output).await,
        Verb::Payload { id, payload } => {
            let payload = payload.map(read_payload).transpose()?;
            agree::payload(&connection.connect()?, &id, payload, output).await
        }
        Verb::Withdraw { id, save } | Verb::Cancel { id, save } => {
            agree::withdraw(&connection.connect()?, &id, save.as_deref(), output).await
        }
        Verb::Show { id } => {
            let info = connection.connect()?.task(&id).await?;
            show(&Task::new(&id, &info), output)
        }
        Verb::Approve { id, file, manifest, as_it_stands } => {
            let of = if as_it_stands { agree::Of::AsItStands } else { agree::Of::Manifest(manifest) };
            agree::approve(&connection.connect()?, &id, (&file, of), output).await
        }
        Verb::List { long } => list(&connection.connect()?, long, output).await,
        Verb::Run { id, payload } => {
            let payload = payload.map(read_payload).transpose()?;
            invoke(&connection.connect()?, &id, payload, output).await
        }
        Verb::Results { id, output: dir, select } => {
            results(&connection.connect()?, &id, dir.as_deref(), select.as_deref(), output).await
        }
    }
}

/// What `create` answers. The task's token is not in it: whoever takes part can have it from the tms.
#[derive(Serialize)]
struct Created<'a> {
    task_id: &'a TaskId,
    ip: IpAddr,
    port: u16,
}

async fn create(
    user: &Teehouse,
    function: &str,
    (with, files): (&[UserId], &[FileId]),
    terms: TaskTerms,
    output: &Output,
) -> anyhow::Result<()> {
    let task = user.create_task_with(function, (with, files), terms).await?;
    let id = &task.task_id;
    match with {
        [] => output.note(format_args!("run it: teehouse task run {id}")),
        _ => output.note(format_args!("the others approve it: teehouse task approve {id} --file THEIR_FILE")),
    }
    let created = Created { task_id: id, ip: task.ip, port: task.port };
    output.result(&created, |out| writeln!(out, "{id}"))?;
    Ok(())
}

/// A task without its token.
#[derive(Serialize)]
struct Task<'a> {
    task_id: &'a TaskId,
    user_id: &'a UserId,
    function_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a FunctionRef>,
    function_type: FunctionType,
    status: Status,
    ip: IpAddr,
    port: u16,
    collaborator_list: &'a [CollaboratorStatus],
    task_result_file_id: Option<&'a FileId>,
    user_private_result_file_id: &'a [FileId],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a FailureReason>,
}

impl<'a> Task<'a> {
    fn new(task_id: &'a TaskId, info: &'a TaskInfo) -> Self {
        Task {
            task_id,
            user_id: &info.user_id,
            function_name: &info.function_name,
            function: info.function.as_ref(),
            function_type: info.function_type,
            status: info.status,
            ip: info.ip,
            port: info.port,
            collaborator_list: &info.collaborator_list,
            task_result_file_id: info.task_result_file_id.as_ref(),
            user_private_result_file_id: &info.user_private_result_file_id,
            error: info.error.as_ref(),
        }
    }

    /// The status in words: who has to act, or how it ended.
    fn standing(&self) -> String {
        match (self.status, self.error) {
            (Status::Created, _) => format!("Created: waits for {}", self.missing()),
            (Status::Ready, _) => "Ready: can be run".to_owned(),
            (Status::Failed, Some(reason)) => format!("Failed: {} ({})", reason.message, reason.code),
            (status, _) => status.to_string(),
        }
    }

    fn missing(&self) -> String {
        let missing = self.collaborator_list.iter().filter(|party| !party.approved);
        missing.map(|party| party.user_id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn show(task: &Task<'_>, output: &Output) -> anyhow::Result<()> {
    output.result(task, |out| {
        writeln!(out, "task            {}", task.task_id)?;
        let version = task.function.map(|pinned| format!(", version {}", pinned.version)).unwrap_or_default();
        writeln!(out, "function        {} ({:?}{version})", task.function_name, task.function_type)?;
        if let Some(pinned) = task.function {
            writeln!(out, "code            {}", pinned.digest)?;
        }
        writeln!(out, "status          {}", task.standing())?;
        writeln!(out, "created by      {}", task.user_id)?;
        for party in task.collaborator_list {
            let did = if party.approved { "approved" } else { "has not approved" };
            writeln!(out, "with            {} ({did})", party.user_id)?;
        }
        writeln!(out, "runs on         {}", std::net::SocketAddr::new(task.ip, task.port))?;
        for id in task.user_private_result_file_id {
            writeln!(out, "your result     {id}")?;
        }
        task.task_result_file_id.map_or(Ok(()), |id| writeln!(out, "shared result   {id}"))
    })?;
    Ok(())
}

/// What `list` answers.
#[derive(Serialize)]
struct List<T> {
    tasks: Vec<T>,
}

async fn list(user: &Teehouse, long: bool, output: &Output) -> anyhow::Result<()> {
    let ids = user.list_tasks().await?;
    if ids.is_empty() {
        output.note("no tasks yet: `teehouse task create FUNCTION` creates one");
    }
    if !long {
        let answer = List { tasks: ids };
        return Ok(output.result(&answer, |out| answer.tasks.iter().try_for_each(|id| writeln!(out, "{id}")))?);
    }
    let mut infos = Vec::with_capacity(ids.len());
    for id in &ids {
        infos.push(user.task(id).await?);
    }
    let answer = List { tasks: ids.iter().zip(&infos).map(|(id, info)| Task::new(id, info)).collect() };
    output.result(&answer, |out| {
        answer.tasks.iter().try_for_each(|task| {
            writeln!(
                out,
                "{}  {:<16}  {:<12}  {}",
                task.task_id,
                task.function_name,
                task.user_id.as_str(),
                task.standing()
            )
        })
    })?;
    Ok(())
}

pub(crate) fn read_payload(payload: Secret) -> anyhow::Result<Secret> {
    let Some(path) = payload.expose().strip_prefix('@') else { return Ok(payload) };
    let text = fs::read_to_string(path).with_context(|| format!("the payload file {path} can't be read"))?;
    Ok(Secret::new(text))
}

/// What `run` answers.
#[derive(Serialize)]
struct Ran<'a> {
    task_id: &'a TaskId,
    result: &'a str,
}

async fn invoke(user: &Teehouse, id: &TaskId, payload: Option<Secret>, output: &Output) -> anyhow::Result<()> {
    let spinner = output.spinner("running");
    let result = user.run(id, payload).await;
    drop(spinner);
    let result = result?;
    output.result(&Ran { task_id: id, result: &result }, |out| writeln!(out, "{result}"))?;
    Ok(())
}

/// One fetched result.
struct Fetched {
    kind: &'static str,
    id: FileId,
    info: FileInfo,
    plaintext: Plaintext,
}

async fn results(
    user: &Teehouse,
    id: &TaskId,
    dir: Option<&Path>,
    select: Option<&Path>,
    output: &Output,
) -> anyhow::Result<()> {
    let info = user.task(id).await?;
    check_finished(&Task::new(id, &info))?;
    let fetched = fetch_all(user, &info, output).await?;
    if let Some(dir) = dir {
        save_all(&fetched, dir, output)?;
    }
    match select {
        Some(path) => print_selected(&fetched, path, output),
        None => print_results(id, &fetched, dir, output),
    }
}

fn check_finished(task: &Task<'_>) -> anyhow::Result<()> {
    let complaint = Complaint::new(format!("task {} has no results: it is {}", task.task_id, task.standing()));
    match task.status {
        Status::Finished => Ok(()),
        Status::Ready => Err(complaint.help(format!("run it: teehouse task run {}", task.task_id)).into()),
        Status::Running => Err(complaint.help("try again in a moment").into()),
        Status::Created | Status::Failed => Err(complaint.into()),
    }
}

async fn fetch_all(user: &Teehouse, task: &TaskInfo, output: &Output) -> anyhow::Result<Vec<Fetched>> {
    let private = task.user_private_result_file_id.iter().map(|id| ("private", id));
    let shared = task.task_result_file_id.iter().map(|id| ("shared", id));
    let mut fetched = Vec::new();
    for (kind, id) in private.chain(shared) {
        let (info, plaintext) = user.get_file(id, output.bytes_bar(kind)).await?;
        fetched.push(Fetched { kind, id: id.clone(), info, plaintext });
    }
    Ok(fetched)
}

fn file_name(result: &Fetched) -> String {
    format!("{}-{}", result.kind, result.id)
}

fn save_all(fetched: &[Fetched], dir: &Path, output: &Output) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("folder {} can't be made", dir.display()))?;
    for result in fetched {
        let path = dir.join(file_name(result));
        client::write_private(&path, &result.plaintext)
            .with_context(|| format!("{} can't be written", path.display()))?;
        output.note(format_args!("{} are in {}", HumanBytes(result.info.file_size), path.display()));
    }
    Ok(())
}

/// What `results` answers.
#[derive(Serialize)]
struct Results<'a> {
    task_id: &'a TaskId,
    results: Vec<ResultFile<'a>>,
}

#[derive(Serialize)]
struct ResultFile<'a> {
    kind: &'static str,
    #[serde(flatten)]
    record: Record<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_as: Option<PathBuf>,
}

impl<'a> ResultFile<'a> {
    fn new(result: &'a Fetched, dir: Option<&Path>) -> Self {
        ResultFile {
            kind: result.kind,
            record: Record::new(&result.id, &result.info),
            saved_as: dir.map(|dir| dir.join(file_name(result))),
        }
    }
}

fn print_results(id: &TaskId, fetched: &[Fetched], dir: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let results = fetched.iter().map(|result| ResultFile::new(result, dir)).collect();
    let answer = Results { task_id: id, results };
    output.result(&answer, |out| {
        fetched.iter().try_for_each(|Fetched { kind, id, info, .. }| {
            writeln!(out, "{kind:<7}  {id}  {:>12}", HumanBytes(info.file_size).to_string())
        })
    })?;
    match (fetched, dir) {
        ([], _) => output.note("the task gave you no files; its result was the answer to `task run`"),
        (_, None) => output.note("-o DIR saves them; --select PATH prints the lines that psi says are common"),
        _ => {}
    }
    Ok(())
}

/// What `results --select` answers.
#[derive(Serialize)]
struct Selected<'a> {
    lines: Vec<Line<'a>>,
}

fn print_selected(fetched: &[Fetched], path: &Path, output: &Output) -> anyhow::Result<()> {
    let text = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let lines = select(fetched, &text).map_err(|complaint| {
        complaint.help(format!("name the text that you put with --lines; {} is not it", path.display()))
    })?;
    let answer = Selected { lines: lines.iter().copied().map(Line).collect() };
    output.result(&answer, |out| write_lines(out, &lines))?;
    Ok(())
}

/// The lines that the private result for this text selects.
fn select<'a>(fetched: &[Fetched], text: &'a [u8]) -> Result<Vec<&'a [u8]>, Complaint> {
    let mut refusal = Complaint::new("the task gave you no private result to select by");
    for result in fetched.iter().filter(|result| result.kind == "private") {
        match records::select(text, &result.plaintext) {
            Ok(lines) => return Ok(lines),
            Err(error) => {
                refusal = Complaint::new(format!("result {} does not fit the text", result.id)).because(error)
            }
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(status: Status, error: Option<FailureReason>) -> TaskInfo {
        let party = |name: &str, approved| CollaboratorStatus { user_id: name.parse().unwrap(), approved };
        TaskInfo {
            user_id: "alice".parse().unwrap(),
            function_name: "psi".to_owned(),
            function_type: FunctionType::Multiparty,
            status,
            ip: [127, 0, 0, 1].into(),
            port: 3444,
            task_token: Secret::new("t0ken".to_owned()),
            collaborator_list: vec![party("bob", true), party("carol", false), party("dave", false)],
            task_result_file_id: None,
            user_private_result_file_id: Vec::new(),
            error,
            function: None,
        }
    }

    #[test]
    fn a_task_says_who_has_to_act() {
        let id = "t".parse().unwrap();
        let check = |status, error, expected: &str| {
            let info = info(status, error);
            let task = Task::new(&id, &info);
            assert_eq!(task.standing(), expected);
            assert!(!serde_json::to_string(&task).unwrap().contains("t0ken"));
        };
        check(Status::Created, None, "Created: waits for carol, dave");
        check(Status::Ready, None, "Ready: can be run");
        check(Status::Running, None, "Running");
        check(Status::Finished, None, "Finished");
        let reason = FailureReason::new(types::error::ErrorCode::FunctionFailed, "input 1: odd");
        check(Status::Failed, Some(reason), "Failed: input 1: odd (function_failed)");
        check(Status::Failed, None, "Failed");
    }

    #[test]
    fn only_a_finished_task_has_results() {
        let id = "t".parse().unwrap();
        for status in Status::ALL {
            let info = info(status, None);
            assert_eq!(check_finished(&Task::new(&id, &info)).is_ok(), status == Status::Finished);
        }
    }

    #[test]
    fn a_payload_may_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("payload");
        fs::write(&path, "a\n").unwrap();
        let read = |payload: String| read_payload(Secret::new(payload)).map(|payload| payload.expose().to_owned());
        assert_eq!(read("plain".to_owned()).unwrap(), "plain");
        assert_eq!(read(format!("@{}", path.display())).unwrap(), "a\n");
        assert!(read("@/nowhere".to_owned()).is_err());
    }
}
