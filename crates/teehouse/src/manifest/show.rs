//! `teehouse manifest show`: a manifest as a page that a person understands.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use attest::claims::Measurement;
use attest::date;
use attest::manifest::Manifest;
use attest::manifest::auditors::Auditors;
use attest::manifest::envelope::Envelope;
use attest::platform::Platform;
use attest::reference::{Accepted, CollateralFloor, ReferenceValues};
use serde::Serialize;
use serde_json::Value;
use types::service::Role;
use types::time::UnixMillis;

use crate::manifest::files::{Opened, State};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse manifest show house.json
  teehouse manifest show house.json --json

It shows what the file says; `teehouse manifest verify` decides whether that is to be believed.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The manifest
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    state: State,
    manifest: Value,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let opened = Opened::read(&args.file)?;
    let manifest = serde_json::from_slice(opened.envelope.payload()).context("a payload that was just read")?;
    let shown = Shown { state: State::of(&args.file, &opened), manifest };
    output.result(&shown, |out| page(out, &opened, UnixMillis::now()))?;
    output.note("\nThis is what the file says; `teehouse manifest verify` decides whether that is to be believed.");
    Ok(())
}

fn page(out: &mut dyn Write, Opened { envelope, manifest }: &Opened, now: UnixMillis) -> io::Result<()> {
    writeln!(out, "deployment  {}", manifest.deployment)?;
    writeln!(out, "version     {}", manifest.version)?;
    writeln!(out, "digest      {}", manifest.digest())?;
    if let Some(previous) = manifest.previous {
        writeln!(out, "follows     {previous}")?;
    }
    writeln!(
        out,
        "holds       from {} until {}, {}",
        date::format(manifest.issued),
        date::format(manifest.expires),
        left(manifest, now)
    )?;
    if let Some(ca) = manifest.ca_sha256 {
        writeln!(out, "CA          SHA-256 {ca}")?;
    }
    people(out, "auditors", &manifest.auditors, envelope)?;
    if let Some(replaced) = &manifest.replaces {
        people(out, "replaces", replaced, envelope)?;
    }
    simulation(out, manifest)?;
    Role::ALL.iter().try_for_each(|role| match manifest.roles.get(role) {
        Some(values) => reference_values(out, *role, values),
        None => writeln!(out, "\n{:<11} may not run", role.as_str()),
    })
}

fn left(manifest: &Manifest, now: UnixMillis) -> String {
    let days = now.until(manifest.expires).as_secs() / (24 * 3600);
    match (now < manifest.issued, now > manifest.expires) {
        (true, _) => "which has not begun".to_owned(),
        (_, true) => "EXPIRED".to_owned(),
        _ => format!("{days} days left"),
    }
}

fn people(out: &mut dyn Write, what: &str, auditors: &Auditors, envelope: &Envelope) -> io::Result<()> {
    let signers = envelope.signers(auditors);
    writeln!(out, "{what:<11} {} of {} must sign, {} did", auditors.threshold(), auditors.list().len(), signers.len())?;
    auditors.list().iter().try_for_each(|auditor| {
        let signed = if signers.contains(&auditor) { "signed" } else { "-" };
        writeln!(
            out,
            "            {:<12} {signed:<6}  {}  {}",
            auditor.name,
            auditor.key.fingerprint(),
            auditor.key.kind()
        )
    })
}

fn simulation(out: &mut dyn Write, manifest: &Manifest) -> io::Result<()> {
    let Some(root) = manifest.danger_simulated_root else { return Ok(()) };
    writeln!(out, "SIMULATED   accepts platforms that protect nothing from whoever runs them; their root is")?;
    writeln!(out, "            {}", crypto::hash::hex(root.as_bytes()))
}

fn reference_values(out: &mut dyn Write, role: Role, values: &ReferenceValues) -> io::Result<()> {
    let runs_on = |platform: &Platform| values.measurements.iter().any(|known| known.platform() == *platform);
    let platforms: Vec<&str> = Platform::ALL.iter().filter(|on| runs_on(on)).map(|on| on.as_str()).collect();
    writeln!(out, "\n{:<11} may run on {}", role.as_str(), platforms.join(", "))?;
    let mut line = |what: &str, value: String| writeln!(out, "            {what:<12} {value}");
    values.measurements.iter().flat_map(parts).try_for_each(|(what, part)| line(what, part))?;
    if values.minimum_security_version > 0 {
        line("svn", format!("at least {}", values.minimum_security_version))?;
    }
    listed(&values.config_ids).into_iter().try_for_each(|id| line("config id", id))?;
    listed(&values.platform_ids).into_iter().try_for_each(|id| line("machine", id))?;
    let firmware = &values.minimum_snp_tcb;
    firmware.iter().try_for_each(|(product, tcb)| line("firmware", format!("{product}: at least {tcb}")))?;
    listed(&values.snp_authors).into_iter().try_for_each(|author| line("author", author))?;
    if values.snp_vmpl > 0 {
        line("VMPL", values.snp_vmpl.to_string())?;
    }
    if platforms.contains(&Platform::Tpm.as_str()) {
        let pcrs: Vec<_> = values.tpm_pcrs.iter().map(|pcr| pcr.to_string()).collect();
        line("PCRs", pcrs.join(", "))?;
    }
    if values.minimum_tcb_date > UnixMillis(0) {
        line("TCB", format!("of {} or later", date::format(values.minimum_tcb_date)))?;
    }
    let floor = values.collateral_floor;
    if floor != CollateralFloor::default() {
        let issued = date::format(floor.issued);
        line("collateral", format!("issued {issued} or later, TCB evaluation {} or later", floor.tcb_evaluation))?;
    }
    values.allowances.iter().try_for_each(|allowance| line("ALLOWED", allowance.to_string()))
}

/// A measurement on a line for each of its parts.
fn parts(measurement: &Measurement) -> Vec<(&'static str, String)> {
    let text = measurement.to_string();
    let mut parts = text.split(':').map(str::to_owned);
    let head = [parts.next(), parts.next()].into_iter().flatten().collect::<Vec<_>>().join(":");
    std::iter::once(("measurement", head)).chain(parts.map(|part| ("", part))).collect()
}

fn listed<T: ToString>(accepted: &Accepted<T>) -> Vec<String> {
    match accepted {
        Accepted::Any => Vec::new(),
        Accepted::Only(values) => values.iter().map(T::to_string).collect(),
    }
}
