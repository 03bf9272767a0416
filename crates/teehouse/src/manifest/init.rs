//! `teehouse manifest init`: a manifest that nobody has signed, the first or the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use attest::identity::Deployment;
use attest::manifest::auditors::Auditors;
use attest::manifest::{Manifest, ca_digest};
use attest::simulated::SimulatedRootKey;
use types::digest::Digest;
use types::time::UnixMillis;

use crate::exit::Complaint;
use crate::manifest::files::{self, AuditorArg, Opened, State};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse manifest init house.json --deployment bank --auditor ada.pub --threshold 1
  teehouse manifest init house-2.json --previous house.json
  teehouse manifest init house-3.json --previous house-2.json --auditor cem=c.pub --threshold 1

The next version keeps what the previous one says, except what is said anew. When it names other
auditors, enough of the old ones and enough of the new ones must sign it.";

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file to make
    file: PathBuf,
    /// The deployment that it is for
    #[arg(long, value_name = "NAME", required_unless_present = "previous", conflicts_with = "previous")]
    deployment: Option<Deployment>,
    /// The manifest that it follows
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Somebody who signs: a public key, PEM or OpenSSH; may be said more than once
    #[arg(long, value_name = "[NAME=]KEYFILE", required_unless_present = "previous", requires = "threshold")]
    auditor: Vec<AuditorArg>,
    /// How many of the auditors must sign
    #[arg(long, value_name = "N", requires = "auditor")]
    threshold: Option<u32>,
    /// For how many days from now it holds
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,
    /// The certificate (PEM) of the deployment's CA
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Allow simulated platforms, which protect nothing: the public key (PEM) of who vouches for them
    #[arg(long, value_name = "FILE")]
    danger_simulated_root: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    files::refuse_existing(&args.file)?;
    let manifest = args.manifest(files::this_second())?;
    files::write_unsigned(&args.file, &manifest)?;
    if manifest.danger_simulated_root.is_some() {
        output.note("SIMULATED: it will accept platforms that protect nothing from whoever runs them");
    }
    let state = State::of(&args.file, &Opened::read(&args.file)?);
    output.result(&state, |out| state.print(out))?;
    Ok(())
}

impl Args {
    fn manifest(&self, now: UnixMillis) -> anyhow::Result<Manifest> {
        let auditors = self.threshold.map(|threshold| files::auditors(&self.auditor, threshold)).transpose()?;
        let manifest = match (&self.previous, &self.deployment, auditors) {
            (Some(previous), _, auditors) => following(&Opened::read(previous)?.manifest, auditors)?,
            (None, Some(deployment), Some(auditors)) => first(deployment.clone(), auditors),
            _ => return Err(Complaint::usage("a first manifest needs --deployment and --auditor").into()),
        };
        Ok(Manifest {
            issued: now,
            expires: now.plus(DAY * self.days),
            ca_sha256: self.ca.as_deref().map(read_ca).transpose()?.or(manifest.ca_sha256),
            danger_simulated_root: match &self.danger_simulated_root {
                Some(path) => Some(read_root(path)?),
                None => manifest.danger_simulated_root,
            },
            ..manifest
        })
    }
}

fn first(deployment: Deployment, auditors: Auditors) -> Manifest {
    Manifest {
        deployment,
        version: 1,
        issued: UnixMillis(0),
        expires: UnixMillis(0),
        previous: None,
        auditors,
        replaces: None,
        ca_sha256: None,
        danger_simulated_root: None,
        roles: BTreeMap::new(),
    }
}

fn following(previous: &Manifest, auditors: Option<Auditors>) -> anyhow::Result<Manifest> {
    let changed = auditors.as_ref().is_some_and(|auditors| !auditors.same_keys(&previous.auditors));
    if previous.version == Manifest::MAX_VERSION {
        return Err(Complaint::new("there is no version after the last").into());
    }
    Ok(Manifest {
        version: previous.version + 1,
        previous: Some(previous.digest()),
        replaces: changed.then(|| previous.auditors.clone()),
        auditors: auditors.unwrap_or_else(|| previous.auditors.clone()),
        ..previous.clone()
    })
}

fn read_ca(path: &Path) -> anyhow::Result<Digest> {
    let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
    ca_digest(&text).with_context(|| format!("{} can't be used", path.display()))
}

fn read_root(path: &Path) -> anyhow::Result<SimulatedRootKey> {
    let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
    SimulatedRootKey::from_pem(&text).with_context(|| format!("{} can't be used", path.display()))
}
