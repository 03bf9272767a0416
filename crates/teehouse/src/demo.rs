//! `teehouse demo`: two parties, a list each, and the lines that both have. Neither shows the other its list.
//!
//! The parties act as two people at two machines would: each with its own token and its own client, through the TLS
//! ports of services that were started for this alone, in a temporary directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client::{Contents, FileError, Put, Settings, Simulation, StoredFile, Teehouse, Transfers, records};
use indicatif::{HumanBytes, HumanCount};
use rpc::config::Config;
use rpc::telemetry::{self, LogFormat};
use serde::Serialize;
use types::error::ErrorCode;
use types::id::{FileId, TaskId};
use types::service::{Api, Role};
use types::user::UserId;
use types::wire::admin::{AddUser, Response};

use crate::exit::Complaint;
use crate::output::{Line, Output, write_lines};
use crate::signals::Signals;
use crate::system::{Mode, System};

const EXAMPLES: &str = "\
Examples:
  teehouse demo
  teehouse demo left.txt right.txt > common.txt

The common lines go to standard output, sorted byte by byte, each once; in a shell with LC_ALL=C
`comm -12 <(sort -u LEFT) <(sort -u RIGHT)` prints the same. The story of who did and saw what
goes to standard error.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// One party's text file; without it, a list of e-mail addresses that comes with the program
    #[arg(requires = "right")]
    left: Option<PathBuf>,
    /// The other party's
    right: Option<PathBuf>,
}

/// A party's list: lines of any bytes.
#[derive(Clone, Debug)]
pub struct List {
    /// What to call it.
    pub name: String,
    /// The lines.
    pub text: Vec<u8>,
}

impl List {
    /// The two lists that come with the program (made by `scripts/demo_lists.py`).
    pub fn built_in() -> [List; 2] {
        let list = |name: &str, text: &[u8]| List { name: name.to_owned(), text: text.to_vec() };
        [list("left.txt", include_bytes!("../demo/left.txt")), list("right.txt", include_bytes!("../demo/right.txt"))]
    }

    fn lines(&self) -> u64 {
        records::lines(&self.text).count() as u64
    }
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let lists = match (args.left, args.right) {
        (Some(left), Some(right)) => read_lists(&left, &right)?,
        _ => List::built_in(),
    };
    telemetry::start_logs(LogFormat::Text, "error");
    let dir = tempfile::Builder::new().prefix("teehouse-demo-").tempdir().context("no temporary directory")?;
    let tell = |line: String| output.note(line);
    let mut signals = Signals::install()?;
    let outcome = tokio::select! {
        outcome = on_own_system(dir.path(), &lists, &tell) => outcome,
        () = signals.next() => Err(Complaint::new("interrupted").into()),
    };
    dir.close().context("the temporary directory can't be removed")?;
    let learned = outcome?;
    let common: Vec<&[u8]> = learned.common.iter().map(Vec::as_slice).collect();
    output.result(&Answer::new(&learned, &common), |out| write_lines(out, &common))?;
    Ok(())
}

fn read_lists(left: &Path, right: &Path) -> anyhow::Result<[List; 2]> {
    let lists = [read_list(left)?, read_list(right)?];
    let (left_file, right_file) = (fs::metadata(left)?, fs::metadata(right)?);
    if (left_file.dev(), left_file.ino()) == (right_file.dev(), right_file.ino()) {
        let complaint = Complaint::usage(format!("{} and {} are one file", left.display(), right.display()));
        return Err(complaint.help("name two files, one for each party: teehouse demo LEFT RIGHT").into());
    }
    Ok(lists)
}

fn read_list(path: &Path) -> anyhow::Result<List> {
    let text = fs::read(path).map_err(|error: io::Error| {
        let complaint = Complaint::usage(format!("{} can't be read", path.display()));
        complaint.help("name two text files: teehouse demo LEFT RIGHT").because(error)
    })?;
    if text.is_empty() {
        let complaint = Complaint::usage(format!("{} is empty", path.display()));
        return Err(complaint.help("a list needs at least one line, else there is nothing to compare").into());
    }
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(List { name, text })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    platform: &'a str,
    task_id: &'a TaskId,
    parties: &'a [Share; 2],
    common: Vec<Line<'a>>,
}

impl<'a> Answer<'a> {
    fn new(learned: &'a Learned, common: &[&'a [u8]]) -> Self {
        let common = common.iter().copied().map(Line).collect();
        Answer { platform: learned.platform, task_id: &learned.task_id, parties: &learned.parties, common }
    }
}

/// What both parties know in the end.
#[derive(Debug)]
pub struct Learned {
    /// The platform that the services ran on.
    pub platform: &'static str,
    /// The task.
    pub task_id: TaskId,
    /// Each party's part in it.
    pub parties: [Share; 2],
    /// The lines that both have: each once, sorted byte by byte.
    pub common: Vec<Vec<u8>>,
}

