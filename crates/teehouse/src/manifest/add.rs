//! `teehouse manifest add`: what may run as a role.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use attest::claims::{ConfigId, PlatformId, SnpAuthor};
use attest::manifest::{
    Manifest, Measured, parse_allowance, parse_config_id, parse_platform_id, parse_snp_author, parse_snp_tcb,
};
use attest::platform::Platform;
use attest::reference::{Accepted, Allowance, ReferenceValues};
use attest::snp::{SnpProduct, SnpTcb};
use attest::tpm::PcrSelection;

use crate::exit::Complaint;
use crate::manifest::files::{self, DateArg, Opened, State};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse attest measure --platform simulated --json | teehouse manifest add house.json -
  teehouse manifest add house.json kms.json --replace --allow hardening-needed
  teehouse manifest add house.json fns.json --platform-id ppid:00112233445566778899aabbccddeeff

A measurement is added to those that its role has. The flags set what else holds for the role; what
they do not name stays as it was.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The manifest, which nobody may have signed yet
    file: PathBuf,
    /// What `teehouse attest measure --json` printed; `-` reads standard input
    measured: PathBuf,
    /// Forget what the roles listed before
    #[arg(long)]
    replace: bool,
    /// The lowest security version of the code
    #[arg(long, value_name = "N")]
    minimum_security_version: Option<u32>,
    /// What whoever starts the code may bind to it, in hexadecimal; all others are then refused
    #[arg(long, value_name = "HEX", value_parser = parse_config_id)]
    config_id: Vec<ConfigId>,
    /// A machine on which it may run (ppid:HEX, piid:HEX, chip:HEX, tpm-key:HEX); all others are then refused
    #[arg(long, value_name = "KIND:HEX", value_parser = parse_platform_id)]
    platform_id: Vec<PlatformId>,
    /// The lowest SEV-SNP firmware of a product (Turin: and its FMC); products that are not named are then refused
    #[arg(long, value_name = "PRODUCT:BOOT_LOADER,TEE,SNP,MICROCODE", value_parser = parse_snp_tcb)]
    minimum_snp_tcb: Vec<(SnpProduct, SnpTcb)>,
    /// Who may have signed an SEV-SNP launch: `anonymous`, or a key's SHA-384; all others are then refused
    #[arg(long, value_name = "HEX", value_parser = parse_snp_author)]
    snp_author: Vec<SnpAuthor>,
    /// The privilege level (VMPL) of SEV-SNP reports, when a paravisor holds level 0
    #[arg(long, value_name = "N")]
    snp_vmpl: Option<u32>,
    /// The PCRs that a TPM's quote is over, where they are not the usual ones
    #[arg(long, value_name = "N", value_delimiter = ',')]
    tpm_pcr: Vec<u8>,
    /// The oldest date of a rated TCB level
    #[arg(long, value_name = "DATE")]
    minimum_tcb_date: Option<DateArg>,
    /// When the oldest part of the collateral may have been issued
    #[arg(long, value_name = "DATE")]
    collateral_issued: Option<DateArg>,
    /// Intel's lowest tcbEvaluationDataNumber
    #[arg(long, value_name = "N")]
    tcb_evaluation: Option<u32>,
    /// A weakness that is accepted, by name; may be said more than once
    #[arg(long, value_name = "NAME", value_parser = parse_allowance)]
    allow: Vec<Allowance>,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let Opened { envelope, mut manifest } = Opened::read(&args.file)?;
    if !envelope.signatures().is_empty() {
        return Err(signed_already(args).into());
    }
    let measured = Measured::from_json(&files::read(&args.measured)?)
        .with_context(|| format!("{} holds no measurements", args.measured.display()))?;
    check_simulation(&manifest, &measured)?;
    args.change(&mut manifest, measured)?;
    files::write_unsigned(&args.file, &manifest)?;
    let state = State::of(&args.file, &Opened::read(&args.file)?);
    output.result(&state, |out| state.print(out))?;
    Ok(())
}

fn signed_already(args: &Args) -> Complaint {
    let file = args.file.display();
    Complaint::new(format!("{file} is signed, and what is signed does not change"))
        .help(format!("make the next version: teehouse manifest init NEXT.json --previous {file}"))
}

fn check_simulation(manifest: &Manifest, measured: &[Measured]) -> Result<(), Complaint> {
    let simulated = measured.iter().any(|measured| measured.measurement.platform() == Platform::Simulated);
    if !simulated || manifest.danger_simulated_root.is_some() {
        return Ok(());
    }
    Err(Complaint::new("the measurement is of a simulated platform, and the manifest allows none")
        .help("simulation protects nothing; for development: teehouse manifest init … --danger-simulated-root FILE"))
}

impl Args {
    fn change(&self, manifest: &mut Manifest, measured: Vec<Measured>) -> anyhow::Result<()> {
        let pcrs = PcrSelection::new(self.tpm_pcr.iter().copied())?;
        let roles: BTreeSet<_> = measured.iter().map(|measured| measured.role).collect();
        if self.replace {
            manifest.roles.retain(|role, _| !roles.contains(role));
        }
        for Measured { role, measurement } in measured {
            manifest.roles.entry(role).or_default().measurements.insert(measurement);
        }
        for role in roles {
            manifest.roles.entry(role).and_modify(|values| self.set(values));
            if !self.tpm_pcr.is_empty() {
                manifest.roles.entry(role).and_modify(|values| values.tpm_pcrs = pcrs);
            }
        }
        Ok(())
    }

    /// Sets what the flags name.
    fn set(&self, values: &mut ReferenceValues) {
        values.minimum_security_version = self.minimum_security_version.unwrap_or(values.minimum_security_version);
        only(&mut values.config_ids, &self.config_id);
        only(&mut values.platform_ids, &self.platform_id);
        only(&mut values.snp_authors, &self.snp_author);
        values.minimum_snp_tcb.extend(self.minimum_snp_tcb.iter().copied());
        values.snp_vmpl = self.snp_vmpl.unwrap_or(values.snp_vmpl);
        let (tcb, issued) = (&mut values.minimum_tcb_date, &mut values.collateral_floor.issued);
        *tcb = self.minimum_tcb_date.map_or(*tcb, |date| date.0);
        *issued = self.collateral_issued.map_or(*issued, |date| date.0);
        let evaluation = &mut values.collateral_floor.tcb_evaluation;
        *evaluation = self.tcb_evaluation.unwrap_or(*evaluation);
        values.allowances.extend(&self.allow);
    }
}

fn only<T: Ord + Clone>(accepted: &mut Accepted<T>, named: &[T]) {
    if !named.is_empty() {
        *accepted = Accepted::Only(named.iter().cloned().collect());
    }
}
