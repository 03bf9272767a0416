//! `teehouse.toml`: every address, limit and path. Unknown keys are errors that name them.

mod limits;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attest::collateral::Need;
use attest::tpm::PcrSelection;
use serde::{Deserialize, Serialize};
use types::service::{Api, Role};

use crate::enrolment::{KmsAddress, LEAF_LIFETIME};
use crate::machine::{Choice, Machine, MachineError};
use crate::trust::EVIDENCE_AGE;

pub use limits::Limits;

/// The whole file. Every binary reads the same one and takes from it what it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where stores, ciphertext, keys and trust live.
    pub data_dir: PathBuf,
    /// The names and addresses that user ports' certificates are good for, besides those they listen on.
    pub hosts: Vec<String>,
    /// Where Prometheus metrics are served over plain HTTP; nowhere when absent.
    pub metrics: Option<SocketAddr>,
    /// The kms.
    pub kms: Kms,
    /// The tdfs.
    pub tdfs: Tdfs,
    /// The tms.
    pub tms: Tms,
    /// The function node.
    pub fns: Fns,
    /// What the services run on, and how they show it.
    pub attestation: Attestation,
    /// What makers say of their platforms, and where it comes from.
    pub collateral: Collateral,
    /// Bounds on what callers can make the services do.
    pub limits: Limits,
    /// How much a user may keep, unless an operator said so for that user.
    pub quotas: Quotas,
}

/// `[attestation]`; with `--dev` the platform is the simulated one, whatever it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attestation {
    /// The platform: sgx, tdx, sev-snp, tpm, or auto, which finds out.
    pub platform: Choice,
    /// The folder with manifest, auditors and CA; `trust` in the data directory when absent.
    pub trust: Option<PathBuf>,
    /// The TPM's device, or the socket of a TPM in software, where that is not /dev/tpmrm0.
    pub tpm_device: Option<PathBuf>,
    /// The PCRs that a TPM quotes and seals to, as the manifest names them; 0 to 9 and 11 when empty.
    pub tpm_pcrs: Vec<u8>,
    /// How old a session's evidence may become before it is asked for again, in seconds.
    pub max_age_seconds: u64,
    /// How long certificates hold that the kms makes, in seconds; services renew them at half of that.
    pub certificate_seconds: u64,
}

impl Attestation {
    /// Finds the platform that this names.
    ///
    /// # Errors
    /// When it is not there, or a PCR measures nothing that lasts.
    pub fn machine(&self) -> Result<Machine, MachineError> {
        let pcrs = match self.tpm_pcrs.is_empty() {
            true => PcrSelection::default(),
            false => PcrSelection::new(self.tpm_pcrs.iter().copied())?,
        };
        Machine::find(self.platform, self.tpm_device.as_deref(), pcrs)
    }
}

impl Default for Attestation {
    fn default() -> Self {
        Attestation {
            platform: Choice::Auto,
            trust: None,
            tpm_device: None,
            tpm_pcrs: Vec::new(),
            max_age_seconds: EVIDENCE_AGE.as_secs(),
            certificate_seconds: LEAF_LIFETIME.as_secs(),
        }
    }
}

/// `[kms]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kms {
    /// Where services reach it.
    pub listen: SocketAddr,
    /// Where services ask it for their certificates. When absent, a free port beside `listen`, which services that share
    /// the data directory find there.
    pub enrolment: Option<SocketAddr>,
    /// Where it is reached from other machines, when that is not where it listens.
    pub connect: Option<String>,
    /// The same, for its enrolment port.
    pub connect_enrolment: Option<String>,
    /// The enrolment ports of other kms's of the deployment: whoever has no root yet, or can't unseal it, asks them.
    pub peers: Vec<String>,
}