/// One party's part in the task.
#[derive(Debug, Serialize)]
pub struct Share {
    /// Who.
    pub user_id: UserId,
    /// How many lines the party's list has.
    pub lines: u64,
    /// The records that the party put.
    pub file_id: FileId,
    /// The party's private result.
    pub result_file_id: FileId,
    /// How many of the party's lines the other party has too, repeats included.
    pub common_lines: u64,
}

/// Starts a system of its own in a folder, plays, and ends it.
async fn on_own_system(dir: &Path, lists: &[List; 2], tell: &(dyn Fn(String) + Sync)) -> anyhow::Result<Learned> {
    let start = Instant::now();
    let system = System::start(configuration(dir), &Role::ALL, Mode::Dev).await?;
    introduce(&system, start.elapsed(), tell);
    let learned = play(&system, lists, tell).await;
    system.stop().await;
    let learned = learned?;
    tell(format!("\nAll of it took {}. The directory and everything in it is gone.", time(start.elapsed())));
    Ok(learned)
}

/// Free ports on this machine.
fn configuration(dir: &Path) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
    config.kms.listen = free;
    (config.tdfs.external, config.tdfs.internal) = (free, free);
    (config.tms.external, config.tms.internal) = (free, free);
    config.fns.external = free;
    config
}

fn introduce(system: &System, took: Duration, tell: &dyn Fn(String)) {
    let ports: Vec<_> = [Api::Kms, Api::TdfsExternal, Api::TmsExternal, Api::FnsExternal]
        .into_iter()
        .filter_map(|api| Some(format!("{} {}", api.role(), system.address(api)?)))
        .collect();
    tell(
        "Two parties want to know which lines both of their lists have. Neither shows the other its list.\n".to_owned(),
    );
    tell(format!("services  {}, started in {}", ports.join(", "), time(took)));
    tell(format!("platform  {}\n", platform_note(system.platform().as_str())));
}

fn platform_note(platform: &str) -> String {
    match platform {
        "simulated" => "simulated: the evidence is made up, and whoever runs this machine could look inside".to_owned(),
        other => other.to_owned(),
    }
}

/// One of the two people.
struct Party<'l> {
    client: Teehouse,
    list: &'l List,
}

/// Plays the whole journey on a running `--dev` system, as two new users of it, and checks that both learn the same.
///
/// # Errors
/// When any step fails, or the two answers disagree.
pub async fn play(
    system: &System,
    [left, right]: &[List; 2],
    tell: &(dyn Fn(String) + Sync),
) -> anyhow::Result<Learned> {
    let alice = join(system, "alice", left).await?;
    let bob = join(system, "bob", right).await?;
    let files = [put(&alice, tell).await?, put(&bob, tell).await?];
    let task_id = agree(&alice, &bob, &files, tell).await?;
    refuse_foreign_file(&alice, &bob, &files[1].file_id, tell).await?;
    compute(&alice, &task_id, tell).await?;
    let (alice_share, for_alice) = fetch(&alice, &task_id, &files[0], tell).await?;
    let (bob_share, for_bob) = fetch(&bob, &task_id, &files[1], tell).await?;
    if for_alice != for_bob {
        bail!("the two parties' answers disagree: this is a defect of Teehouse");
    }
    tell(format!(
        "both      have learned the same {} lines; neither was shown the other's list",
        HumanCount(for_alice.len() as u64)
    ));
    Ok(Learned {
        platform: system.platform().as_str(),
        task_id,
        parties: [alice_share, bob_share],
        common: for_alice.into_iter().map(<[u8]>::to_vec).collect(),
    })
}

/// Makes a user and gives them a client, which knows what the operator would hand out: addresses, trust and a token.
async fn join<'l>(system: &System, name: &str, list: &'l List) -> anyhow::Result<Party<'l>> {
    let user: UserId = name.parse()?;
    let data_dir = &system.config().data_dir;
    let added = identity::operate(data_dir, AddUser { user_id: user.clone(), token: None }.into()).await?;
    let Response::AddUser(issued) = added else { bail!("user {name} was not added") };
    let address = |api| system.address(api).map(|address| address.to_string()).context("the system is not whole");
    let client = Teehouse::connect(Settings {
        tms: address(Api::TmsExternal)?,
        tdfs: address(Api::TdfsExternal)?,
        trust: data_dir.join("trust"),
        simulation: Simulation::Allowed,
        user,
        token: issued.token,
        transfers: Transfers::default(),
    })?;
    Ok(Party { client, list })
}

/// As wide as the names in a story.
const INDENT: &str = "         ";

/// Tells one step of one party.
fn step(party: &Party<'_>, what: &str, since: Instant, tell: &dyn Fn(String)) {
    tell(format!("{:<9} {what} ({})", party.client.user().as_str(), time(since.elapsed())));
}

