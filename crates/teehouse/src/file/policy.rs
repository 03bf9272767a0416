//! `teehouse file policy`: what tasks may do with a file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use client::Teehouse;
use serde::Serialize;
use types::consent::{AllowedFunction, FilePolicy};
use types::digest::Digest;
use types::id::FileId;
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;

use crate::exit::Complaint;
use crate::output::Output;
use crate::utc::{self, utc};

const EXAMPLES: &str = "\
Examples:
  teehouse file policy 0a9ca5ac-2150-4bdd-ab63-c2c12252e747
  teehouse file policy FILE_ID --function psi --with bob --uses 3 --until 2027-01-31
  teehouse file policy 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 --json > policy.json
  teehouse file put customers.txt --lines --policy policy.json
  teehouse file policy 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 --none

What is given replaces the whole policy, for runs that have not begun. What no option names is not
restricted: the owner's approval of each task remains.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file
    id: FileId,
    /// A function that may read it, in any version or one, of any code or one (can be given several times)
    #[arg(long = "function", value_name = "NAME[@V[:DIGEST]]", value_parser = function)]
    functions: Vec<AllowedFunction>,
    /// Who else may take part in a task that reads it (can be given several times)
    #[arg(long = "with", value_name = "USER")]
    collaborators: Vec<UserId>,
    /// Nobody else may take part in a task that reads it
    #[arg(long, conflicts_with = "collaborators")]
    alone: bool,
    /// Who else may receive results of it (can be given several times)
    #[arg(long = "recipient", value_name = "USER")]
    recipients: Vec<UserId>,
    /// Nobody else may receive results of it
    #[arg(long, conflicts_with = "recipients")]
    results_for_me: bool,
    /// How many runs may read it
    #[arg(long, value_name = "N")]
    uses: Option<u64>,
    /// The last moment at which it may be read, in UTC: 2027-01-31 (the end of that day) or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = utc::until)]
    until: Option<UnixMillis>,
    /// What a task that reads it must state as its purpose
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// The least trusted platform that may read it: simulated, tpm or confidential
    #[arg(long, value_name = "LEVEL")]
    minimum_trust: Option<TrustLevel>,
    /// The least minimum group of a task that reads it: no result of it is about fewer records
    #[arg(long, value_name = "N")]
    minimum_group: Option<u64>,
    /// Take the policy from a file, as --json shows it
    #[arg(long, value_name = "FILE", conflicts_with_all = RULES)]
    from: Option<PathBuf>,
    /// Take the policy away
    #[arg(long, conflicts_with_all = RULES, conflicts_with = "from")]
    none: bool,
}

/// The options that make a policy.
const RULES: [&str; 10] = [
    "functions",
    "collaborators",
    "alone",
    "recipients",
    "results_for_me",
    "uses",
    "until",
    "purpose",
    "minimum_trust",
    "minimum_group",
];

/// What is to be done.
enum Change {
    Show,
    To(Option<FilePolicy>),
}

/// What `policy` answers.
#[derive(Serialize)]
struct Answer<'a> {
    file_id: &'a FileId,
    policy: Option<&'a FilePolicy>,
    uses: Option<u64>,
}

pub(super) struct Work {
    file: FileId,
    change: Change,
}

impl Args {
    /// Finds out what is to be done, before anybody is asked.
    pub(super) fn prepare(self) -> Result<Work, Complaint> {
        let Args { id, functions, collaborators, alone, recipients, results_for_me, from, none, .. } = self;
        let list = |users: Vec<UserId>, nobody| Some(users).filter(|users| nobody || !users.is_empty());
        let policy = FilePolicy {
            functions: Some(functions).filter(|functions| !functions.is_empty()),
            collaborators: list(collaborators, alone),
            recipients: list(recipients, results_for_me),
            uses: self.uses,
            not_after_ms: self.until,
            purpose: self.purpose,
            minimum_trust: self.minimum_trust,
            minimum_group: self.minimum_group,
        };
        let change = match from {
            Some(path) => Change::To(Some(read(&path)?)),
            None if none => Change::To(None),
            None if policy == FilePolicy::default() => Change::Show,
            None => Change::To(Some(policy)),
        };
        Ok(Work { file: id, change })
    }
}

impl Work {
    pub(super) async fn run(self, user: &Teehouse, output: &Output) -> anyhow::Result<()> {
        let Work { file, change } = self;
        if let Change::To(policy) = change {
            user.set_file_policy(&file, policy).await?;
            output.note(format_args!("the policy of file {file} is in force for every run that has not begun"));
        }
        let info = user.file_info(&file).await?;
        let answer = Answer { file_id: &file, policy: info.policy.as_ref(), uses: info.uses };
        output.result(&answer, |out| write(out, info.policy.as_ref(), info.uses))?;
        Ok(())
    }
}

