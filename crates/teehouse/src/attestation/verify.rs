//! `teehouse attest verify`: checks saved evidence offline.

use std::path::PathBuf;

use anyhow::Context as _;
use rpc::deployment::Trust;
use rpc::saved::{Saved, SavedError};
use types::time::UnixMillis;

use crate::attestation::person::Shown;
use crate::exit::Complaint;
use crate::manifest::DateArg;
use crate::output::Output;
use crate::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  teehouse attest verify evidence.json --trust trust
  teehouse attest verify evidence.json --trust trust --at 2026-11-23T12:00:00Z --json";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What `teehouse attest show --save` wrote
    file: PathBuf,
    /// As of when; as of its saving when absent
    #[arg(long, value_name = "DATE")]
    at: Option<DateArg>,
    #[command(flatten)]
    connection: Flags,
}

pub(super) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { file, at, connection } = args;
    let sources = connection.sources()?;
    let trust = Trust::load(&sources.trust()?, sources.simulation()).context("the trust folder can't be used")?;
    let bytes = std::fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
    let not_believed = |error: SavedError| {
        Complaint::untrusted(format!("{} is not to be believed", file.display()))
            .help("ask for evidence anew: teehouse attest show HOST:PORT --save FILE")
            .because(error)
    };
    let saved = Saved::from_json(&bytes).map_err(not_believed)?;
    let at = at.map_or(UnixMillis(saved.saved_at_ms), |date| date.0);
    let (certificate, session) = saved.appraise(&trust, at).map_err(not_believed)?;
    output.note("that the session's evidence was bound to a connection is the word of whoever saved it");
    let shown = Shown::new(&saved.target, &certificate, &session, false);
    output.result(&shown, |out| shown.print(out))?;
    Ok(())
}
