//! `teehouse attest measure`: what this program measures to here.

use std::path::PathBuf;
use std::str::FromStr;

use attest::claimed;
use attest::collateral::Need;
use attest::evidence::ReportData;
use attest::manifest::Measured;
use attest::platform::Platform;
use attest::tpm::PcrSelection;
use rpc::deployment::simulated_measurement;
use rpc::machine::{Choice, Machine};
use types::service::Role;
use types::time::UnixMillis;

use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse attest measure --platform auto --json
  teehouse attest measure --platform simulated --role kms";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The platform: auto, sgx, tdx, sev-snp, tpm, or simulated, which measures the same for every build
    #[arg(long, default_value = "auto")]
    platform: Wanted,
    /// The TPM's device, or the socket of a TPM in software
    #[arg(long, value_name = "PATH")]
    tpm_device: Option<PathBuf>,
    /// The PCRs that a TPM quotes, where they are not the usual ones
    #[arg(long, value_name = "N", value_delimiter = ',')]
    tpm_pcr: Vec<u8>,
    /// In which roles: kms, tdfs, tms, fns; all when absent
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<Role>,
}

/// What `--platform` says.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Simulated,
    Real(Choice),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let platform = match text {
            "auto" => return Ok(Wanted::Real(Choice::Auto)),
            text => text.parse::<Platform>().map_err(|error| error.to_string())?,
        };
        Ok(match platform {
            Platform::Simulated => Wanted::Simulated,
            Platform::Tpm => Wanted::Real(Choice::Tpm),
            Platform::SevSnp => Wanted::Real(Choice::SevSnp),
            Platform::Tdx => Wanted::Real(Choice::Tdx),
            Platform::Sgx => Wanted::Real(Choice::Sgx),
        })
    }
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let roles = if args.role.is_empty() { Role::ALL.to_vec() } else { args.role.clone() };
    let measured: Vec<Measured> = match args.platform {
        Wanted::Simulated => {
            output.note("SIMULATED: every build measures the same, and the platform protects nothing");
            roles.into_iter().map(|role| Measured { role, measurement: simulated_measurement(role) }).collect()
        }
        Wanted::Real(choice) => {
            let pcrs = match args.tpm_pcr.is_empty() {
                true => PcrSelection::default(),
                false => PcrSelection::new(args.tpm_pcr.iter().copied())?,
            };
            let machine = Machine::find(choice, args.tpm_device.as_deref(), pcrs).map_err(nowhere)?;
            // One image serves every role; what it is started as, its configuration says.
            let evidence = machine.attester().attest(&ReportData([0; 64]), UnixMillis::now()).map_err(nowhere)?;
            let measurement = claimed::measurement(&evidence)?;
            if let Some(key) = machine.tpm_key()? {
                output.note(format!(
                    "this TPM is believed where a manifest's role lists it: --platform-id tpm-key:{key}"
                ));
            }
            for need in Need::of(&evidence) {
                output.note(format!(
                    "whoever verifies this machine needs its collateral: [collateral] machines = [\"{need}\"]"
                ));
            }
            roles.into_iter().map(|role| Measured { role, measurement: measurement.clone() }).collect()
        }
    };
    output.result(&measured, |out| {
        measured.iter().try_for_each(|measured| writeln!(out, "{:<4} {}", measured.role.as_str(), measured.measurement))
    })?;
    Ok(())
}

fn nowhere(error: impl std::error::Error + Send + Sync + 'static) -> Complaint {
    Complaint::new("there is no platform here to measure")
        .help("measure where the service will run; on a laptop: --platform simulated")
        .because(error)
}
