//! `teehouse user`: users and their tokens, on a data directory, whether or not a server runs on it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use types::secret::Secret;
use types::user::UserId;
use types::wire::admin::{AddUser, DisableUser, Issued, ListUsers, Request, Response, RotateToken, UserInfo};

use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::{DATA_DIR_VARIABLE, read_token, secret};

const EXAMPLES: &str = "\
Examples:
  teehouse user add alice
  teehouse user add user1 --token token1
  teehouse user list
  teehouse user rotate alice --data-dir /var/lib/teehouse";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The server's data directory
    #[arg(long, global = true, value_name = "DIR", env = DATA_DIR_VARIABLE, default_value = "teehouse-data")]
    data_dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add a user and print the token, this once: only its hash is kept.
    #[command(after_help = "Example:\n  TEEHOUSE_TOKEN=$(teehouse user add alice)")]
    Add(Named),
    /// List the users.
    #[command(after_help = "Example:\n  teehouse user list --json")]
    List,
    /// Give a user a new token and print it; the old one is no good from now on. Enables a disabled user.
    #[command(after_help = "Example:\n  teehouse user rotate alice --token @new-token")]
    Rotate(Named),
    /// Refuse every later request of a user. `rotate` enables the user again.
    #[command(after_help = "Example:\n  teehouse user disable alice")]
    Disable {
        /// The user
        #[arg(value_name = "NAME")]
        user: UserId,
    },
}

#[derive(clap::Args)]
struct Named {
    /// The user: 1 to 64 of A-Z a-z 0-9 . _ - @
    #[arg(value_name = "NAME")]
    user: UserId,
    /// A token of your choice, or @FILE that holds it; without it the system makes one with 256 random bits. Others
    /// on this machine can see a token on a command line: prefer @FILE.
    #[arg(long, value_name = "TOKEN|@FILE", value_parser = secret)]
    token: Option<Secret>,
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { data_dir, verb } = args;
    match verb {
        Verb::Add(Named { user, token }) => {
            let (token, is_chosen) = chosen(token)?;
            match identity::operate(&data_dir, AddUser { user_id: user, token }.into()).await? {
                Response::AddUser(issued) => tell_token(&issued, is_chosen, "added", output),
                _ => Err(unexpected()),
            }
        }
        Verb::Rotate(Named { user, token }) => {
            let (token, is_chosen) = chosen(token)?;
            match identity::operate(&data_dir, RotateToken { user_id: user, token }.into()).await? {
                Response::RotateToken(issued) => tell_token(&issued, is_chosen, "has a new token", output),
                _ => Err(unexpected()),
            }
        }
        Verb::Disable { user } => match identity::operate(&data_dir, DisableUser { user_id: user }.into()).await? {
            Response::DisableUser(user) => tell_disabled(&user, output),
            _ => Err(unexpected()),
        },
        Verb::List => list(&data_dir, output).await,
    }
}

fn chosen(token: Option<Secret>) -> anyhow::Result<(Option<Secret>, bool)> {
    let token = token.map(|token| read_token(token, Path::new(""))).transpose()?;
    let is_chosen = token.is_some();
    Ok((token, is_chosen))
}

/// A user and, when the system made it, the token.
#[derive(Serialize)]
struct Told<'a> {
    user_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a Secret>,
}

fn tell_token(issued: &Issued, is_chosen: bool, what: &str, output: &Output) -> anyhow::Result<()> {
    let Issued { user_id, token } = issued;
    match is_chosen {
        true => output.note(format_args!("user {user_id} {what}, with the token that you chose")),
        false => output.note(format_args!("user {user_id} {what}; this is the token, shown this once:")),
    }
    let told = Told { user_id, token: (!is_chosen).then_some(token) };
    output.result(&told, |out| if is_chosen { Ok(()) } else { writeln!(out, "{}", token.expose()) })?;
    Ok(())
}

fn tell_disabled(user: &UserInfo, output: &Output) -> anyhow::Result<()> {
    output.note(format_args!("user {} is disabled; `teehouse user rotate {0}` enables them again", user.user_id));
    output.result(user, |_| Ok(()))?;
    Ok(())
}

async fn list(data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    let request = Request::ListUsers(ListUsers {});
    let Response::ListUsers(users) = identity::operate(data_dir, request).await? else { return Err(unexpected()) };
    output.result(&users, |out| {
        users
            .users
            .iter()
            .try_for_each(|user| writeln!(out, "{}{}", user.user_id, if user.disabled { "  (disabled)" } else { "" }))
    })?;
    if users.users.is_empty() {
        output.note("no users yet: `teehouse user add NAME` adds one");
    }
    Ok(())
}

fn unexpected() -> anyhow::Error {
    Complaint::new("the running server gave an unexpected answer")
        .help("check that it is of the same version: `teehouse --version`")
        .into()
}