async fn put(party: &Party<'_>, tell: &(dyn Fn(String) + Sync)) -> anyhow::Result<StoredFile> {
    let since = Instant::now();
    let List { name, text } = party.list;
    let hashed = records::from_lines(text);
    let stored =
        party.client.put_file(Contents::Bytes(hashed.into()), Put::named("records".parse()?), |_, _| {}).await?;
    let what = format!(
        "hashes each of the {} lines of {name} ({}),\n{INDENT} encrypts the records ({}) and puts them as file {}",
        HumanCount(party.list.lines()),
        HumanBytes(text.len() as u64),
        HumanBytes(stored.file_size),
        short(stored.file_id.as_str()),
    );
    step(party, &what, since, tell);
    Ok(stored)
}

async fn agree(
    alice: &Party<'_>,
    bob: &Party<'_>,
    files: &[StoredFile; 2],
    tell: &(dyn Fn(String) + Sync),
) -> anyhow::Result<TaskId> {
    let since = Instant::now();
    let with = bob.client.user().clone();
    let task = alice.client.create_task("psi", &[with], &[files[0].file_id.clone()]).await?.task_id;
    let what = format!("creates task {}: psi over her file and one of bob's", short(task.as_str()));
    step(alice, &what, since, tell);
    let since = Instant::now();
    let seen = bob.client.task(&task).await?;
    let approved = bob.client.approve(&task, &[files[1].file_id.clone()]).await?;
    let what = format!(
        "sees that {} asks for {} on {}:{},\n{INDENT} brings his file and approves: the task is {}",
        seen.user_id, seen.function_name, seen.ip, seen.port, approved.status
    );
    step(bob, &what, since, tell);
    Ok(task)
}

/// Shows that a party to a task can't read the other's file.
async fn refuse_foreign_file(
    alice: &Party<'_>,
    bob: &Party<'_>,
    file: &FileId,
    tell: &(dyn Fn(String) + Sync),
) -> anyhow::Result<()> {
    let since = Instant::now();
    let owner = bob.client.user();
    match alice.client.get_file(file, |_, _| {}).await {
        Err(FileError::Show { source, .. }) if source.code() == Some(ErrorCode::NotFound) => {
            let what = format!("asks for {owner}'s file {} and is told that there is none", short(file.as_str()));
            step(alice, &what, since, tell);
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => bail!("{owner}'s file was given to another user: this is a defect of Teehouse"),
    }
}

async fn compute(alice: &Party<'_>, task: &TaskId, tell: &(dyn Fn(String) + Sync)) -> anyhow::Result<()> {
    let since = Instant::now();
    let result = alice.client.run(task, None).await?;
    step(alice, &format!("runs it; the node answers: {result}"), since, tell);
    Ok(())
}

/// Fetches a party's private result and selects by it.
async fn fetch<'l>(
    party: &Party<'l>,
    task: &TaskId,
    put: &StoredFile,
    tell: &(dyn Fn(String) + Sync),
) -> anyhow::Result<(Share, BTreeSet<&'l [u8]>)> {
    let since = Instant::now();
    let info = party.client.task(task).await?;
    let [result_file_id] = &info.user_private_result_file_id[..] else {
        bail!("{} got {} results and not one", party.client.user(), info.user_private_result_file_id.len());
    };
    let (_, answer) = party.client.get_file(result_file_id, |_, _| {}).await?;
    let lines = records::select(&party.list.text, &answer)?;
    let what = format!(
        "fetches a private result, file {} ({}): {} of {} lines are common",
        short(result_file_id.as_str()),
        HumanBytes(answer.len() as u64),
        HumanCount(lines.len() as u64),
        HumanCount(party.list.lines()),
    );
    step(party, &what, since, tell);
    let share = Share {
        user_id: party.client.user().clone(),
        lines: party.list.lines(),
        file_id: put.file_id.clone(),
        result_file_id: result_file_id.clone(),
        common_lines: lines.len() as u64,
    };
    Ok((share, lines.into_iter().collect()))
}

/// Enough of an id to tell it from the others of a story.
fn short(id: &str) -> String {
    format!("{}…", id.chars().take(8).collect::<String>())
}

fn time(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        millis @ ..10_000 => format!("{millis} ms"),
        millis => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lists_have_common_lines() {
        let [left, right] = List::built_in();
        let set = |list: &List| records::lines(&list.text).map(<[u8]>::to_vec).collect::<BTreeSet<_>>();
        let common = set(&left).intersection(&set(&right)).count();
        assert!(left.lines() > 2000 && right.lines() > 2000 && (100..1000).contains(&common), "{common}");
    }

    #[test]
    fn lists_that_make_no_sense_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (good, empty, missing) = (file("good", "a\n"), file("empty", ""), dir.path().join("missing"));
        let check = |left: &Path, right: &Path, expected: &str| {
            let error = read_lists(left, right).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        };
        check(&good, &good, "are one file");
        check(&good, &empty, "empty is empty");
        check(&missing, &good, "missing can't be read");
        check(dir.path(), &good, "can't be read");
        assert!(read_lists(&good, &file("other", "a\n")).is_ok());
    }
}
