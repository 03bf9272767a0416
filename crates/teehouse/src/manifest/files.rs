//! Manifests, keys and dates as the command line names them.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use attest::date;
use attest::manifest::Manifest;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::{Envelope, MAX_BYTES, PAYLOAD_TYPE};
use serde::Serialize;
use types::digest::Digest;
use types::time::UnixMillis;

use crate::exit::Complaint;

/// A manifest's file: what is in it, whether or not anybody signed that.
pub(super) struct Opened {
    pub(super) envelope: Envelope,
    pub(super) manifest: Manifest,
}

impl Opened {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let refused = || format!("{} is no manifest", path.display());
        let envelope = Envelope::from_bytes(&read(path)?).with_context(refused)?;
        if envelope.payload_type() != PAYLOAD_TYPE {
            return Err(Complaint::new(format!("{}: its payload's type is not {PAYLOAD_TYPE}", refused())).into());
        }
        let manifest = Manifest::from_bytes(envelope.payload()).with_context(refused)?;
        Ok(Opened { envelope, manifest })
    }
}

/// Writes a manifest that nobody has signed, if it is one that can be read again.
pub(super) fn write_unsigned(path: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let payload = manifest.to_bytes();
    Manifest::from_bytes(&payload).context("no such manifest can be")?;
    write(path, &Envelope::unsigned(payload))
}

pub(super) fn write(path: &Path, envelope: &Envelope) -> anyhow::Result<()> {
    let bytes = envelope.to_bytes();
    if bytes.len() > MAX_BYTES {
        return Err(Complaint::new(format!("the manifest would be longer than {MAX_BYTES} bytes")).into());
    }
    client::write_shared(path, &bytes).with_context(|| format!("{} can't be written", path.display()))
}

/// A file whole, or standard input for `-`.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("{} can't be read", path.display());
    if path != Path::new("-") {
        return fs::read(path).with_context(failed);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("standard input can't be read")?;
    Ok(bytes)
}

pub(super) fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let complaint = Complaint::usage(format!("{} is there already", path.display()));
    Err(complaint.help("name another file, or remove that one").into())
}

/// `[NAME=]KEYFILE`: without a name, the auditor is called what the file is.
#[derive(Clone, Debug)]
pub(super) struct AuditorArg {
    name: String,
    file: PathBuf,
}

impl FromStr for AuditorArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name.to_owned(), PathBuf::from(file)),
            None => {
                let file = PathBuf::from(text);
                let stem = file.file_stem().ok_or("expected [NAME=]KEYFILE")?;
                (stem.to_string_lossy().into_owned(), file)
            }
        };
        Ok(AuditorArg { name, file })
    }
}

/// The auditors that a command line names.
pub(super) fn auditors(list: &[AuditorArg], threshold: u32) -> anyhow::Result<Auditors> {
    let auditor = |arg: &AuditorArg| Ok(Auditor { name: arg.name.clone(), key: rpc::manifest::read_key(&arg.file)? });
    let list = list.iter().map(auditor).collect::<Result<Vec<_>, rpc::manifest::ManifestError>>();
    let list = list.map_err(|error| {
        let help = "name the public key: a .pub file of `teehouse manifest keygen` or of ssh-keygen";
        Complaint::usage("an auditor's key can't be used").help(help).because(error)
    })?;
    Auditors::new(threshold, list).map_err(|error| {
        Complaint::usage("these can't be the auditors")
            .help("name each with --auditor, and with --threshold how many of them must sign")
            .because(error)
            .into()
    })
}

/// A date on the command line: `2026-11-23`, or `2026-11-23T12:00:00Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateArg(pub(crate) UnixMillis);

impl FromStr for DateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        date::parse(&whole).map(DateArg).ok_or_else(|| "expected 2026-11-23 or 2026-11-23T12:00:00Z".to_owned())
    }
}

/// Now, in whole seconds as manifests have them.
pub(super) fn this_second() -> UnixMillis {
    UnixMillis(UnixMillis::now().0 / 1000 * 1000)
}

/// A manifest's state, as the verbs that change it report it.
#[derive(Serialize)]
pub(super) struct State {
    pub(super) file: PathBuf,
    pub(super) deployment: String,
    pub(super) version: u64,
    pub(super) digest: Digest,
    #[serde(flatten)]
    pub(super) signed: Signed,
    /// The same for the auditors that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<Signed>,
}

/// How far auditors have agreed.
#[derive(Serialize)]
pub(super) struct Signed {
    /// Whose signatures are there and verify.
    signed_by: Vec<String>,
    /// How many must be.
    threshold: u32,
}

impl Signed {
    fn of(envelope: &Envelope, auditors: &Auditors) -> Self {
        let signed_by = envelope.signers(auditors).iter().map(|auditor| auditor.name.clone()).collect();
        Signed { signed_by, threshold: auditors.threshold() }
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { signed_by, threshold } = self;
        match signed_by.len() {
            0 => write!(f, "unsigned, {threshold} must sign"),
            found => write!(f, "signed by {found} ({}), {threshold} must sign", signed_by.join(", ")),
        }
    }
}

impl State {
    pub(super) fn of(file: &Path, Opened { envelope, manifest }: &Opened) -> Self {
        State {
            file: file.to_owned(),
            deployment: manifest.deployment.to_string(),
            version: manifest.version,
            digest: manifest.digest(),
            signed: Signed::of(envelope, &manifest.auditors),
            replaces: manifest.replaces.as_ref().map(|replaced| Signed::of(envelope, replaced)),
        }
    }

    /// The file, its digest, and how many signatures it has.
    pub(super) fn print(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let State { file, deployment, version, digest, signed, .. } = self;
        writeln!(out, "{}: version {version} for {deployment}, {signed}", file.display())?;
        if let Some(replaced) = &self.replaces {
            writeln!(out, "it replaces auditors; by these it is {replaced}")?;
        }
        writeln!(out, "digest {digest}")
    }
}
