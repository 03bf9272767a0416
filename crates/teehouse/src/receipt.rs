//! `teehouse receipt`: fetch a task's receipt, look at it, verify it on any machine.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use consent::receipt::{MAX_BYTES, NotProven, Proven, verify};
use consent::statement;
use indicatif::HumanBytes;
use rpc::deployment::{Simulation, Trust};
use serde::Serialize;
use types::consent::{ApprovedBy, SignedStatement};
use types::id::TaskId;
use types::receipt::{RECEIPT, Receipt};
use types::service::Role;

use crate::exit::Complaint;
use crate::output::{Output, named};
use crate::settings::Flags;
use crate::utc::utc;

const EXAMPLES: &str = "\
Examples:
  teehouse receipt get TASK_ID -o receipt.json
  teehouse receipt show receipt.json     what it says; nothing is verified
  teehouse receipt verify receipt.json --trust trust

`verify` asks nobody: all it needs is the receipt and a trust folder with the auditors' manifest.";

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
    /// Fetch the receipt of a task that ended.
    #[command(after_help = "Example:\n  teehouse receipt get TASK_ID -o receipt.json")]
    Get {
        /// The task
        id: TaskId,
        /// Where it goes; to standard output without it, or with -
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show what a receipt says, without verifying anything.
    #[command(after_help = "Example:\n  teehouse receipt show receipt.json")]
    Show {
        /// The receipt
        file: PathBuf,
    },
    /// Verify a receipt by the auditors' manifest, offline, and say what it proves and what it does not.
    #[command(after_help = "Examples:\n  teehouse receipt verify receipt.json --trust trust\n  \
                            teehouse receipt verify receipt.json --trust trust --allow-simulated")]
    Verify {
        /// The receipt
        file: PathBuf,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    match verb {
        Verb::Get { id, output: path } => get(connection, &id, named(path.as_deref()), output).await,
        Verb::Show { file } => show(&read(&file)?, output),
        Verb::Verify { file } => check(connection, &file, output),
    }
}

async fn get(connection: Flags, id: &TaskId, path: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let receipt = connection.connect()?.receipt(id).await?;
    // One line: what is said of simulation stands before everything else.
    let text = serde_json::to_string(&receipt)? + "\n";
    match path {
        None => io::stdout().write_all(text.as_bytes())?,
        Some(path) => {
            client::write_shared(path, text.as_bytes())
                .with_context(|| format!("{} can't be written", path.display()))?;
            output.note(format_args!("anyone can check it: teehouse receipt verify {} --trust DIR", path.display()));
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<SignedStatement> {
    let failed = || format!("{} can't be read", path.display());
    let mut text = Vec::new();
    File::open(path).with_context(failed)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).with_context(failed)?;
    if text.len() > MAX_BYTES {
        return Err(Complaint::untrusted(format!("{} is too long for a receipt", path.display())).into());
    }
    serde_json::from_slice(&text).with_context(|| format!("{} is no receipt", path.display()))
}

fn show(signed: &SignedStatement, output: &Output) -> anyhow::Result<()> {
    let receipt: Receipt = statement::open(signed, RECEIPT).context("this is no receipt")?;
    output.result(&receipt, |out| {
        if is_simulated(signed, &receipt) {
            writeln!(out, "{}", statement::SIMULATED)?;
        }
        writeln!(out, "what the receipt says; `teehouse receipt verify` finds out whether it is so")?;
        print(&receipt, out)
    })?;
    Ok(())
}

/// Whether it says so itself, by the evidence in it.
fn is_simulated(signed: &SignedStatement, receipt: &Receipt) -> bool {
    let run = receipt.run.as_ref().and_then(|run| run.statement.as_ref());
    let simulated = |signed: &SignedStatement| {
        statement::platform(&signed.signer).is_ok_and(|platform| platform == attest::platform::Platform::Simulated)
    };
    simulated(signed) || run.is_some_and(simulated)
}

fn print(receipt: &Receipt, out: &mut dyn Write) -> io::Result<()> {
    let manifest = &receipt.manifest;
    writeln!(out, "task            {} of {}", manifest.task_id, receipt.deployment)?;
    writeln!(out, "ended           {}", receipt.status)?;
    if let Some(error) = &receipt.error {
        writeln!(out, "because         {} ({})", error.message, error.code)?;
    }
    writeln!(out, "manifest        {}", receipt.manifest_sha256)?;
    writeln!(
        out,
        "code            {} version {}, {}",
        manifest.function.name, manifest.function.version, manifest.function.digest
    )?;
    for input in &manifest.inputs {
        writeln!(
            out,
            "read            {}'s {} ({}), SHA-256 {}",
            input.user_id,
            input.file_id,
            HumanBytes(input.file_size),
            input.sha256
        )?;
    }
    for approval in &receipt.approvals {
        let how = match &approval.by {
            ApprovedBy::Token => "by token",
            ApprovedBy::Signature(_) => "with a signature",
        };
        let what = if approval.exact { "exactly this" } else { "this, whatever files others brought" };
        writeln!(out, "approved        {} {what}, {how}, {}", approval.user_id, utc(approval.at_ms))?;
    }
    if let Some(run) = &receipt.run {
        writeln!(
            out,
            "ran             from {} until {}, on a {} platform",
            utc(run.started_ms),
            utc(run.ended_ms),
            run.trust
        )?;
    }
    for parent in &receipt.parents {
        writeln!(
            out,
            "built on        {}, a result of task {} (manifest {})",
            parent.file_id, parent.task_id, parent.manifest_sha256
        )?;
    }
    receipt.log.as_ref().map_or(Ok(()), |log| writeln!(out, "in the log      entry {}", log.index))
}

/// What `verify` answers.
#[derive(Serialize)]
struct Verified<'a> {
    verified: bool,
    simulated: bool,
    #[serde(flatten)]
    receipt: &'a Receipt,
    proves: Vec<String>,
    does_not_prove: Vec<String>,
}

fn check(connection: Flags, file: &Path, output: &Output) -> anyhow::Result<()> {
    // Said for this receipt, not for a deployment: settings that let a laptop talk to itself do not count.
    let allowed = connection.says_allow_simulated();
    let sources = connection.sources()?;
    // The manifest may name a simulated platform; whether that will do is asked after its evidence was found right.
    let trust = Trust::load(&sources.trust()?, Simulation::Allowed).context("the trust folder can't be used")?;
    let signed = read(file)?;
    let not_proven =
        |error: NotProven| Complaint::untrusted(format!("{} proves nothing", file.display())).because(error);
    let proven = trust.appraise_with(|verifier| verify(&signed, verifier, &trust.deployment)).map_err(not_proven)?;
    if proven.is_simulated() && !allowed {
        return Err(Complaint::untrusted(format!("{}: {}", file.display(), statement::SIMULATED))
            .help("say --allow-simulated to verify the rest of it")
            .into());
    }
    let (proves, does_not_prove) = (proves(&proven), does_not_prove(&proven));
    let verified =
        Verified { verified: true, simulated: proven.is_simulated(), receipt: &proven.receipt, proves, does_not_prove };
    output.result(&verified, |out| {
        if verified.simulated {
            writeln!(out, "{}", statement::SIMULATED)?;
        }
        print(verified.receipt, out)?;
        writeln!(out, "\nThis proves:")?;
        verified.proves.iter().try_for_each(|line| writeln!(out, "  + {line}"))?;
        writeln!(out, "It does not prove:")?;
        verified.does_not_prove.iter().try_for_each(|line| writeln!(out, "  - {line}"))
    })?;
    Ok(())
}

fn proves(proven: &Proven) -> Vec<String> {
    let mut lines = vec![format!(
        "the {} of {}, measured as the auditors accepted on a {} platform, made this receipt at {}",
        Role::Tms,
        proven.receipt.deployment,
        proven.tms.platform(),
        utc(proven.receipt.issued_ms)
    )];
    lines.extend(proven.signers().map(|user| format!("whoever had {user}'s key approved exactly this manifest")));
    if let (Some(run), Some(node)) = (&proven.run, &proven.node) {
        lines.push(format!(
            "a function node, measured as the auditors accepted on a {} platform, ran it by this manifest and made {} files",
            node.platform(), run.outputs.len()
        ));
        lines.extend(run.result_sha256.map(|digest| format!("the result that it answered has SHA-256 {digest}")));
        lines.extend(run.outputs.iter().map(|file| format!("output {} has SHA-256 {}", file.file_id, file.sha256)));
    }
    lines.extend(
        proven.log_size.map(|size| format!("the log of {size} entries that the tms signed has this end of the task")),
    );
    lines
}

fn does_not_prove(proven: &Proven) -> Vec<String> {
    let receipt = &proven.receipt;
    let tokens = receipt.approvals.iter().filter(|approval| approval.by == ApprovedBy::Token);
    let mut lines: Vec<String> = tokens
        .map(|approval| format!("that {} approved: that they showed their token is the tms's word", approval.user_id))
        .collect();
    if receipt.run.is_some() && proven.run.is_none() {
        lines.push("what ran: the node made no statement of its own".to_owned());
    }
    if receipt.run.is_none() {
        lines.push("that anything ran: it ended before".to_owned());
    }
    if receipt.log.is_none() {
        lines.push("that a log has it".to_owned());
    }
    if receipt.manifest.code.is_some() {
        lines.push("that the code does what its author says; the digest says which code it was".to_owned());
    }
    lines.push("that the inputs were true; their digests say which bytes they were".to_owned());
    lines.push(
        "that everybody was shown the same log: `teehouse log verify` compares what you are shown with what you saw"
            .to_owned(),
    );
    lines
}
