//! `teehouse openapi`: an API's OpenAPI document, as every port serves it.

use std::io::Write as _;

use rpc::openapi::json;
use rpc::protocol::{Enrolment, FnsExternal, Kms, TdfsExternal, TdfsInternal, TmsExternal, TmsInternal};
use types::service::Api;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  teehouse openapi tms > openapi-tms.json")]
pub(crate) struct Args {
    /// The API: tms, tms-internal, tdfs, tdfs-internal, kms or fns
    api: Api,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let document = match args.api {
        Api::Kms => json::<Kms>(),
        Api::Enrolment => json::<Enrolment>(),
        Api::TdfsExternal => json::<TdfsExternal>(),
        Api::TdfsInternal => json::<TdfsInternal>(),
        Api::TmsExternal => json::<TmsExternal>(),
        Api::TmsInternal => json::<TmsInternal>(),
        Api::FnsExternal => json::<FnsExternal>(),
    };
    writeln!(std::io::stdout(), "{document}")?;
    Ok(())
}
