//! The whole of a per-service binary but its service: flags, logs, metrics, signals.

use std::future::Future;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::host::{Host, Mode};
use crate::telemetry::{self, LogFormat};

const HELP: &str = "\
Runs one Teehouse service in a process of its own.

Options:
    --config FILE     read addresses, limits and paths from FILE (default: ./teehouse.toml where it exists)
    --data-dir DIR    keep stores and keys in DIR, whatever the file says
    --dev             accept the simulated platform, which protects nothing from this machine's operator
    --json-logs       log one JSON object a line
    --version, --help
";

/// What the flags say.
#[derive(Debug, Default)]
struct Flags {
    config: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    dev: bool,
    json_logs: bool,
}

/// Runs a service until SIGTERM or SIGINT; `start` puts it on the host.
///
/// # Errors
/// When the flags or the configuration are wrong, or the service can't start.
pub fn run<F>(version: &str, start: impl FnOnce(Host) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Host>>,
{
    let Some(flags) = parse(version)? else { return Ok(()) };
    telemetry::start_logs(if flags.json_logs { LogFormat::Json } else { LogFormat::Text }, "info");
    let config = configure(&flags)?;
    let mode = if flags.dev { Mode::Dev } else { Mode::Attested };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = Host::new(config, mode)?;
        let metrics = match host.config().metrics {
            Some(address) => Some((telemetry::bind_metrics(address).await?, telemetry::start_metrics()?)),
            None => None,
        };
        let host = start(host).await?;
        if let Some((socket, metrics)) = metrics {
            tokio::spawn(telemetry::serve_metrics(socket, metrics, host.shutdown()));
        }
        tracing::info!(platform = %host.platform(), version, "serving");
        asked_to_stop().await?;
        tracing::info!("stopping");
        host.stop().await;
        Ok(())
    })
}

/// `None` when a flag only asked for text, which is printed.
fn parse(version: &str) -> anyhow::Result<Option<Flags>> {
    use lexopt::Arg::Long;
    let mut flags = Flags::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") => flags.config = Some(parser.value()?.into()),
            Long("data-dir") => flags.data_dir = Some(parser.value()?.into()),
            Long("dev") => flags.dev = true,
            Long("json-logs") => flags.json_logs = true,
            Long("version") => {
                println!("{version}");
                return Ok(None);
            }
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(flags))
}

fn configure(flags: &Flags) -> anyhow::Result<Config> {
    let usual = PathBuf::from("teehouse.toml");
    let mut config = match &flags.config {
        Some(path) => Config::load(path)?,
        None if usual.exists() => Config::load(&usual)?,
        None => Config::default(),
    };
    if let Some(data_dir) = &flags.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    Ok(config)
}

/// Returns when the operator or the system asks the process to end.
///
/// # Errors
/// When signals can't be received.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
