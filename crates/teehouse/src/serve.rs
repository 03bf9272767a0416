//! `teehouse serve`: the services in one process, until a signal ends it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use rpc::config::Config;
use rpc::listener::reachable;
use rpc::shutdown::Shutdown;
use rpc::telemetry::{self, LogFormat};
use serde::Serialize;
use types::service::{Api, Role};

use crate::VERSION;
use crate::output::Output;
use crate::settings::{CLIENT_FILE, ClientFile, DATA_DIR_VARIABLE};
use crate::signals::Signals;
use crate::system::{Mode, System};

const EXAMPLES: &str = "\
Examples:
  teehouse serve --dev
  teehouse serve --dev --data-dir /tmp/house --listen 127.0.0.1:0       on free ports
  teehouse serve --config /etc/teehouse.toml --service kms,tdfs --json-logs

With --dev the platform is simulated and every key lies in the data directory: it protects nothing
from whoever can read that. SIGTERM and SIGINT drain: requests in flight are answered first.
RUST_LOG selects what is logged.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Accept the simulated platform, for development
    #[arg(long)]
    dev: bool,
    /// The configuration file (teehouse.toml)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where stores, ciphertext, keys and trust live [default: teehouse-data]
    #[arg(long, value_name = "DIR", env = DATA_DIR_VARIABLE)]
    data_dir: Option<PathBuf>,
    /// Which services to start: kms, tdfs, tms, fns; all when absent
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    service: Vec<Role>,
    /// Where to listen: an address for every port (IP or IP:0), or one port's own (API=IP:PORT); may be said more
    /// than once
    #[arg(long, value_name = "[API=]ADDRESS")]
    listen: Vec<Listen>,
    /// Where to serve Prometheus metrics, over plain HTTP
    #[arg(long, value_name = "IP:PORT")]
    metrics: Option<SocketAddr>,
    /// Log one JSON object a line
    #[arg(long)]
    json_logs: bool,
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let format = if args.json_logs { LogFormat::Json } else { LogFormat::Text };
    telemetry::start_logs(format, "info");
    let mode = if args.dev { Mode::Dev } else { Mode::Attested };
    let services = if args.service.is_empty() { Role::ALL.to_vec() } else { args.service.clone() };
    let config = args.configuration()?;
    let shutdown = Shutdown::default();
    serve_metrics(&config, mode, shutdown.clone()).await?;
    let mut signals = Signals::install()?;
    let system = System::start(config, &services, mode).await?;
    if mode == Mode::Dev {
        write_client_file(&system)?;
    }
    announce(&Serving::of(&system), output)?;
    signals.next().await;
    drain(system, shutdown, signals, output).await
}

impl Args {
    /// The file's configuration, with what the command line says on top.
    fn configuration(self) -> anyhow::Result<Config> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.metrics = self.metrics.or(config.metrics);
        self.listen.into_iter().for_each(|listen| listen.apply(&mut config));
        config.check()?;
        Ok(config)
    }
}

/// What `--listen` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    /// Every port at this address, on the number that is configured.
    All(IpAddr),
    /// Every port at this address, on a free number.
    AllFree(IpAddr),
    /// One port.
    One(Api, SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((api, address)) = text.split_once('=') {
            let api = api.parse().map_err(|error: types::service::UnknownApi| error.to_string())?;
            let address = address.parse().map_err(|_| format!("`{address}` is no IP:PORT"))?;
            return Ok(Listen::One(api, address));
        }
        match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(ip), _) => Ok(Listen::All(ip)),
            (_, Ok(address)) if address.port() == 0 => Ok(Listen::AllFree(address.ip())),
            (_, Ok(_)) => Err(format!("one port can't serve every API: say which, as in tms={text}")),
            _ => Err("expected IP, IP:0 or API=IP:PORT".to_owned()),
        }
    }
}

impl Listen {
    fn apply(self, config: &mut Config) {
        for api in Api::ALL {
            let place = config.listen_mut(api);
            match self {
                Listen::All(ip) => place.set_ip(ip),
                Listen::AllFree(ip) => *place = SocketAddr::new(ip, 0),
                Listen::One(only, address) if only == api => *place = address,
                Listen::One(..) => {}
            }
        }
    }
}

/// Starts the metrics listener where one is configured; before the services, so that they find the recorder.
async fn serve_metrics(config: &Config, mode: Mode, shutdown: Shutdown) -> anyhow::Result<()> {
    let Some(address) = config.metrics.filter(|_| mode == Mode::Dev) else { return Ok(()) };
    let metrics = telemetry::start_metrics().context("metrics can't be collected")?;
    let socket = telemetry::bind_metrics(address).await?;
    tracing::info!(address = %socket.local_addr()?, "metrics");
    tokio::spawn(telemetry::serve_metrics(socket, metrics, shutdown));
    Ok(())
}

/// Leaves the settings with which clients on this machine find the server.
fn write_client_file(system: &System) -> anyhow::Result<()> {
    let config = system.config();
    let address = |api| {
        let address = system.address(api).unwrap_or(config.listen(api));
        (address.port() != 0).then(|| reachable(address).to_string())
    };
    let file = ClientFile {
        tms: address(Api::TmsExternal),
        tdfs: address(Api::TdfsExternal),
        trust: Some("trust".into()),
        allow_simulated: true,
        ..ClientFile::default()
    };
    let path = config.data_dir.join(CLIENT_FILE);
    let text = format!(
        "# How clients on this machine find the server; written anew by every `teehouse serve --dev`.\n{}",
        toml::to_string(&file)?
    );
    client::write_private(&path, text.as_bytes()).with_context(|| format!("{} can't be written", path.display()))
}

