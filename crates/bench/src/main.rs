//! Measures what the platform promises: `cargo run --release -p bench -- NAME [--json]`.
//!
//! Every benchmark starts its own services with durable stores and TLS in a folder of its own, warms up, measures in
//! several rounds, and prints the target, what it measured and what to compare that with, from the same run. Clients
//! run in the same process and share the processors with the services.

mod attestation;
mod cluster;
mod consent;
mod echo;
mod figure;
mod files;
mod flood;
mod footprint;
mod handshake;
mod join;
mod kept;
mod kms;
mod list;
mod load;
mod log;
mod machine;
mod options;
mod parties;
mod plain_tls;
mod psi;
mod seal;
mod seal_tools;
mod stats;
mod store_open;
mod transfer;
mod wasm;

use options::{Name, Options};

use crate::figure::Report;

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::from_arguments()? else { return Ok(()) };
    if let Some(dir) = &options.fill {
        return store_open::fill(dir, options.records);
    }
    if let Some(case) = &options.psi {
        return psi::child(case);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::new(machine::describe());
    for name in &options.names {
        eprintln!("{name} …");
        runtime.block_on(run(*name, &options, &mut report))?;
    }
    report.finish(machine::load());
    report.print(options.json)
}

async fn run(name: Name, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    match name {
        Name::Echo => echo::run(report).await,
        Name::Kms => kms::run(report).await,
        Name::Handshake => handshake::run(report).await,
        Name::Attestation => attestation::run(report).await,
        Name::Flood => flood::run(report).await,
        Name::Files => files::run(report).await,
        Name::Seal => seal::run(report),
        Name::Transfer => transfer::run(report).await,
        Name::List => list::run(report, options.tasks).await,
        Name::Consent => consent::run(report).await,
        Name::Log => log::run(report, options.entries).await,
        Name::Store => store_open::run(report, options.records).await,
        Name::Footprint => footprint::run(report),
        Name::Wasm => wasm::run(report).await,
        Name::Psi => psi::bench(report),
        Name::Join => join::bench(report),
    }
}
