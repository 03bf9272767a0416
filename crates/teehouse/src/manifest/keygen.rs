//! `teehouse manifest keygen`: an auditor's key pair.

use std::path::PathBuf;

use anyhow::Context as _;
use attest::manifest::signing::AuditorSecret;
use serde::Serialize;

use crate::manifest::files::refuse_existing;
use crate::output::Output;

const EXAMPLES: &str = "\
Example:
  teehouse manifest keygen ada                ada.key (keep it) and ada.pub (give it out)

An OpenSSH key does as well: `ssh-keygen -t ed25519`, or `-t ed25519-sk` on a hardware token.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Where the keys go: NAME.key and NAME.pub
    name: PathBuf,
}

#[derive(Serialize)]
struct Made {
    secret: PathBuf,
    public: PathBuf,
    fingerprint: String,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let with = |extension: &str| {
        let mut path = args.name.clone().into_os_string();
        path.push(extension);
        PathBuf::from(path)
    };
    let key = AuditorSecret::generate();
    let made = Made { secret: with(".key"), public: with(".pub"), fingerprint: key.public().fingerprint() };
    refuse_existing(&made.secret)?;
    refuse_existing(&made.public)?;
    let failed = |path: &PathBuf| format!("{} can't be written", path.display());
    client::write_private(&made.secret, key.danger_to_pem().as_bytes()).with_context(|| failed(&made.secret))?;
    client::write_shared(&made.public, key.public_pem().as_bytes()).with_context(|| failed(&made.public))?;
    output.note(format_args!(
        "whoever has {} can say in its owner's name what may run: keep it where nobody else reads",
        made.secret.display()
    ));
    output.result(&made, |out| writeln!(out, "{}", made.fingerprint))?;
    Ok(())
}