/// Reads a policy: by itself, or as `policy --json` or `info --json` shows it.
pub(super) fn read(path: &Path) -> Result<FilePolicy, Complaint> {
    let bytes = std::fs::read(path)
        .map_err(|source| Complaint::new(format!("{} can't be read", path.display())).because(source))?;
    let bad = |source: serde_json::Error| {
        let complaint = Complaint::usage(format!("{} holds no policy", path.display())).because(source);
        complaint.help("`teehouse file policy ID --json` shows one")
    };
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).map_err(bad)?;
    let policy = match value.get_mut("policy") {
        Some(policy) => policy.take(),
        None => value,
    };
    if !policy.is_object() {
        return Err(Complaint::usage(format!("{} holds no policy", path.display()))
            .help("`teehouse file policy ID --json` shows one"));
    }
    serde_json::from_value(policy).map_err(bad)
}

/// Writes a policy for people.
pub(super) fn write(out: &mut dyn Write, policy: Option<&FilePolicy>, used: Option<u64>) -> io::Result<()> {
    let Some(policy) = policy else {
        return writeln!(out, "policy         none: its owner's approval of each task is all that it needs");
    };
    let FilePolicy { functions, collaborators, recipients, uses, not_after_ms, purpose, minimum_trust, minimum_group } =
        policy;
    if let Some(functions) = functions {
        let functions: Vec<_> = functions.iter().map(shown).collect();
        writeln!(out, "functions      {}", or_none(functions.join(", ")))?;
    }
    if let Some(users) = collaborators {
        writeln!(out, "with           {}", names(users))?;
    }
    if let Some(users) = recipients {
        writeln!(out, "recipients     {}", names(users))?;
    }
    if let Some(uses) = uses {
        writeln!(out, "uses           {} of {uses}", used.unwrap_or_default())?;
    }
    if let Some(until) = not_after_ms {
        writeln!(out, "until          {}", utc(*until))?;
    }
    if let Some(purpose) = purpose {
        writeln!(out, "purpose        {purpose:?}")?;
    }
    if let Some(level) = minimum_trust {
        writeln!(out, "trust          at least {level}")?;
    }
    if let Some(group) = minimum_group {
        writeln!(out, "group          at least {group}")?;
    }
    match *policy == FilePolicy::default() {
        true => writeln!(out, "policy         excludes nothing"),
        false => Ok(()),
    }
}

fn names(users: &[UserId]) -> String {
    or_none(users.iter().map(UserId::as_str).collect::<Vec<_>>().join(", "))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "nobody else".to_owned() } else { text }
}

fn shown(function: &AllowedFunction) -> String {
    let version = function.version.map(|version| format!("@{version}")).unwrap_or_default();
    let digest = function.digest.map(|digest| format!(":{digest}")).unwrap_or_default();
    format!("{}{version}{digest}", function.name)
}

fn function(text: &str) -> Result<AllowedFunction, String> {
    let (name, rest) = text.split_once('@').map_or((text, None), |(name, rest)| (name, Some(rest)));
    if name.is_empty() {
        return Err("expected NAME, NAME@VERSION or NAME@VERSION:DIGEST".to_owned());
    }
    let (version, digest) = match rest {
        None => (None, None),
        Some(rest) => {
            rest.split_once(':').map_or((Some(rest), None), |(version, digest)| (Some(version), Some(digest)))
        }
    };
    let version =
        version.map(|version| version.parse().map_err(|_| format!("`{version}` is no version"))).transpose()?;
    let digest = digest.map(|digest| digest.parse::<Digest>().map_err(|error| error.to_string())).transpose()?;
    Ok(AllowedFunction { name: name.to_owned(), version, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_as_they_are_shown() {
        let digest = "ab".repeat(32);
        for text in ["psi", "psi@2", &format!("psi@2:{digest}"), "team/join@7"] {
            assert_eq!(shown(&function(text).expect(text)), text);
        }
        for text in ["", "@1", "psi@", "psi@x", "psi@1:", "psi@1:ab", "psi@-1"] {
            assert!(function(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_policy_is_read_as_it_is_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("policy.json");
        let policy = FilePolicy { uses: Some(3), purpose: Some("audit".to_owned()), ..FilePolicy::default() };
        for text in
            [r#"{"uses":3,"purpose":"audit"}"#, r#"{"file_id":"f","policy":{"uses":3,"purpose":"audit"},"uses":1}"#]
        {
            std::fs::write(&path, text).expect("written");
            assert_eq!(read(&path).expect(text), policy, "{text}");
        }
        for text in ["", "[]", r#"{"use":3}"#, r#"{"policy":null}"#] {
            std::fs::write(&path, text).expect("written");
            assert!(read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_allowed_is_said_line_by_line() {
        let policy = FilePolicy {
            functions: Some(vec![function("psi@1").expect("a function")]),
            collaborators: Some(Vec::new()),
            recipients: Some(vec!["bob".parse().expect("a name")]),
            uses: Some(3),
            not_after_ms: Some(UnixMillis(1_700_000_000_000)),
            purpose: Some("audit".to_owned()),
            minimum_trust: Some(TrustLevel::Tpm),
            minimum_group: Some(10),
        };
        let mut text = Vec::new();
        write(&mut text, Some(&policy), Some(2)).expect("memory");
        let expected = "functions      psi@1\nwith           nobody else\nrecipients     bob\nuses           2 of 3\n\
                        until          2023-11-14T22:13:20Z\npurpose        \"audit\"\ntrust          at least tpm\n\
                        group          at least 10\n";
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }
}