/// What serves, where.
#[derive(Serialize)]
struct Serving {
    version: &'static str,
    platform: &'static str,
    data_dir: PathBuf,
    addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Serving {
    fn of(system: &System) -> Self {
        let address = |api: Api| Some((api.as_str(), system.address(api)?));
        Serving {
            version: VERSION,
            platform: system.platform().as_str(),
            data_dir: system.config().data_dir.clone(),
            addresses: Api::ALL.into_iter().filter_map(address).collect(),
        }
    }
}

/// Says that it serves: a banner for people; one JSON document on standard output for machines.
fn announce(serving: &Serving, output: &Output) -> anyhow::Result<()> {
    output.note(Banner(serving));
    output.result(serving, |_| Ok(()))?;
    Ok(())
}

struct Banner<'a>(&'a Serving);

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Serving { version, platform, data_dir, addresses } = self.0;
        writeln!(f, "\nTeehouse {version} serves from {}\n", data_dir.display())?;
        for (api, address) in addresses {
            writeln!(f, "  {api:<14} {address}")?;
        }
        writeln!(f, "  {:<14} {}\n", "platform", warning(platform))?;
        self.next_steps(f, data_dir)
    }
}

/// A platform's name; where it is worth nothing, that comes with it.
fn warning(platform: &str) -> String {
    match platform {
        "simulated" => "SIMULATED: protects nothing from this machine's operator".to_owned(),
        other => other.to_owned(),
    }
}

impl Banner<'_> {
    fn next_steps(&self, f: &mut fmt::Formatter<'_>, data_dir: &Path) -> fmt::Result {
        writeln!(f, "Next, in another terminal:\n")?;
        writeln!(f, "  export TEEHOUSE_DATA_DIR={}", data_dir.display())?;
        writeln!(f, "  export TEEHOUSE_USER=alice TEEHOUSE_TOKEN=$(teehouse user add alice)")?;
        writeln!(f, "  TASK=$(teehouse task create echo)")?;
        writeln!(f, "  teehouse task run $TASK --payload hello\n")?;
        write!(f, "Ctrl-C ends it.")
    }
}

/// Lets requests in flight end; a second signal does not wait for them.
async fn drain(system: System, shutdown: Shutdown, mut signals: Signals, output: &Output) -> anyhow::Result<()> {
    let limit = system.config().limits.drain_seconds;
    output.note(format_args!("ending: requests in flight have {limit} s; the next signal ends at once"));
    shutdown.begin();
    tokio::select! {
        () = system.stop() => Ok(()),
        () = signals.next() => Err(crate::exit::Complaint::new("ended before every request was answered").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |text: &str, expected: Result<Listen, &str>| {
            assert_eq!(text.parse::<Listen>().map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        let local = IpAddr::from([127, 0, 0, 1]);
        check("127.0.0.1", Ok(Listen::All(local)));
        check("::1", Ok(Listen::All(std::net::Ipv6Addr::LOCALHOST.into())));
        check("127.0.0.1:0", Ok(Listen::AllFree(local)));
        check("[::1]:0", Ok(Listen::AllFree(std::net::Ipv6Addr::LOCALHOST.into())));
        check("tms=127.0.0.1:7", Ok(Listen::One(Api::TmsExternal, SocketAddr::new(local, 7))));
        check("tdfs-internal=127.0.0.1:0", Ok(Listen::One(Api::TdfsInternal, SocketAddr::new(local, 0))));
        check("127.0.0.1:7", Err("one port can't serve every API: say which, as in tms=127.0.0.1:7"));
        check("tms=7", Err("`7` is no IP:PORT"));
        check(
            "tmz=127.0.0.1:7",
            Err("`tmz` is no API: expected tms, tms-internal, tdfs, tdfs-internal, kms, kms-enrolment or fns"),
        );
        check("localhost", Err("expected IP, IP:0 or API=IP:PORT"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("teehouse.toml");
        std::fs::write(
            &file,
            "data_dir = \"from-file\"\n[tms]\nexternal = \"127.0.0.1:1\"\ninternal = \"127.0.0.1:2\"\n",
        )
        .unwrap();
        let args = |data_dir: Option<&str>, listen: &[&str]| Args {
            dev: true,
            config: Some(file.clone()),
            data_dir: data_dir.map(PathBuf::from),
            service: Vec::new(),
            listen: listen.iter().map(|listen| listen.parse().unwrap()).collect(),
            metrics: None,
            json_logs: false,
        };
        let config = args(None, &[]).configuration().unwrap();
        assert_eq!((config.data_dir.as_path(), config.tms.external.port()), (Path::new("from-file"), 1));
        let config = args(Some("from-flag"), &["127.0.0.2", "tms=127.0.0.1:3"]).configuration().unwrap();
        assert_eq!(config.data_dir, Path::new("from-flag"));
        assert_eq!(config.tms.external.to_string(), "127.0.0.1:3");
        assert_eq!(config.tms.internal.to_string(), "127.0.0.2:2");
        assert_eq!(config.kms.listen.to_string(), "127.0.0.2:6016");
    }

    #[test]
    fn the_banner_says_that_simulation_protects_nothing() {
        let serving = Serving {
            version: "1",
            platform: attest::platform::Platform::Simulated.as_str(),
            data_dir: "/data".into(),
            addresses: BTreeMap::from([("tms", SocketAddr::from(([127, 0, 0, 1], 5554)))]),
        };
        let banner = Banner(&serving).to_string();
        assert!(banner.contains("SIMULATED: protects nothing from this machine's operator"), "{banner}");
        assert!(banner.contains("  tms            127.0.0.1:5554\n"), "{banner}");
    }

    #[test]
    fn listening_everywhere_is_reached_here() {
        for (listens, reached) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }
}
