//! `teehouse attest`: who is there, what runs there, and on what.

mod measure;
mod person;
mod show;
mod verify;

use clap::Subcommand;

use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse attest show 127.0.0.1:5554 --data-dir teehouse-data
  teehouse attest show bank.example:5554 --trust trust --save evidence.json
  teehouse attest verify evidence.json --trust trust
  teehouse attest measure --platform auto --json | teehouse manifest add house.json -

The exit status of show and verify is 0 when both layers hold, and 5 when they don't.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Connect, have the session attested, and show who is there.
    Show(show::Args),
    /// Check evidence that `show` saved, offline and as of an instant.
    Verify(verify::Args),
    /// Print what this program measures to on this platform, ready for a manifest.
    Measure(measure::Args),
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Show(args) => show::run(args, output).await,
        Verb::Verify(args) => verify::run(args, output),
        Verb::Measure(args) => measure::run(&args, output),
    }
}
