//! `teehouse manifest`: what auditors do with the list of what may run.

mod add;
mod diff;
mod files;
mod init;
mod keygen;
mod show;
mod sign;
mod verify;

use clap::Subcommand;

pub(crate) use files::DateArg;

use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse manifest keygen ada                                  ada.key and ada.pub
  teehouse manifest init house.json --deployment bank --auditor ada.pub --threshold 1
  teehouse attest measure --platform simulated --json | teehouse manifest add house.json -
  teehouse manifest show house.json
  teehouse manifest sign house.json --key ada.key
  teehouse manifest verify house.json --auditor ada.pub --threshold 1

docs/manifest.md says who signs when, and how auditors change.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an auditor's key pair.
    Keygen(keygen::Args),
    /// Make a manifest that nobody has signed: the first, or the next version of another.
    Init(init::Args),
    /// List what may run as a role, in a manifest that nobody has signed yet.
    Add(add::Args),
    /// Sign a manifest, with a key file or with whatever `ssh-keygen` can sign with.
    Sign(sign::Args),
    /// Decide whether a manifest is to be believed.
    Verify(verify::Args),
    /// Show what a manifest says and who signed it.
    Show(show::Args),
    /// Show what changed between two manifests.
    Diff(diff::Args),
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Keygen(args) => keygen::run(args, output),
        Verb::Init(args) => init::run(args, output),
        Verb::Add(args) => add::run(args, output),
        Verb::Sign(args) => sign::run(args, output),
        Verb::Verify(args) => verify::run(args, output),
        Verb::Show(args) => show::run(args, output),
        Verb::Diff(args) => diff::run(args, output),
    }
}
