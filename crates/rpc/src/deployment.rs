//! A deployment's trust on disk: what everyone may know, and what only `--dev` keeps beside it.
//!
//! ```text
//! DATA_DIR/trust/ca.pem               the CA that names the deployment's services (also for `curl --cacert`)
//! DATA_DIR/trust/manifest.json        what may run in the deployment, as its auditors signed it
//! DATA_DIR/trust/auditors/NAME.pub    whom to trust with that, until a manifest says otherwise
//! DATA_DIR/trust/threshold            how many of them must have signed
//! DATA_DIR/trust/manifest.seen        which manifest was accepted last: an older one is refused
//! DATA_DIR/trust/deployment           the deployment's name, for people
//! DATA_DIR/trust/simulated-root.pem   the root that vouches for simulated platforms, for people
//! DATA_DIR/collateral/*.json          what makers say of their platforms: see docs/collateral.md
//! DATA_DIR/dev/                       the private keys of both, mode 0600: with `--dev` only
//! DATA_DIR/sealing/ROLE.key           the simulated platform's sealing keys, mode 0600: with `--dev` only
//! ```

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attest::attester::{AttestError, Attester};
use attest::authority::{AuthorityError, CertificateAuthority};
use attest::claims::Measurement;
use attest::extension::attest_key;
use attest::identity::Deployment;
use attest::leaf::LeafKey;
use attest::manifest::Manifest;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::signing::AuditorSecret;
use attest::platform::Platform;
use attest::reference::ReferenceValues;
use attest::simulated::{SimulatedAttester, SimulatedRoot};
use attest::validity::Validity;
use crypto::SealingKey;
use crypto::hash::{Sha256, hex};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use types::bytes::Base64;
use types::digest::Digest;
use types::service::Role;
use types::time::UnixMillis;
use types::wire::enrolment::Enrol;

use crate::collateral::Held;
use crate::enrolment::{CLOCK_SKEW, LEAF_LIFETIME, before, issue};
use crate::manifest::{self, ManifestError, ManifestSource};
use crate::tls::{Identity, TlsError};
pub use crate::trust::Trust;

/// What the simulated platform "measures": it can't tell one build from another, and says so by a constant.
const SIMULATED_BUILD: &[u8] = b"dev";

/// Who "audited" a `--dev` deployment.
const NO_AUDITOR: &str = "NOBODY-AUDITED-THIS";

/// How long the CA's certificate holds.
const CA_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Whether simulated platforms are acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulation {
    /// No: the default everywhere.
    Refused,
    /// Yes, because a person said so.
    Allowed,
}

