//! The client verbs' settings: flags, then environment, then a file.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use client::{Settings, Simulation, Teehouse, Transfers};
use serde::{Deserialize, Serialize};
use types::secret::Secret;
use types::service::Api;
use types::user::BadUserId;

/// Where a data directory's own settings are.
pub(crate) const CLIENT_FILE: &str = "client.toml";

/// The variable that names a data directory.
pub(crate) const DATA_DIR_VARIABLE: &str = "TEEHOUSE_DATA_DIR";

/// Where the server is, what makes it trustworthy, and who asks.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Flags {
    /// The server, on its usual ports [env: TEEHOUSE_SERVER]
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST")]
    server: Option<String>,
    /// The task management service, when it is elsewhere [env: TEEHOUSE_TMS]
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST:PORT")]
    tms: Option<String>,
    /// The trusted file service, when it is elsewhere [env: TEEHOUSE_TDFS]
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST:PORT")]
    tdfs: Option<String>,
    /// Who you are [env: TEEHOUSE_USER]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    user: Option<String>,
    /// Your token, or @FILE that holds it [env: TEEHOUSE_TOKEN]. Others on this machine can see a token on a command
    /// line: prefer @FILE or the variable.
    #[arg(long, global = true, hide_short_help = true, value_name = "TOKEN|@FILE", value_parser = secret)]
    token: Option<Secret>,
    /// The deployment's trust folder, from the server's operator [env: TEEHOUSE_TRUST]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Accept services on a simulated platform, which protects nothing from its operator
    #[arg(long, global = true, hide_short_help = true)]
    allow_simulated: bool,
    /// Send and fetch ciphertext over the network even where the server's disk is this machine's
    #[arg(long, global = true, hide_short_help = true)]
    always_send: bool,
    /// More roots (PEM) for object stores, besides the public web's [env: TEEHOUSE_CA_FILE]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A file with these settings [env: TEEHOUSE_CLIENT_CONFIG]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    client_config: Option<PathBuf>,
    /// A server's data directory: its client.toml is read [env: TEEHOUSE_DATA_DIR]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Takes a secret from the command line.
pub(crate) fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// `client.toml`
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientFile {
    /// The server, on its usual ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The task management service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tms: Option<String>,
    /// The trusted file service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tdfs: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The user's token, or `@FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// The trust folder; a relative path starts from this file's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust: Option<PathBuf>,
    /// Whether simulated platforms are acceptable.
    pub(crate) allow_simulated: bool,
    /// More roots for object stores; a relative path starts from this file's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Settings that are missing or wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("no {what} is set")]
    Missing { what: &'static str, flag: &'static str, variable: &'static str, absent: Option<PathBuf> },
    #[error("settings {} can't be read", path.display())]
    ReadFile { path: PathBuf, source: io::Error },
    #[error("settings {} are wrong", path.display())]
    ParseFile { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the token file {} can't be read", path.display())]
    ReadToken { path: PathBuf, source: io::Error },
    #[error("the token file {} is empty", path.display())]
    EmptyToken { path: PathBuf },
    #[error("{variable} is not UTF-8 text")]
    NotText { variable: &'static str },
    #[error("`{address}` is no address of the {api}")]
    BadAddress { api: Api, address: String },
    #[error("`{server}` is no host")]
    BadServer { server: String },
    #[error("`{user}` is no user's name")]
    BadUser { user: String, source: BadUserId },
}

impl SettingsError {
    /// What to do about it, where the message does not say so already.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            SettingsError::Missing { flag, variable, absent: None, .. } => {
                Some(format!("say {flag}, or set {variable}"))
            }
            SettingsError::Missing { flag, variable, absent: Some(path), .. } => Some(format!(
                "say {flag}, or set {variable}; there is no {} to read it from: `teehouse serve --dev` writes one",
                path.display()
            )),
            SettingsError::BadAddress { .. } => Some("an address is HOST:PORT, as in localhost:5554".to_owned()),
            SettingsError::BadServer { .. } => {
                Some("--server takes a host without a port; for other ports there are --tms and --tdfs".to_owned())
            }
            _ => None,
        }
    }
}

/// One source of settings.
#[derive(Debug, Default)]
struct Layer {
    server: Option<String>,
    tms: Option<String>,
    tdfs: Option<String>,
    user: Option<String>,
    token: Option<Secret>,
    trust: Option<PathBuf>,
    allow_simulated: bool,
    always_send: bool,
    ca_file: Option<PathBuf>,
}

