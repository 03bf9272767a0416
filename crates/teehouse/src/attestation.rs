//! `teehouse attest`: what runs, and on what.

use attest::manifest::Measured;
use attest::platform::Platform;
use clap::Subcommand;
use rpc::deployment::simulated_measurement;
use types::service::Role;

use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Example:
  teehouse attest measure --platform simulated --json | teehouse manifest add house.json -";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print what this program measures to on this platform, ready for a manifest.
    #[command(after_help = "\
Examples:
  teehouse attest measure --platform simulated
  teehouse attest measure --platform simulated --role kms --json")]
    Measure {
        /// The platform: simulated, which measures the same for every build and protects nothing
        #[arg(long)]
        platform: Platform,
        /// In which roles: kms, tdfs, tms, fns; all when absent
        #[arg(long, value_name = "ROLE", value_delimiter = ',')]
        role: Vec<Role>,
    },
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let Verb::Measure { platform, role } = &args.verb;
    let roles = if role.is_empty() { Role::ALL.to_vec() } else { role.clone() };
    let measured = roles.into_iter().map(|role| measure(*platform, role)).collect::<Result<Vec<_>, _>>()?;
    if *platform == Platform::Simulated {
        output.note("SIMULATED: every build measures the same, and the platform protects nothing");
    }
    output.result(&measured, |out| {
        measured.iter().try_for_each(|measured| writeln!(out, "{:<4} {}", measured.role.as_str(), measured.measurement))
    })?;
    Ok(())
}

fn measure(platform: Platform, role: Role) -> Result<Measured, Complaint> {
    match platform {
        Platform::Simulated => Ok(Measured { role, measurement: simulated_measurement(role) }),
        other => Err(Complaint::new(format!("this build makes no evidence on {other} platforms"))
            .help("measure where the service will run, with a build for that platform")),
    }
}