/// `[tdfs]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tdfs {
    /// Where users reach it.
    pub external: SocketAddr,
    /// Where services reach it.
    pub internal: SocketAddr,
    /// Where services reach it from other machines, when that is not where it listens.
    pub connect: Option<String>,
    /// Where ciphertext goes: a folder, `file:///folder` or `s3://bucket/prefix`; `files` in the data directory when
    /// absent.
    pub files: Option<String>,
    /// What an `s3://` address needs.
    pub s3: S3,
    /// Where users reach this service, for the URLs of files: `https://host:port`; the first of `hosts` and the port of
    /// `external` when absent.
    pub address: Option<String>,
    /// How long the URLs of files hold.
    pub url_seconds: u64,
    /// After how long without a new part an upload is given up.
    pub upload_hours: u64,
}

/// `[tdfs.s3]`: what is absent is taken from the environment (`AWS_ENDPOINT_URL`, `AWS_REGION`, …).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// The server, for stores other than Amazon's.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// The name of the key that requests are signed with.
    pub access_key_id: Option<String>,
    /// The key that requests are signed with.
    pub secret_access_key: Option<String>,
    /// Whether plain HTTP will do.
    pub allow_http: Option<bool>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint).field("region", &self.region).finish_non_exhaustive()
    }
}

/// `[tms]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tms {
    /// Where users reach it.
    pub external: SocketAddr,
    /// Where function nodes reach it.
    pub internal: SocketAddr,
    /// Where function nodes reach it from other machines, when that is not where it listens.
    pub connect: Option<String>,
}

/// `[fns]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fns {
    /// Where users reach it.
    pub external: SocketAddr,
    /// The address that tasks name, when that is not where it listens.
    pub advertise: Option<SocketAddr>,
    /// How many functions run at once; 32 for each processor when absent.
    pub concurrency: Option<usize>,
    /// What all functions that run at once may work in, in bytes; three quarters of the machine's memory when absent. Who
    /// finds none free waits.
    pub memory_bytes: Option<u64>,
    /// The interpreter for Python functions, which `runtimes/python/build.sh` makes; `python.wasm` in the data directory
    /// when absent. Without it the node runs none.
    pub python: Option<PathBuf>,
}

/// `[collateral]`: what SGX, TDX and SEV-SNP evidence rests on. Nothing is fetched unless an address is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collateral {
    /// The folder whose `*.json` it is, and where what is fetched goes; `collateral` in the data directory when absent.
    pub folder: Option<PathBuf>,
    /// Intel's PCS or a PCCS.
    pub intel_url: Option<String>,
    /// The revocation list of Intel's root CA, when it is neither where Intel publishes it nor where a PCCS has it.
    pub intel_root_crl_url: Option<String>,
    /// AMD's KDS, or a cache of it.
    pub amd_url: Option<String>,
    /// More roots (PEM) for `https` addresses, besides those of the public web.
    pub ca_file: Option<PathBuf>,
    /// How long before it runs out it is fetched anew.
    pub refresh_before_hours: u64,
    /// What is fetched before evidence asks for it: see [`attest::collateral::Need`].
    pub machines: Vec<String>,
}

/// `[quotas]`: how much each user may keep; 0 is no bound. `teehouse user quota` sets another for one user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Files, with those that tasks made for the user.
    pub user_files: u64,
    /// The sum of their sizes before encryption, in bytes.
    pub user_bytes: u64,
}

/// The size of the pages in which lists are answered when the caller names none, and the largest.
pub const LIST_PAGE: u32 = 1000;

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: PathBuf::from("teehouse-data"),
            hosts: vec!["localhost".to_owned()],
            metrics: None,
            kms: Kms::default(),
            tdfs: Tdfs::default(),
            tms: Tms::default(),
            fns: Fns::default(),
            attestation: Attestation::default(),
            collateral: Collateral::default(),
            limits: Limits::default(),
            quotas: Quotas::default(),
        }
    }
}

impl Default for Kms {
    fn default() -> Self {
        Kms { listen: local(Api::Kms), enrolment: None, connect: None, connect_enrolment: None, peers: Vec::new() }
    }
}