/// Every source, first one first.
#[derive(Debug)]
pub(crate) struct Sources {
    layers: Vec<Layer>,
    /// The settings file that would have been read if it existed.
    absent: Option<PathBuf>,
    /// Where what is unfinished is remembered.
    state: Option<PathBuf>,
}

impl Flags {
    /// Whether simulated platforms are accepted on this very command line.
    pub(crate) fn says_allow_simulated(&self) -> bool {
        self.allow_simulated
    }

    /// A handle for the user that the settings name.
    pub(crate) fn connect(self) -> anyhow::Result<Teehouse> {
        Ok(Teehouse::connect(self.sources()?.settings()?)?)
    }

    /// As [`connect`](Self::connect), where the settings name a user at all.
    pub(crate) fn connect_if_named(self) -> anyhow::Result<Option<Teehouse>> {
        let sources = self.sources()?;
        let named = sources.layers.iter().any(|layer| layer.user.is_some());
        named.then(|| Ok(Teehouse::connect(sources.settings()?)?)).transpose()
    }

    /// Every source of settings, read.
    pub(crate) fn sources(self) -> Result<Sources, SettingsError> {
        self.sources_in(variable)
    }

    /// The data directory, where one is named.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| variable(DATA_DIR_VARIABLE).map(PathBuf::from))
    }

    fn sources_in(self, environment: impl Fn(&'static str) -> Option<OsString>) -> Result<Sources, SettingsError> {
        let (file, absent) = match find_file(&self, &environment) {
            None => (Layer::default(), None),
            Some(Candidate::Named(path)) => (read_file(&path)?, None),
            Some(Candidate::Usual(path)) if path.exists() => (read_file(&path)?, None),
            Some(Candidate::Usual(path)) => (Layer::default(), Some(path)),
        };
        let state = state_folder(&environment);
        Ok(Sources { layers: vec![self.layer()?, environment_layer(&environment)?, file], absent, state })
    }

    fn layer(self) -> Result<Layer, SettingsError> {
        let Flags { server, tms, tdfs, user, token, trust, allow_simulated, always_send, ca_file, .. } = self;
        let token = token.map(|token| read_token(token, Path::new(""))).transpose()?;
        Ok(Layer { server, tms, tdfs, user, token, trust, allow_simulated, always_send, ca_file })
    }
}

/// Where what is unfinished is remembered (XDG Base Directory Specification 0.8).
fn state_folder(environment: &impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| environment(name).map(PathBuf::from);
    let base = path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("teehouse"))
}

/// Where this program keeps what outlasts one command, if there is a place for it.
pub(crate) fn own_state() -> Option<PathBuf> {
    state_folder(&variable)
}

/// Where a user's configuration is.
pub(crate) fn own_config() -> Option<PathBuf> {
    let path = |name| variable(name).map(PathBuf::from);
    let base = path("XDG_CONFIG_HOME").or_else(|| path("HOME").map(|home| home.join(".config")))?;
    Some(base.join("teehouse"))
}

/// A variable of this process; one without a value counts as absent.
fn variable(name: &'static str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn environment_layer(environment: &impl Fn(&'static str) -> Option<OsString>) -> Result<Layer, SettingsError> {
    let text = |variable| {
        let text = environment(variable).map(OsString::into_string);
        text.transpose().map_err(|_| SettingsError::NotText { variable })
    };
    let token = text("TEEHOUSE_TOKEN")?.map(Secret::new);
    Ok(Layer {
        server: text("TEEHOUSE_SERVER")?,
        tms: text("TEEHOUSE_TMS")?,
        tdfs: text("TEEHOUSE_TDFS")?,
        user: text("TEEHOUSE_USER")?,
        token: token.map(|token| read_token(token, Path::new(""))).transpose()?,
        trust: environment("TEEHOUSE_TRUST").map(PathBuf::from),
        allow_simulated: false,
        always_send: false,
        ca_file: environment("TEEHOUSE_CA_FILE").map(PathBuf::from),
    })
}

/// A settings file that must exist because it was named, or one that is read if it is there.
enum Candidate {
    Named(PathBuf),
    Usual(PathBuf),
}