/// Why trust can't be established.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// A file can't be read or written.
    #[error("{path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what its name says.
    #[error("{path} is no {what}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
    /// There is no manifest to go by.
    #[error("the auditors' manifest")]
    Manifest(#[source] Box<ManifestError>),
    /// A certificate can't be made.
    #[error("certificate authority")]
    Authority(#[from] AuthorityError),
    /// Evidence can't be made.
    #[error("evidence")]
    Attest(#[from] AttestError),
    /// A made certificate can't be used.
    #[error("certificate")]
    Tls(#[from] TlsError),
}

impl From<ManifestError> for DeploymentError {
    fn from(error: ManifestError) -> Self {
        DeploymentError::Manifest(Box::new(error))
    }
}

impl Trust {
    /// Reads a `trust` folder: what its auditors signed, and the CA once it is known.
    ///
    /// # Errors
    /// When there is no manifest to go by, or a file is malformed.
    pub fn load(dir: &Path, simulation: Simulation) -> Result<Self, DeploymentError> {
        let source = manifest_source(dir)?;
        let manifest = manifest::load(&source, UnixMillis::now())?;
        let policy = match simulation {
            Simulation::Refused => manifest.policy().refuse_simulated(),
            Simulation::Allowed => manifest.policy(),
        };
        let ca = read_ca(&dir.join("ca.pem"), manifest.ca_sha256.as_ref())?;
        let deployment = manifest.deployment.clone();
        let collateral = Arc::new(Held::read(&collateral_of(dir)));
        let ca = ca.map(CertificateDer::from);
        let trust = Trust::with(deployment, ca, policy, collateral).naming_ca(manifest.ca_sha256);
        Ok(trust.measured_by(manifest.digest()))
    }
}

/// Where whoever has a trust folder finds collateral: in it, where it was handed out with some, or beside it.
fn collateral_of(dir: &Path) -> PathBuf {
    let within = dir.join("collateral");
    if within.is_dir() { within } else { dir.with_file_name("collateral") }
}

/// The manifest of a trust folder, and who must have signed it.
fn manifest_source(dir: &Path) -> Result<ManifestSource, DeploymentError> {
    let keys = files_in(&dir.join("auditors"))?;
    let path = dir.join("threshold");
    // It is never guessed: whoever could take it away could take auditors away too.
    let threshold = read(&path)?.trim().parse().map_err(|_| DeploymentError::Malformed { path, what: "number" })?;
    let auditors = manifest::read_auditors(&keys, threshold)?;
    Ok(ManifestSource { manifest: dir.join("manifest.json"), auditors, memory: memory(dir) })
}

/// Where is remembered which manifest of a trust folder was accepted last: in it, or where this user may write.
fn memory(dir: &Path) -> PathBuf {
    let usual = dir.join("manifest.seen");
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok() {
        return usual;
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let Some(state) = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home) else { return usual };
    let name = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = hex(&Sha256::digest(name.as_os_str().as_encoded_bytes()));
    let folder = state.join("teehouse").join("manifests");
    match make_private_dir(&folder) {
        Ok(()) => folder.join(name),
        Err(_) => usual,
    }
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, DeploymentError> {
    let io = |source| DeploymentError::Io { path: dir.to_owned(), source };
    let entries = fs::read_dir(dir).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pub"));
    files.sort();
    Ok(files)
}

/// The CA's certificate, where there is one yet; the manifest may say which one it must be.
fn read_ca(path: &Path, expected: Option<&Digest>) -> Result<Option<Vec<u8>>, DeploymentError> {
    let malformed = |what| DeploymentError::Malformed { path: path.to_owned(), what };
    if !path.exists() {
        return Ok(None);
    }
    let ca = CertificateDer::from_pem_slice(read(path)?.as_bytes()).map_err(|_| malformed("PEM certificate"))?;
    match expected {
        Some(expected) if *expected != Digest::new(Sha256::digest(&ca)) => Err(malformed("CA that the manifest names")),
        _ => Ok(Some(ca.to_vec())),
    }
}

/// Writes a CA's certificate into a trust folder that has none.
pub(crate) fn keep_ca(dir: &Path, ca: &CertificateDer<'_>) -> Result<(), DeploymentError> {
    let path = dir.join("ca.pem");
    make_private_dir(dir)?;
    // Services that share the folder take turns; whoever comes later finds the first one's.
    let lock = dir.join("ca.lock");
    let guard = create_private(&lock)?;
    guard.lock().map_err(|source| DeploymentError::Io { path: lock.clone(), source })?;
    if !path.exists() {
        write_private(&path, attest::authority::certificate_to_pem(ca).as_bytes())?;
    }
    match read_ca(&path, None)? {
        Some(kept) if kept[..] == ca[..] => Ok(()),
        _ => Err(DeploymentError::Malformed { path, what: "certificate of the CA that named this service" }),
    }
}

/// What a simulated platform says of a service. It can't tell one build from another.
pub fn simulated_measurement(role: Role) -> Measurement {
    Measurement::simulated(role, SIMULATED_BUILD)
}

/// A `--dev` deployment: every key is on this disk, so it protects nothing from whoever reads the disk.
pub struct DevDeployment {
    data_dir: PathBuf,
    authority: CertificateAuthority,
    root: Arc<SimulatedRoot>,
}

impl DevDeployment {
    /// Opens the deployment of a data directory, or makes it.
    ///
    /// # Errors
    /// When files can't be read or written, or hold something else.
    pub fn open_or_create(data_dir: &Path) -> Result<Self, DeploymentError> {
        if data_dir.join("dev").join("ca-key.pem").exists() {
            return Self::open(data_dir);
        }
        make_private_dir(data_dir)?;
        // Several services may start at once: one makes the deployment, the others wait and open it.
        let lock = data_dir.join("dev.lock");
        let guard = create_private(&lock)?;
        guard.lock().map_err(|source| DeploymentError::Io { path: lock.clone(), source })?;
        if data_dir.join("dev").join("ca-key.pem").exists() { Self::open(data_dir) } else { Self::create(data_dir) }
    }

    /// Opens the deployment of a data directory.
    ///
    /// # Errors
    /// When there is none, or its files hold something else.
    pub fn open(data_dir: &Path) -> Result<Self, DeploymentError> {
        let (trust, dev) = (data_dir.join("trust"), data_dir.join("dev"));
        let key_path = dev.join("simulated-root-key.pem");
        let root = SimulatedRoot::from_pem(&read(&key_path)?)
            .map_err(|_| DeploymentError::Malformed { path: key_path, what: "simulated root key" })?;
        let authority = CertificateAuthority::load(&read(&trust.join("ca.pem"))?, &read(&dev.join("ca-key.pem"))?)?;
        let opened = DevDeployment { data_dir: data_dir.to_owned(), authority, root: Arc::new(root) };
        // Made by a version that knew no manifests.
        if !trust.join("manifest.json").exists() {
            opened.write_manifest()?;
        }
        Ok(opened)
    }

    /// Writes the manifest that every deployment needs. Nobody audited anything, and it says so.
    fn write_manifest(&self) -> Result<(), DeploymentError> {
        let (trust, dev) = (self.data_dir.join("trust"), self.data_dir.join("dev"));
        let auditor = AuditorSecret::generate();
        let named = Auditor { name: NO_AUDITOR.to_owned(), key: auditor.public() };
        let now = before(UnixMillis::now());
        let simulated = |role| (role, ReferenceValues::exactly([simulated_measurement(role)]));
        let manifest = Manifest {
            deployment: self.authority.deployment().clone(),
            version: 1,
            issued: now,
            expires: now.plus(CA_LIFETIME),
            previous: None,
            auditors: Auditors::new(1, vec![named]).expect("one auditor of whom one signs"),
            replaces: None,
            ca_sha256: Some(Digest::new(Sha256::digest(self.authority.certificate_der()))),
            danger_simulated_root: Some(self.root.public()),
            roles: Role::ALL.into_iter().map(simulated).collect(),
        };
        let mut envelope = Envelope::unsigned(manifest.to_bytes());
        envelope.add(auditor.sign(&envelope));
        make_private_dir(&trust.join("auditors"))?;
        write_private(&dev.join("auditor.key"), auditor.danger_to_pem().as_bytes())?;
        write_private(&trust.join("auditors").join(format!("{NO_AUDITOR}.pub")), auditor.public_pem().as_bytes())?;
        write_private(&trust.join("threshold"), b"1")?;
        let _ = fs::remove_file(trust.join("manifest.seen"));
        write_private(&trust.join("manifest.json"), &envelope.to_bytes())
    }

    fn create(data_dir: &Path) -> Result<Self, DeploymentError> {
        let now = UnixMillis::now();
        let validity = Validity { not_before: before(now), not_after: now.plus(CA_LIFETIME) };
        let authority = CertificateAuthority::generate(fresh_name(), validity)?;
        let root = SimulatedRoot::generate();
        let (trust, dev) = (data_dir.join("trust"), data_dir.join("dev"));
        make_private_dir(&trust)?;
        make_private_dir(&dev)?;
        write_private(&trust.join("deployment"), authority.deployment().as_str().as_bytes())?;
        write_private(&trust.join("ca.pem"), authority.certificate_pem().as_bytes())?;
        write_private(&trust.join("simulated-root.pem"), root.public().to_pem().as_bytes())?;
        write_private(&dev.join("simulated-root-key.pem"), root.danger_to_pem().as_bytes())?;
        let made = DevDeployment { data_dir: data_dir.to_owned(), authority, root: Arc::new(root) };
        made.write_manifest()?;
        // Last, since its presence says that everything else is there.
        write_private(&dev.join("ca-key.pem"), made.authority.danger_key_pem().as_bytes())?;
        Ok(made)
    }

    /// The platform that its services run on.
    pub fn platform(&self) -> Platform {
        Platform::Simulated
    }

    /// What its services believe in.
    ///
    /// # Errors
    /// When the `trust` folder is not as it was made.
    pub fn trust(&self) -> Result<Trust, DeploymentError> {
        Trust::load(&self.data_dir.join("trust"), Simulation::Allowed)
    }

    /// An identity for a service, whose certificate is good for these names too. Its key is made here and now.
    ///
    /// # Errors
    /// When a name can't be in a certificate.
    pub fn issue(&self, role: Role, names: &[String]) -> Result<Identity, DeploymentError> {
        let (now, key, attester) = (UnixMillis::now(), LeafKey::generate(), self.attester(role));
        let evidence = attest_key(&*attester, key.public().spki(), before(now))?;
        let enrol = Enrol { names: names.to_vec(), evidence: Base64(evidence) };
        let certificate = issue(&self.authority, role, &key.public(), &enrol, (now, LEAF_LIFETIME))?;
        let whom = (role, self.authority.deployment().clone());
        Ok(Identity::new(whom, certificate, &key.danger_to_pkcs8(), attester)?)
    }

    /// What makes a service's evidence.
    pub fn attester(&self, role: Role) -> Arc<dyn Attester> {
        let attester = SimulatedAttester::new(self.root.clone(), role, SIMULATED_BUILD);
        Arc::new(attester.with_lifetime(LEAF_LIFETIME + CLOCK_SKEW * 2))
    }

    /// The CA, which the kms of this deployment speaks for.
    pub fn into_authority(self) -> CertificateAuthority {
        self.authority
    }

    /// The simulated platform's sealing key for a service: a file that is made when it is first asked for.
    ///
    /// # Errors
    /// When the file can't be read or written, or is no key.
    pub fn sealing_key(&self, role: Role) -> Result<SealingKey, DeploymentError> {
        let dir = self.data_dir.join("sealing");
        let path = dir.join(format!("{role}.key"));
        if !path.exists() {
            make_private_dir(&dir)?;
            write_private(&path, SealingKey::generate().danger_expose())?;
        }
        let bytes = fs::read(&path).map_err(|source| DeploymentError::Io { path: path.clone(), source })?;
        let bytes = bytes.try_into().map_err(|_| DeploymentError::Malformed { path, what: "sealing key" })?;
        Ok(SealingKey::from_bytes(bytes))
    }
}

/// Deployments get a name each, so that certificates of one are never good in another.
fn fresh_name() -> Deployment {
    let suffix: [u8; 4] = crypto::random::bytes();
    let name = format!("dev-{:08x}", u32::from_be_bytes(suffix));
    name.parse().expect("lower-case letters, digits and a hyphen")
}

fn read(path: &Path) -> Result<String, DeploymentError> {
    fs::read_to_string(path).map_err(|source| DeploymentError::Io { path: path.to_owned(), source })
}

/// Makes a folder that only its owner can look into.
fn make_private_dir(path: &Path) -> Result<(), DeploymentError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DeploymentError::Io { path: path.to_owned(), source })
}

fn create_private(path: &Path) -> Result<fs::File, DeploymentError> {
    let opened = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|source| DeploymentError::Io { path: path.to_owned(), source })
}

/// Writes a file that only its owner can read: whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DeploymentError> {
    let failed = |source| DeploymentError::Io { path: path.to_owned(), source };
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let mut file = create_private(&draft)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}