impl Default for Tdfs {
    fn default() -> Self {
        Tdfs {
            external: local(Api::TdfsExternal),
            internal: local(Api::TdfsInternal),
            connect: None,
            files: None,
            s3: S3::default(),
            address: None,
            url_seconds: 900,
            upload_hours: 24,
        }
    }
}

impl Default for Tms {
    fn default() -> Self {
        Tms { external: local(Api::TmsExternal), internal: local(Api::TmsInternal), connect: None }
    }
}

impl Default for Fns {
    fn default() -> Self {
        Fns { external: local(Api::FnsExternal), advertise: None, concurrency: None, memory_bytes: None, python: None }
    }
}

impl Default for Collateral {
    /// Intel's TCB info holds for 30 days. Ten days leave three before the first warning.
    fn default() -> Self {
        Collateral {
            folder: None,
            intel_url: None,
            intel_root_crl_url: None,
            amd_url: None,
            ca_file: None,
            refresh_before_hours: 240,
            machines: Vec::new(),
        }
    }
}

fn local(api: Api) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], api.default_port()))
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("configuration {path} can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("configuration {path} is wrong")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("configuration: {key} must {rule}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read, has unknown keys, or a value makes no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Config = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types can't.
    ///
    /// # Errors
    /// Names the first key whose value makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let positive = [
            ("limits.request_bytes", limits.request_bytes),
            ("limits.invoke_bytes", limits.invoke_bytes),
            ("limits.connections", limits.connections),
            ("limits.requests", limits.requests),
            ("fns.concurrency", self.fns.concurrency.unwrap_or(1)),
            ("fns.memory_bytes", self.fns.memory_bytes.map_or(1, |bytes| bytes.min(1) as usize)),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Value { key, rule: "be at least 1" });
        }
        if limits.invoke_bytes >= 1 << 32 || limits.request_bytes >= 1 << 32 {
            return Err(ConfigError::Value { key: "limits.request_bytes", rule: "be under 4 GiB" });
        }
        if !self.collateral.addresses().all(is_web_address) {
            return Err(ConfigError::Value { key: "collateral.*_url", rule: "be http:// or https:// with a host" });
        }
        if self.collateral.needs().is_none() {
            let rule = "be sgx:FMSPC:CA, tdx:FMSPC:CA, PRODUCT:VCEK or PRODUCT:VLEK";
            return Err(ConfigError::Value { key: "collateral.machines", rule });
        }
        if self.attestation.max_age_seconds < 60 || self.attestation.certificate_seconds < 2 {
            let rule = "be at least 60, and attestation.certificate_seconds at least 2";
            return Err(ConfigError::Value { key: "attestation.max_age_seconds", rule });
        }
        match limits.lease_seconds {
            0..3 => Err(ConfigError::Value { key: "limits.lease_seconds", rule: "be at least 3" }),
            _ => Ok(()),
        }
    }

    /// Where an API listens.
    pub fn listen(&self, api: Api) -> SocketAddr {
        match api {
            Api::Kms => self.kms.listen,
            Api::Enrolment => self.kms.enrolment.unwrap_or(SocketAddr::new(self.kms.listen.ip(), 0)),
            Api::TdfsExternal => self.tdfs.external,
            Api::TdfsInternal => self.tdfs.internal,
            Api::TmsExternal => self.tms.external,
            Api::TmsInternal => self.tms.internal,
            Api::FnsExternal => self.fns.external,
        }
    }

    /// The same, to be changed.
    pub fn listen_mut(&mut self, api: Api) -> &mut SocketAddr {
        match api {
            Api::Kms => &mut self.kms.listen,
            Api::Enrolment => self.kms.enrolment.get_or_insert(SocketAddr::new(self.kms.listen.ip(), 0)),
            Api::TdfsExternal => &mut self.tdfs.external,
            Api::TdfsInternal => &mut self.tdfs.internal,
            Api::TmsExternal => &mut self.tms.external,
            Api::TmsInternal => &mut self.tms.internal,
            Api::FnsExternal => &mut self.fns.external,
        }
    }

    /// Where another service reaches a service-plane API: `host:port`.
    pub fn connect(&self, api: Api) -> String {
        let named = match api.role() {
            Role::Kms => &self.kms.connect,
            Role::Tdfs => &self.tdfs.connect,
            Role::Tms => &self.tms.connect,
            Role::Fns => &None,
        };
        named.clone().unwrap_or_else(|| self.listen(api).to_string())
    }

    /// Where services ask for their certificates.
    pub(crate) fn enrolment(&self) -> KmsAddress {
        let named = self.kms.connect_enrolment.clone();
        let named = named.or(self.kms.enrolment.map(|address| address.to_string()));
        KmsAddress { named, file: self.enrolment_file() }
    }

    /// Where a kms on this data directory says where it is asked for certificates.
    pub(crate) fn enrolment_file(&self) -> PathBuf {
        self.data_dir.join("enrolment")
    }

    /// The folder that says whom to trust.
    pub fn trust_dir(&self) -> PathBuf {
        self.attestation.trust.clone().unwrap_or_else(|| self.data_dir.join("trust"))
    }

    /// The folder for collateral.
    pub fn collateral_dir(&self) -> PathBuf {
        self.collateral.folder.clone().unwrap_or_else(|| self.data_dir.join("collateral"))
    }

    /// Where ciphertext goes: a folder or a URL.
    pub fn files(&self) -> String {
        let usual = || self.data_dir.join("files").to_string_lossy().into_owned();
        self.tdfs.files.clone().unwrap_or_else(usual)
    }
}