fn find_file(flags: &Flags, environment: &impl Fn(&'static str) -> Option<OsString>) -> Option<Candidate> {
    let path = |name| environment(name).map(PathBuf::from);
    if let Some(path) = flags.client_config.clone().or_else(|| path("TEEHOUSE_CLIENT_CONFIG")) {
        return Some(Candidate::Named(path));
    }
    if let Some(data_dir) = flags.data_dir.clone().or_else(|| path(DATA_DIR_VARIABLE)) {
        return Some(Candidate::Usual(data_dir.join(CLIENT_FILE)));
    }
    let config = path("XDG_CONFIG_HOME").or_else(|| path("HOME").map(|home| home.join(".config")))?;
    Some(Candidate::Usual(config.join("teehouse").join(CLIENT_FILE)))
}

fn read_file(path: &Path) -> Result<Layer, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::ReadFile { path: path.to_owned(), source })?;
    let file: ClientFile = toml::from_str(&text)
        .map_err(|source| SettingsError::ParseFile { path: path.to_owned(), source: Box::new(source) })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(Layer {
        server: file.server,
        tms: file.tms,
        tdfs: file.tdfs,
        user: file.user,
        token: file.token.map(|token| read_token(token, folder)).transpose()?,
        trust: file.trust.map(|trust| folder.join(trust)),
        allow_simulated: file.allow_simulated,
        always_send: false,
        ca_file: file.ca_file.map(|ca_file| folder.join(ca_file)),
    })
}

/// A token as it is, or the first line of the file that `@FILE` names.
pub(crate) fn read_token(token: Secret, folder: &Path) -> Result<Secret, SettingsError> {
    let Some(path) = token.expose().strip_prefix('@') else { return Ok(token) };
    let path = folder.join(path);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Secret::new(text),
        Err(source) => return Err(SettingsError::ReadToken { path, source }),
    };
    match text.expose().lines().next() {
        None | Some("") => Err(SettingsError::EmptyToken { path }),
        Some(line) => Ok(Secret::new(line.to_owned())),
    }
}

impl Sources {
    /// Everything that a user's verb needs.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let user = self.first("user", "--user NAME", "TEEHOUSE_USER", |layer| layer.user.clone())?;
        Ok(Settings {
            tms: self.address(Api::TmsExternal)?,
            tdfs: self.address(Api::TdfsExternal)?,
            trust: self.trust()?,
            simulation: self.simulation(),
            user: user.parse().map_err(|source| SettingsError::BadUser { user, source })?,
            token: self.first("token", "--token @FILE", "TEEHOUSE_TOKEN", |layer| layer.token.clone())?,
            transfers: Transfers {
                state: self.state.clone(),
                ca_file: self.layers.iter().find_map(|layer| layer.ca_file.clone()),
                always_send: self.layers.iter().any(|layer| layer.always_send),
            },
        })
    }

    /// Where the deployment's trust folder is.
    pub(crate) fn trust(&self) -> Result<PathBuf, SettingsError> {
        self.first("trust folder", "--trust DIR", "TEEHOUSE_TRUST", |layer| layer.trust.clone())
    }

    /// Whether simulated platforms are acceptable.
    pub(crate) fn simulation(&self) -> Simulation {
        match self.layers.iter().any(|layer| layer.allow_simulated) {
            true => Simulation::Allowed,
            false => Simulation::Refused,
        }
    }

    /// Where an API is: as set, else on its usual port of the server, else on that port of the tms's host.
    pub(crate) fn address(&self, api: Api) -> Result<String, SettingsError> {
        let (flag, variable) = match api {
            Api::TdfsExternal => ("--server HOST or --tdfs HOST:PORT", "TEEHOUSE_SERVER or TEEHOUSE_TDFS"),
            _ => ("--server HOST or --tms HOST:PORT", "TEEHOUSE_SERVER or TEEHOUSE_TMS"),
        };
        self.first("server", flag, variable, |layer| {
            let own = match api {
                Api::TmsExternal => layer.tms.clone(),
                Api::TdfsExternal => layer.tdfs.clone(),
                _ => None,
            };
            let usual = || layer.server.as_deref().map(|server| on_usual_port(server, api));
            let beside = || layer.tms.as_deref().filter(|_| own_flag_is_absent(api)).map(|tms| beside(tms, api));
            own.map(|address| checked(api, address)).or_else(usual).or_else(beside)
        })?
    }

    fn first<T>(
        &self,
        what: &'static str,
        flag: &'static str,
        variable: &'static str,
        take: impl Fn(&Layer) -> Option<T>,
    ) -> Result<T, SettingsError> {
        let missing = || SettingsError::Missing { what, flag, variable, absent: self.absent.clone() };
        self.layers.iter().find_map(take).ok_or_else(missing)
    }
}

