//! `teehouse manifest verify`: whether a manifest is to be believed.

use std::path::{Path, PathBuf};

use attest::Verified;
use attest::date;
use attest::manifest::auditors::Auditors;
use attest::manifest::{Manifest, ManifestRefusal};
use rpc::manifest::{ManifestError, ManifestSource, accept, load};
use serde::Serialize;
use types::digest::Digest;
use types::time::UnixMillis;

use crate::exit::Complaint;
use crate::manifest::files::{self, AuditorArg, DateArg, Opened};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse manifest verify house.json --auditor ada.pub --threshold 1
  teehouse manifest verify house.json house-2.json --auditor ada.pub --threshold 1   in a row
  teehouse manifest verify house.json --auditor ada.pub --threshold 1 --remember seen.json

Exit status 0: it is to be believed; 5: it is not, and standard error says why.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The manifest; several are taken as versions that follow each other
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// Whom to trust: a public key, PEM or OpenSSH; may be said more than once
    #[arg(long, value_name = "[NAME=]KEYFILE", required = true)]
    auditor: Vec<AuditorArg>,
    /// How many of them must have signed
    #[arg(long, value_name = "N")]
    threshold: u32,
    /// Decide as if it were then [default: now]
    #[arg(long, value_name = "DATE")]
    at: Option<DateArg>,
    /// A file that remembers what was accepted, so that older manifests are refused
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
}

/// A manifest that is to be believed.
#[derive(Serialize)]
struct Verdict {
    verdict: &'static str,
    deployment: String,
    version: u64,
    digest: Digest,
    expires: String,
    simulated: bool,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let trusted = files::auditors(&args.auditor, args.threshold)?;
    let now = args.at.map_or_else(UnixMillis::now, |date| date.0);
    let manifest = in_a_row(&args.file, &trusted, args.remember.as_deref(), now)?;
    let verdict = Verdict::of(&manifest);
    if verdict.simulated {
        output.note("SIMULATED: it accepts platforms that protect nothing from whoever runs them");
    }
    output.result(&verdict, |out| {
        let Verdict { deployment, version, digest, expires, .. } = &verdict;
        writeln!(out, "believed: version {version} for {deployment}, until {expires}\ndigest {digest}")
    })?;
    Ok(())
}

/// Accepts one after the other; only the last has to be in date.
fn in_a_row(
    files: &[PathBuf],
    trusted: &Auditors,
    memory_file: Option<&Path>,
    now: UnixMillis,
) -> anyhow::Result<Verified<Manifest>> {
    let mut memory = None;
    let (last, earlier) = files.split_last().ok_or_else(|| Complaint::usage("no manifest is named"))?;
    let mut believe = |path: &Path, now| match memory_file {
        Some(file) => remembering(path, trusted, file, now),
        None => {
            let (manifest, next) =
                accept(&files::read(path)?, trusted, memory.as_ref(), now).map_err(|refusal| refused(path, refusal))?;
            memory = Some(next);
            Ok(manifest)
        }
    };
    for path in earlier {
        // If it is to be believed at all, then it was on its last day.
        believe(path, Opened::read(path)?.manifest.expires.min(now))?;
    }
    believe(last, now)
}

fn remembering(path: &Path, trusted: &Auditors, memory: &Path, now: UnixMillis) -> anyhow::Result<Verified<Manifest>> {
    let source = ManifestSource { manifest: path.to_owned(), auditors: trusted.clone(), memory: memory.to_owned() };
    load(&source, now).map_err(|error| match error {
        ManifestError::Refused { path, source } => refused(&path, source).into(),
        error => error.into(),
    })
}

fn refused(path: &Path, refusal: ManifestRefusal) -> Complaint {
    let help = help(&refusal);
    Complaint::untrusted(format!("{} is not to be believed", path.display())).help(help).because(refusal)
}

/// What a person can do about a refusal.
fn help(refusal: &ManifestRefusal) -> &'static str {
    match refusal {
        ManifestRefusal::Malformed(_) | ManifestRefusal::PayloadType(_) => {
            "get the file anew from whoever gave it to you"
        }
        ManifestRefusal::Unsigned | ManifestRefusal::TooFewSignatures { .. } => {
            "the auditors who agree sign it: teehouse manifest sign FILE --key KEY"
        }
        ManifestRefusal::SignedTwice(_) => "remove one of the two signatures from the file",
        ManifestRefusal::UnknownKey { .. } => {
            "name all auditors whom you trust with --auditor; if this one is none of them, ask who that is"
        }
        ManifestRefusal::BadSignature(_) => "do not use it; ask that auditor for the file as it was signed",
        ManifestRefusal::ChangeWithoutOld { .. } => {
            "enough of the auditors whom you trust must sign the change; if they did in versions between, name these first"
        }
        ManifestRefusal::ChangeWithoutNew { .. } => "enough of the auditors whom it names must sign it, too",
        ManifestRefusal::OtherDeployment { .. } => {
            "name the manifest of your deployment, or another file to remember it in"
        }
        ManifestRefusal::OldVersion { .. } => "use the newest version",
        ManifestRefusal::VersionTwice { .. } | ManifestRefusal::OtherPrevious { .. } => {
            "ask the auditors which of the two they meant to sign: somebody may be showing different manifests to different people"
        }
        ManifestRefusal::Expired(_) => "ask the auditors for a newer version; check this machine's clock",
        ManifestRefusal::NotYetValid(_) => "check this machine's clock",
    }
}

impl Verdict {
    fn of(manifest: &Verified<Manifest>) -> Self {
        Verdict {
            verdict: "believed",
            deployment: manifest.deployment.to_string(),
            version: manifest.version,
            digest: manifest.digest(),
            expires: date::format(manifest.expires),
            simulated: manifest.allows_simulation(),
        }
    }
}
