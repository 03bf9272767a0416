//! `teehouse manifest sign`: an auditor's word for a manifest.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use attest::manifest::Manifest;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::{Envelope, Signature};
use attest::manifest::key::AuditorKey;
use attest::manifest::signing::AuditorSecret;
use attest::manifest::sshsig::{NAMESPACE, SshSignature};

use crate::exit::Complaint;
use crate::manifest::files::{self, Opened, State};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse manifest sign house.json --key ada.key
  teehouse manifest sign house.json --key ~/.ssh/id_ed25519          ssh-keygen signs
  teehouse manifest sign house.json --key ~/.ssh/id_ed25519_sk.pub   an agent or a token signs

Look first at what you sign: teehouse manifest show house.json, and diff with the version before.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The manifest; the signature is added to it
    file: PathBuf,
    /// The auditor's key: NAME.key of `teehouse manifest keygen`, or an OpenSSH key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let Opened { mut envelope, manifest } = Opened::read(&args.file)?;
    output.note(format_args!(
        "signing version {} for {}, digest {}",
        manifest.version,
        manifest.deployment,
        manifest.digest()
    ));
    let (key, signature) = sign(&args.key, &envelope)?;
    let signer = signer(&manifest, &key)?;
    check_first(&envelope, signer)?;
    envelope.add(signature);
    if !has_signed(&envelope, signer) {
        return Err(Complaint::new(format!("the signature of `{}` does not verify", signer.name)).into());
    }
    files::write(&args.file, &envelope)?;
    let state = State::of(&args.file, &Opened { envelope, manifest });
    output.result(&state, |out| state.print(out))?;
    Ok(())
}

/// Signs with a key of ours, or lets `ssh-keygen` sign.
fn sign(path: &Path, envelope: &Envelope) -> anyhow::Result<(AuditorKey, Signature)> {
    let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
    if !text.trim_start().starts_with("-----BEGIN PRIVATE KEY-----") {
        let signature = ssh_sign(path, &envelope.pae())?;
        return Ok((signature.key().clone(), Signature::ssh(signature)));
    }
    check_private(path)?;
    let secret = AuditorSecret::from_pem(&text).with_context(|| format!("{} can't sign", path.display()))?;
    Ok((secret.public(), secret.sign(envelope)))
}

/// Others who can read a private key can sign with it.
fn check_private(path: &Path) -> anyhow::Result<()> {
    let mode = fs::metadata(path).with_context(|| format!("{} can't be read", path.display()))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let complaint = Complaint::usage(format!("others on this machine may read {path} (mode {:03o})", mode & 0o777));
    Err(complaint.help(format!("chmod 600 {path}, and think about who may have read it")).into())
}

/// `ssh-keygen` asks for passphrases, agents and tokens, on the terminal.
fn ssh_sign(key: &Path, message: &[u8]) -> anyhow::Result<SshSignature> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    let output = feed(&mut command, message).map_err(|error| {
        let help = "install OpenSSH, or sign with a key of `teehouse manifest keygen`";
        Complaint::new("ssh-keygen can't be run").help(help).because(error)
    })?;
    if !output.status.success() {
        let complaint = Complaint::new(format!("ssh-keygen did not sign with {}", key.display()));
        return Err(complaint
            .help("its own words are above; the key must be one that ssh-keygen can sign with")
            .into());
    }
    let signature = SshSignature::from_armour(&String::from_utf8_lossy(&output.stdout));
    signature.with_context(|| format!("the signature by {} can't be used", key.display()))
}

fn feed(command: &mut Command, input: &[u8]) -> io::Result<std::process::Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output()?;
    match written {
        // It ended without reading everything: its status says why.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(output),
    }
}

/// Whose signature it is: of an auditor that the manifest names, or of one that it replaces.
fn signer<'a>(manifest: &'a Manifest, key: &AuditorKey) -> Result<&'a Auditor, Complaint> {
    let sets: Vec<&Auditors> = std::iter::once(&manifest.auditors).chain(&manifest.replaces).collect();
    sets.iter().find_map(|auditors| auditors.with_key(key)).ok_or_else(|| {
        let names: Vec<&str> = sets.iter().flat_map(|set| set.list()).map(|auditor| auditor.name.as_str()).collect();
        Complaint::new(format!("the key {} is of no auditor that the manifest names", key.fingerprint()))
            .help(format!("it names {}; `teehouse manifest show` has their keys", names.join(", ")))
    })
}

fn has_signed(envelope: &Envelope, auditor: &Auditor) -> bool {
    let alone = Auditors::new(1, vec![auditor.clone()]).expect("one auditor of whom one signs");
    !envelope.signers(&alone).is_empty()
}

fn check_first(envelope: &Envelope, auditor: &Auditor) -> Result<(), Complaint> {
    match has_signed(envelope, auditor) {
        true => Err(Complaint::new(format!("`{}` has signed it already", auditor.name))),
        false => Ok(()),
    }
}