/// Whether an API has no flag of its own, so that it is looked for beside the tms.
fn own_flag_is_absent(api: Api) -> bool {
    !matches!(api, Api::TmsExternal | Api::TdfsExternal)
}

fn on_usual_port(server: &str, api: Api) -> Result<String, SettingsError> {
    let port = api.default_port();
    if server.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{server}]:{port}"));
    }
    let is_bracketed = server.starts_with('[') && server.ends_with(']');
    match server.is_empty() || (server.contains(':') && !is_bracketed) {
        true => Err(SettingsError::BadServer { server: server.to_owned() }),
        false => Ok(format!("{server}:{port}")),
    }
}

fn beside(tms: &str, api: Api) -> Result<String, SettingsError> {
    let tms = checked(Api::TmsExternal, tms.to_owned())?;
    let host = tms.rsplit_once(':').map_or(tms.as_str(), |(host, _)| host);
    Ok(format!("{host}:{}", api.default_port()))
}

fn checked(api: Api, address: String) -> Result<String, SettingsError> {
    let is_address = address.rsplit_once(':').is_some_and(|(host, port)| {
        let is_host = !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
        is_host && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if is_address { Ok(address) } else { Err(SettingsError::BadAddress { api, address }) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn sources(flags: Flags, environment: &[(&'static str, &str)]) -> Result<Sources, SettingsError> {
        let environment: HashMap<_, _> =
            environment.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
        flags.sources_in(|variable| environment.get(variable).cloned())
    }

    fn settings(flags: Flags, environment: &[(&'static str, &str)]) -> Result<Settings, SettingsError> {
        sources(flags, environment)?.settings()
    }

    fn all_flags() -> Flags {
        Flags {
            server: Some("flag".to_owned()),
            user: Some("flag-user".to_owned()),
            token: Some(Secret::new("flag-token".to_owned())),
            trust: Some("/flag".into()),
            ..Flags::default()
        }
    }

    const ALL_VARIABLES: [(&str, &str); 4] = [
        ("TEEHOUSE_SERVER", "env"),
        ("TEEHOUSE_USER", "env-user"),
        ("TEEHOUSE_TOKEN", "env-token"),
        ("TEEHOUSE_TRUST", "/env"),
    ];

    const FILE: &str = "server = \"file\"\nuser = \"file-user\"\ntoken = \"file-token\"\ntrust = \"trust\"\n";

    fn summary(settings: &Settings) -> [&str; 4] {
        let trust = settings.trust.to_str().unwrap();
        [&settings.tms, settings.user.as_str(), settings.token.expose(), trust]
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("client.toml");
        fs::write(&file, FILE).unwrap();
        let trust = dir.path().join("trust");
        let from_file = ["file:5554", "file-user", "file-token", trust.to_str().unwrap()];
        let named = |flags: Flags| Flags { client_config: Some(file.clone()), ..flags };
        let check = |flags: Flags, environment: &[(&'static str, &str)], expected: [&str; 4]| {
            assert_eq!(summary(&settings(named(flags), environment).unwrap()), expected);
        };
        check(Flags::default(), &[], from_file);
        check(Flags::default(), &ALL_VARIABLES, ["env:5554", "env-user", "env-token", "/env"]);
        check(all_flags(), &ALL_VARIABLES, ["flag:5554", "flag-user", "flag-token", "/flag"]);
        check(all_flags(), &[], ["flag:5554", "flag-user", "flag-token", "/flag"]);
        for at in 0..4 {
            let mut expected = from_file;
            expected[at] = ["env:5554", "env-user", "env-token", "/env"][at];
            check(Flags::default(), &ALL_VARIABLES[at..=at], expected);
        }
    }

    #[test]
    fn the_settings_file_is_found_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, user: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, FILE.replace("file-user", user)).unwrap();
            path
        };
        let named = write("named.toml", "named");
        write("data/client.toml", "data");
        write("xdg/teehouse/client.toml", "xdg");
        write("home/.config/teehouse/client.toml", "home");
        let folder = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (named, data, xdg, home) = (named.to_str().unwrap(), folder("data"), folder("xdg"), folder("home"));
        let places = [
            ("TEEHOUSE_CLIENT_CONFIG", named, "named"),
            ("TEEHOUSE_DATA_DIR", &data, "data"),
            ("XDG_CONFIG_HOME", &xdg, "xdg"),
            ("HOME", &home, "home"),
        ];
        for at in 0..places.len() {
            let environment: Vec<_> = places[at..].iter().map(|(name, value, _)| (*name, *value)).collect();
            assert_eq!(settings(Flags::default(), &environment).unwrap().user.as_str(), places[at].2);
        }
        let flags = Flags { data_dir: Some(data.into()), ..Flags::default() };
        assert_eq!(settings(flags, &[("TEEHOUSE_DATA_DIR", "/nowhere")]).unwrap().user.as_str(), "data");
    }

    #[test]
    fn unknown_keys_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("client.toml");
        fs::write(&file, "sever = \"x\"\n").unwrap();
        let error = sources(Flags { client_config: Some(file), ..Flags::default() }, &[]).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("unknown field `sever`"), "{cause}");
    }

    #[test]
    fn what_is_missing_is_named_with_the_ways_to_set_it() {
        let check = |flags: Flags, text: &str, help: &str| {
            let error = settings(flags, &[]).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.help().as_deref()), (text, Some(help)));
        };
        let with = all_flags;
        check(Flags { user: None, ..with() }, "no user is set", "say --user NAME, or set TEEHOUSE_USER");
        check(Flags { token: None, ..with() }, "no token is set", "say --token @FILE, or set TEEHOUSE_TOKEN");
        check(Flags { trust: None, ..with() }, "no trust folder is set", "say --trust DIR, or set TEEHOUSE_TRUST");
        check(
            Flags { server: None, ..with() },
            "no server is set",
            "say --server HOST or --tms HOST:PORT, or set TEEHOUSE_SERVER or TEEHOUSE_TMS",
        );
        check(
            Flags { server: None, data_dir: Some("/nowhere".into()), ..with() },
            "no server is set",
            "say --server HOST or --tms HOST:PORT, or set TEEHOUSE_SERVER or TEEHOUSE_TMS; there is no \
             /nowhere/client.toml to read it from: `teehouse serve --dev` writes one",
        );
    }

    #[test]
    fn addresses_come_from_the_server_or_one_by_one() {
        let check = |flags: Flags, api: Api, expected: Option<&str>| {
            let found = sources(flags, &[("TEEHOUSE_TMS", "env:1")]).unwrap().address(api).ok();
            assert_eq!(found.as_deref(), expected);
        };
        let server = |server: &str| Flags { server: Some(server.to_owned()), ..Flags::default() };
        check(server("host"), Api::TmsExternal, Some("host:5554"));
        check(server("host"), Api::TdfsExternal, Some("host:5065"));
        check(server("::1"), Api::TmsExternal, Some("[::1]:5554"));
        check(server("[::1]"), Api::TmsExternal, Some("[::1]:5554"));
        check(server("host:1"), Api::TmsExternal, None);
        check(Flags::default(), Api::TmsExternal, Some("env:1"));
        check(Flags::default(), Api::TdfsExternal, None);
        check(Flags::default(), Api::Kms, Some("env:6016"));
        let tms = |tms: &str| Flags { tms: Some(tms.to_owned()), ..server("host") };
        check(tms("other:7"), Api::TmsExternal, Some("other:7"));
        check(tms("other:7"), Api::TdfsExternal, Some("host:5065"));
        for bad in ["", "host", "host:", ":1", "host:0", "host:65536", "::1:5", "host:x"] {
            check(tms(bad), Api::TmsExternal, None);
        }
        check(tms("[::1]:5"), Api::TmsExternal, Some("[::1]:5"));
    }

    #[test]
    fn a_token_may_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("token"), "s3cret\n").unwrap();
        fs::write(dir.path().join("empty"), "\n").unwrap();
        let read = |token: &str| read_token(Secret::new(token.to_owned()), dir.path());
        assert_eq!(read("plain").unwrap().expose(), "plain");
        assert_eq!(read("@token").unwrap().expose(), "s3cret");
        assert!(matches!(read("@empty"), Err(SettingsError::EmptyToken { .. })));
        assert!(matches!(read("@missing"), Err(SettingsError::ReadToken { .. })));
    }

    #[test]
    fn settings_never_print_a_token() {
        let settings = settings(all_flags(), &[]).unwrap();
        assert!(!format!("{settings:?}").contains("flag-token"));
    }
}