impl Collateral {
    /// What is fetched before evidence asks for it; none where a text names nothing.
    pub(crate) fn needs(&self) -> Option<Vec<Need>> {
        self.machines.iter().map(|text| text.parse().ok()).collect()
    }

    /// How long before it runs out it is fetched anew.
    pub fn refresh_before(&self) -> Duration {
        Duration::from_secs(self.refresh_before_hours.saturating_mul(3600))
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        [&self.intel_url, &self.intel_root_crl_url, &self.amd_url].into_iter().filter_map(|url| url.as_deref())
    }
}

fn is_web_address(address: &str) -> bool {
    let address = address.parse::<hyper::Uri>();
    address.is_ok_and(|address| matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, named: &str) {
        let error = toml::from_str::<Config>(text).expect_err(text).to_string();
        assert!(error.contains(named), "{error}");
    }

    #[test]
    fn unknown_keys_are_named() {
        check_refused("datadir = 'x'", "datadir");
        check_refused("[kms]\nport = 5", "port");
        check_refused("[limits]\nrequest_byte = 5", "request_byte");
        check_refused("[kmss]\n", "kmss");
    }

    #[test]
    fn a_written_configuration_reads_back() {
        let config = Config { metrics: Some(local(Api::Kms)), ..Config::default() };
        let text = toml::to_string(&config).expect("plain data");
        assert_eq!(toml::from_str::<Config>(&text).expect("just written"), config);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let mut config = Config::default();
        config.limits.connections = 0;
        assert!(config.check().is_err());
        assert!(Config::default().check().is_ok());
        for (text, fine) in [
            ("[collateral]\nintel_url = 'http://[::1]:8081'\nmachines = ['tdx:50806f000000:platform']", true),
            ("[collateral]\namd_url = 'https://kdsintf.amd.com'\nmachines = ['Genoa:VCEK']", true),
            ("[collateral]\namd_url = 'kdsintf.amd.com'", false),
            ("[collateral]\nintel_url = 'file:///pcs'", false),
            ("[collateral]\nmachines = ['tdx']", false),
        ] {
            let config: Config = toml::from_str(text).expect(text);
            assert_eq!(config.check().is_ok(), fine, "{text}");
        }
    }
}
