//! `teehouse user`: users, their tokens and quotas, on a data directory, whether or not a server runs on it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::HumanBytes;
use serde::Serialize;
use types::secret::Secret;
use types::user::{Bound, UserId};
use types::wire::admin::{
    AddUser, DisableUser, Issued, ListUsers, Request, ResetKey, Response, RotateToken, SetQuota, UserInfo,
};

use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::{DATA_DIR_VARIABLE, read_token, secret};

const EXAMPLES: &str = "\
Examples:
  teehouse user add alice
  teehouse user add user1 --token token1
  teehouse user list
  teehouse user quota alice --files 1000 --bytes 10GiB
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
    /// Forget the key by which a user signs approvals, for users who lost it.
    #[command(after_help = "Example:\n  teehouse user reset-key alice")]
    ResetKey {
        /// The user
        #[arg(value_name = "NAME")]
        user: UserId,
    },
    /// Say how much a user may keep; without options, show it. What the user has already stays in any case.
    #[command(after_help = "Example:\n  teehouse user quota alice --files 1000 --bytes 10GiB")]
    Quota {
        /// The user
        #[arg(value_name = "NAME")]
        user: UserId,
        /// How many files, with those that tasks make; `none` for no bound, `default` for the configuration's
        #[arg(long, value_name = "N|none|default", value_parser = files_bound)]
        files: Option<Bound>,
        /// The sum of their sizes before encryption: 500MB, 10GiB, a number of bytes, `none` or `default`
        #[arg(long, value_name = "SIZE|none|default", value_parser = bytes_bound)]
        bytes: Option<Bound>,
    },
}

fn files_bound(text: &str) -> Result<Bound, String> {
    bound(text, |text| text.parse().ok(), "a number")
}

fn bytes_bound(text: &str) -> Result<Bound, String> {
    bound(text, bytes_of, "a size such as 500MB or 10GiB")
}

fn bound(text: &str, number: impl Fn(&str) -> Option<u64>, what: &str) -> Result<Bound, String> {
    match text {
        "default" => Ok(Bound::Default),
        "none" => Ok(Bound::Unbounded),
        _ => match number(text) {
            Some(0) => Err("0 would be nothing at all; say `none` for no bound".to_owned()),
            Some(most) => Ok(Bound::AtMost(most)),
            None => Err(format!("expected {what}, none, or default")),
        },
    }
}

/// A size: a whole number of bytes, or of a unit of 1000 or 1024 (`kB`, `KiB`, …).
fn bytes_of(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KIB", 1 << 10),
        ("MIB", 1 << 20),
        ("GIB", 1 << 30),
        ("TIB", 1 << 40),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_uppercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
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
        Verb::ResetKey { user } => match identity::operate(&data_dir, ResetKey { user_id: user }.into()).await? {
            Response::ResetKey(user) => {
                Ok(output.result(&user, |out| writeln!(out, "{} has no key now", user.user_id))?)
            }
            _ => Err(unexpected()),
        },
        Verb::Quota { user, files, bytes } => {
            match identity::operate(&data_dir, SetQuota { user_id: user, files, bytes }.into()).await? {
                Response::SetQuota(user) => Ok(output.result(&user, |out| writeln!(out, "{}", quota(&user)))?),
                _ => Err(unexpected()),
            }
        }
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
        users.users.iter().try_for_each(|user| {
            let disabled = if user.disabled { "  (disabled)" } else { "" };
            let own = if user.quota.is_default() { String::new() } else { format!("  (at most {})", quota(user)) };
            writeln!(out, "{}{disabled}{own}", user.user_id)
        })
    })?;
    if users.users.is_empty() {
        output.note("no users yet: `teehouse user add NAME` adds one");
    }
    Ok(())
}

/// A user's quota in words: `1000 files, 10 GiB`.
fn quota(user: &UserInfo) -> String {
    let words = |bound, amount: fn(u64) -> String, what| match bound {
        Bound::Default => format!("the configured number of {what}"),
        Bound::Unbounded => format!("any number of {what}"),
        Bound::AtMost(most) => amount(most),
    };
    let files = words(user.quota.files, |most| format!("{most} files"), "files");
    format!("{files}, {}", words(user.quota.bytes, |most| HumanBytes(most).to_string(), "bytes"))
}

fn unexpected() -> anyhow::Error {
    Complaint::new("the running server gave an unexpected answer")
        .help("check that it is of the same version: `teehouse --version`")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_numbers_sizes_and_two_words() {
        for (text, expected) in [
            ("default", Some(Bound::Default)),
            ("none", Some(Bound::Unbounded)),
            ("1", Some(Bound::AtMost(1))),
            ("500MB", Some(Bound::AtMost(500_000_000))),
            ("10 GiB", Some(Bound::AtMost(10 << 30))),
            ("10gib", Some(Bound::AtMost(10 << 30))),
            ("16777215TiB", Some(Bound::AtMost(16_777_215 << 40))),
            ("16777216TiB", None),
            ("0", None),
            ("", None),
            ("-1", None),
            ("1.5GB", None),
            ("GB", None),
            ("10XB", None),
        ] {
            assert_eq!(bytes_bound(text).ok(), expected, "{text}");
        }
        assert_eq!((files_bound("7"), files_bound("7kB").is_err()), (Ok(Bound::AtMost(7)), true));
    }
}
