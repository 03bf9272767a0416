//! `teehouse attest show`: connects and says who is there.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rpc::deployment::Trust;
use rpc::saved::Saved;
use rpc::tls::{Connector, refusal};
use types::time::UnixMillis;

use crate::attestation::person::Shown;
use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  teehouse attest show 127.0.0.1:5554 --data-dir teehouse-data
  teehouse attest show bank.example:5554 --trust trust --save evidence.json --json";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The port of a tms, tdfs or function node for users
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// Keep the evidence in a file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    connection: Flags,
}

pub(super) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { target, save, connection } = args;
    let sources = connection.sources()?;
    let trust = Trust::load(&sources.trust()?, sources.simulation()).context("the trust folder can't be used")?;
    let proof = Connector::to_any(Arc::new(trust)).attest(&target).await;
    let proof = proof.map_err(|error| disbelieved(&target, error))?;
    if let Some(path) = save {
        let saved = serde_json::to_vec_pretty(&Saved::new(&proof, &target, UnixMillis::now()))?;
        std::fs::write(&path, saved).with_context(|| format!("{} can't be written", path.display()))?;
        output.note(format!("evidence saved as {}", path.display()));
    }
    let shown = Shown::new(&target, &proof.certificate, &proof.session, true);
    output.result(&shown, |out| shown.print(out))?;
    Ok(())
}

fn disbelieved(target: &str, error: std::io::Error) -> anyhow::Error {
    match refusal(&error).cloned() {
        Some(refusal) => Complaint::untrusted(format!("what answers at {target} is not to be trusted"))
            .help("whoever runs it must explain this; do not send it anything")
            .because(refusal)
            .into(),
        None => anyhow::Error::from(error).context(format!("nobody attests anything at {target}")),
    }
}
