//! `teehouse key`: the key by which you sign approvals.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use client::{Agent, Signer, Teehouse};
use serde::Serialize;
use types::consent::ApprovalKey;
use types::user::UserId;

use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::{Flags, own_config};

const EXAMPLES: &str = "\
Examples:
  teehouse key new --required            a key in ~/.config/teehouse/keys; nothing less approves
  teehouse key use-agent --required      a key that your ssh-agent keeps
  teehouse key show
  teehouse key remove";

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
    /// Make a key, keep it in your configuration folder, and register it. A key that is registered already signs the change.
    #[command(after_help = "Example:\n  teehouse key new --required")]
    New {
        /// From now on, a token alone approves nothing in your name
        #[arg(long)]
        required: bool,
    },
    /// Register an Ed25519 key that your ssh-agent keeps.
    #[command(
        after_help = "Examples:\n  teehouse key use-agent\n  teehouse key use-agent --named me@laptop --required"
    )]
    UseAgent {
        /// The key's comment, where the agent keeps several
        #[arg(long, value_name = "COMMENT")]
        named: Option<String>,
        /// From now on, a token alone approves nothing in your name
        #[arg(long)]
        required: bool,
    },
    /// Show the key that is registered, and whether this machine can sign by it.
    #[command(after_help = "Example:\n  teehouse key show --json")]
    Show,
    /// Remove the key that is registered: it signs that itself.
    #[command(after_help = "Example:\n  teehouse key remove")]
    Remove,
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    let user = connection.connect()?;
    match verb {
        Verb::New { required } => new(&user, required, output).await,
        Verb::UseAgent { named, required } => use_agent(&user, named.as_deref(), required, output).await,
        Verb::Show => show(&user, output).await,
        Verb::Remove => remove(&user, output).await,
    }
}

/// Where a user's key is. One that replaces it has the next number.
fn key_path(user: &UserId, number: u64) -> anyhow::Result<PathBuf> {
    let folder = own_config().ok_or_else(|| Complaint::usage("there is no configuration folder: set HOME"))?;
    Ok(folder.join("keys").join(format!("{user}.{number}.key")))
}

/// What signs in the user's name here: the registered key, in a file or in the agent.
pub(crate) async fn signer(user: &Teehouse) -> anyhow::Result<Option<Signer>> {
    let found = user.key().await?;
    let Some(registered) = found.key else { return Ok(None) };
    match find(&registered)? {
        Some(signer) => Ok(Some(signer)),
        None if registered.required => Err(Complaint::new("the key that you registered is not on this machine")
            .help("approve where it is; if it is lost, the operator resets it: teehouse user reset-key NAME")
            .into()),
        None => Ok(None),
    }
}

fn find(registered: &ApprovalKey) -> anyhow::Result<Option<Signer>> {
    for path in key_files(&registered.user_id)? {
        if let Some(signer) = Signer::load(&path)?.filter(|signer| signer.public_key() == registered.key) {
            return Ok(Some(signer));
        }
    }
    let Ok(agent) = Agent::of_session() else { return Ok(None) };
    let keys = agent.keys().unwrap_or_default();
    let kept = keys.into_iter().find(|(key, _)| key[..] == registered.key.0[..]);
    Ok(kept.map(|(key, _)| Signer::Agent { agent, key }))
}

/// The key files of a user, the newest first.
fn key_files(user: &UserId) -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = own_config().map(|folder| folder.join("keys")) else { return Ok(Vec::new()) };
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let prefix = format!("{user}.");
    let number = |name: &str| name.strip_prefix(&prefix)?.strip_suffix(".key")?.parse::<u64>().ok();
    let numbered = |entry: std::fs::DirEntry| Some((number(entry.file_name().to_str()?)?, entry.path()));
    let mut files: Vec<_> = entries.filter_map(Result::ok).filter_map(numbered).collect();
    files.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// What every verb answers.
#[derive(Serialize)]
struct Shown {
    user_id: UserId,
    /// The public key, as OpenSSH fingerprints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    required: bool,
    /// Whether this machine can sign by it.
    here: bool,
    /// How often it was changed.
    version: u64,
}

async fn show(user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let found = user.key().await?;
    let here = found.key.as_ref().map(find).transpose()?.flatten().is_some();
    let fingerprint = found.key.as_ref().and_then(|key| {
        let key = key.key.0.clone().try_into().ok()?;
        Some(attest::manifest::key::AuditorKey::Ed25519(key).fingerprint())
    });
    let required = found.key.as_ref().is_some_and(|key| key.required);
    let shown = Shown { user_id: user.user().clone(), fingerprint, required, here, version: found.version };
    output.result(&shown, |out| match &shown.fingerprint {
        None => writeln!(out, "{} has no key: approvals are by token", shown.user_id),
        Some(fingerprint) => {
            writeln!(out, "key             {fingerprint}")?;
            writeln!(out, "needed          {}", if required { "yes: a token alone approves nothing" } else { "no" })?;
            writeln!(out, "on this machine {}", if here { "yes" } else { "no" })
        }
    })?;
    Ok(())
}

/// What signs for the key that goes.
async fn previous(user: &Teehouse) -> anyhow::Result<(Option<Signer>, u64)> {
    let found = user.key().await?;
    let Some(registered) = found.key else { return Ok((None, found.version)) };
    match find(&registered)? {
        Some(signer) => Ok((Some(signer), found.version)),
        None => Err(Complaint::new("the key that is registered now must sign the change, and is not on this machine")
            .help("change it where it is; if it is lost, the operator resets it: teehouse user reset-key NAME")
            .into()),
    }
}

async fn new(user: &Teehouse, required: bool, output: &Output) -> anyhow::Result<()> {
    let (old, version) = previous(user).await?;
    let path = key_path(user.user(), version + 1)?;
    let folder = path.parent().unwrap_or(&path);
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let made = Signer::make(&path)?;
    user.set_key(Some(&made), required, old.as_ref()).await?;
    output.note(format_args!("{} signs in your name: keep it where nobody else reads", path.display()));
    show(user, output).await
}

async fn use_agent(user: &Teehouse, named: Option<&str>, required: bool, output: &Output) -> anyhow::Result<()> {
    let agent = Agent::of_session().context("ssh-agent")?;
    let keys = agent.keys().context("ssh-agent")?;
    let wanted = |(_, comment): &&([u8; 32], String)| named.is_none_or(|named| named == comment);
    let found: Vec<_> = keys.iter().filter(wanted).collect();
    let [(key, _)] = found[..] else {
        let names: Vec<_> = keys.iter().map(|(_, comment)| comment.as_str()).collect();
        return Err(Complaint::usage(format!("the agent has {} Ed25519 keys that this can mean", found.len()))
            .help(format!("say --named COMMENT; it has: {}", names.join(", ")))
            .into());
    };
    let (old, _) = previous(user).await?;
    user.set_key(Some(&Signer::Agent { agent: agent.clone(), key: *key }), required, old.as_ref()).await?;
    show(user, output).await
}

async fn remove(user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let (old, _) = previous(user).await?;
    if old.is_some() {
        user.set_key(None, false, old.as_ref()).await?;
    }
    show(user, output).await
}
