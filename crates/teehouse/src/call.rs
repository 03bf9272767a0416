//! `teehouse call`: one raw document to one API, for people who debug clients.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use client::RequestError;
use rpc::CallError;
use rpc::deployment::{DevDeployment, Trust};
use rpc::raw;
use rpc::tls::{Connector, Credentials};
use types::error::ErrorReply;
use types::service::{Api, Callers, Role};

use crate::exit::{Complaint, ErrorAnswered};
use crate::settings::Flags;

const EXAMPLES: &str = r#"Examples:
  teehouse call tms '{"type":"List","user_id":"user1","user_token":"token1"}'
  teehouse call tdfs @request.json --framed
  teehouse call kms '{"type":"Create"}' --as tdfs --data-dir teehouse-data
  teehouse call fns - < invoke.json

The exit status is 1 when the answer is an error."#;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The API: tms, tms-internal, tdfs, tdfs-internal, kms or fns
    #[arg(value_name = "WHERE")]
    api: Api,
    /// The document: JSON, @FILE that holds it, or - for standard input
    #[arg(value_name = "JSON|@FILE|-")]
    document: String,
    /// Send it in a frame, as clients of the original system do, and not over HTTP
    #[arg(long)]
    framed: bool,
    /// On a service port: the service to act as. Only a --dev data directory makes such identities.
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<Role>,
    /// Where the API is, when that is not where the settings say
    #[arg(long, value_name = "HOST:PORT")]
    at: Option<String>,
    #[command(flatten)]
    connection: Flags,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { api, document, framed, role, at, connection } = args;
    let document = read_document(&document)?;
    let data_dir = connection.data_dir();
    let sources = connection.sources()?;
    let target = at.map_or_else(|| sources.address(api), Ok)?;
    let connector = match api.callers() {
        Callers::Anyone if role.is_some() => {
            return Err(Complaint::usage(format!("the {api} port is for users, who act as no service"))
                .help("leave --as out")
                .into());
        }
        Callers::Anyone => {
            let trust =
                Trust::load(&sources.trust()?, sources.simulation()).context("the trust folder can't be used")?;
            Connector::new(api, None, Arc::new(trust))
        }
        Callers::Services(roles) => service_connector(api, role.unwrap_or(roles[0]), data_dir.as_deref())?,
        Callers::Newcomers => service_connector(api, role.unwrap_or(Role::Fns), data_dir.as_deref())?,
    };
    let answer = exchange(&connector, api, target, &document, framed).await?;
    print(&answer)
}

fn read_document(document: &str) -> anyhow::Result<Vec<u8>> {
    match (document, document.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).context("standard input can't be read")?;
            Ok(bytes)
        }
        (_, Some(path)) => std::fs::read(path).with_context(|| format!("the document {path} can't be read")),
        (json, None) => Ok(json.as_bytes().to_vec()),
    }
}

/// A connector that acts as a service, with an identity made for this one call.
fn service_connector(api: Api, role: Role, data_dir: Option<&Path>) -> anyhow::Result<Connector> {
    let Some(data_dir) = data_dir else {
        return Err(Complaint::usage(format!("the {api} port is for services, and no data directory is set"))
            .help("name the --dev server's data directory: --data-dir DIR, or set TEEHOUSE_DATA_DIR")
            .into());
    };
    let deployment = DevDeployment::open(data_dir).map_err(|error| no_identity(role, data_dir, error))?;
    let key = deployment.issue(role, &[])?;
    Ok(Connector::new(api, Some(Credentials::new(key)), Arc::new(deployment.trust()?)))
}

fn no_identity(role: Role, data_dir: &Path, error: rpc::deployment::DeploymentError) -> Complaint {
    let data_dir: PathBuf = data_dir.to_owned();
    Complaint::usage(format!("no {role} identity can be made from {}", data_dir.display()))
        .help("only the data directory of a `teehouse serve --dev` holds the keys for that; name it with --data-dir")
        .because(error)
}

async fn exchange(
    connector: &Connector,
    api: Api,
    target: String,
    document: &[u8],
    framed: bool,
) -> Result<Vec<u8>, RequestError> {
    let answer = match framed {
        true => raw::call_framed(connector, &target, document).await,
        false => raw::call_http(connector, &target, document).await.map(|(_, body)| body),
    };
    match answer {
        Ok(body) => Ok(body.to_vec()),
        Err(source) => Err(CallError::Unreachable { api, target, source }.into()),
    }
}

fn print(answer: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(answer)?;
    writeln!(out)?;
    out.flush()?;
    match serde_json::from_slice::<ErrorReply>(answer) {
        Ok(_) => Err(ErrorAnswered.into()),
        Err(_) => Ok(()),
    }
}
