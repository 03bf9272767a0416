//! A whole deployment on a real platform: a TPM in software, no `--dev`. Needs the program `swtpm`; without it these
//! tests do nothing, unless `TEEHOUSE_REQUIRE_SWTPM=1` says that they must.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use attest::attester::{TpmAttester, TpmDevice};
use attest::claims::PlatformId;
use attest::manifest::Manifest;
use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::Envelope;
use attest::manifest::signing::AuditorSecret;
use attest::platform::Platform;
use attest::reference::{Accepted, ReferenceValues};
use attest::tpm::PcrSelection;
use kms::root_key::{self, Means, RecoverySecret, Root};
use kms::{OperateError, operate, sealer_here};
use rpc::config::Config;
use rpc::deployment::{Simulation, Trust};
use rpc::machine::Choice;
use rpc::tls::Connector;
use serde_json::json;
use teehouse::system::{Mode, System};
use tempfile::TempDir;
use testkit::{Protocol, Site, loopback};
use types::service::{Api, Role};
use types::time::UnixMillis;
use types::wire::kms_operator::{RemoveSlot, Request, Reseal, Rotate, SetRecovery};

/// A PCR among those that are quoted and sealed to by default.
const KERNEL: u8 = 11;

/// A TPM in software, ended with its folder when it is dropped.
struct Swtpm {
    child: Child,
    dir: TempDir,
}

impl Swtpm {
    /// None where the program is absent.
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let spawned = Command::new("swtpm")
            .args(["socket", "--tpm2", "--server"])
            .arg(format!("type=unixio,path={}", dir.path().join("tpm.sock").display()))
            .arg("--tpmstate")
            .arg(format!("dir={}", dir.path().display()))
            .args(["--flags", "not-need-init"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match spawned {
            Ok(child) => Some(Swtpm { child, dir }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                assert!(std::env::var_os("TEEHOUSE_REQUIRE_SWTPM").is_none(), "swtpm is required and not installed");
                let _ = writeln!(std::io::stderr(), "skipped: the program swtpm is not installed");
                None
            }
            Err(error) => panic!("start swtpm: {error}"),
        }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("tpm.sock")
    }

    /// The device, for as long as nobody else needs it: it serves one connection at a time.
    fn device(&self) -> Arc<TpmDevice> {
        let connected = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            UnixStream::connect(self.socket()).ok()
        });
        let device = TpmDevice::over(connected.expect("swtpm listens"));
        device.start().expect("it starts");
        Arc::new(device)
    }

    /// What auditors would list for this machine as it is.
    fn reference_values(&self) -> ReferenceValues {
        let (device, pcrs) = (self.device(), PcrSelection::default());
        let measurement = pcrs.measurement(&device.pcr_values(pcrs).expect("values")).expect("as many as selected");
        let key = TpmAttester::new(device, pcrs).key_name().expect("an attestation key");
        let machines = Accepted::Only([PlatformId::TpmKey(key.0)].into());
        ReferenceValues { platform_ids: machines, ..ReferenceValues::exactly([measurement]) }
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What auditors and operator leave on the machine before the first start.
fn write_trust(trust: &Path, values: &ReferenceValues) {
    let auditor = AuditorSecret::generate();
    let named = Auditor { name: "ada".to_owned(), key: auditor.public() };
    let now = UnixMillis::now();
    let manifest = Manifest {
        deployment: "bank".parse().expect("a name"),
        version: 1,
        issued: UnixMillis(now.0 - 60_000),
        expires: now.plus(Duration::from_secs(3600)),
        previous: None,
        auditors: Auditors::new(1, vec![named]).expect("one of one"),
        replaces: None,
        ca_sha256: None,
        danger_simulated_root: None,
        roles: Role::ALL.into_iter().map(|role| (role, values.clone())).collect(),
    };
    let mut envelope = Envelope::unsigned(manifest.to_bytes());
    envelope.add(auditor.sign(&envelope));
    fs::create_dir_all(trust.join("auditors")).expect("a folder");
    fs::write(trust.join("threshold"), "1").expect("written");
    fs::write(trust.join("auditors/ada.pub"), auditor.public_pem()).expect("written");
    fs::write(trust.join("manifest.json"), envelope.to_bytes()).expect("written");
}

fn config(dir: &Path, tpm: &Swtpm) -> Config {
    let mut config = loopback(dir);
    config.attestation.platform = Choice::Tpm;
    config.attestation.tpm_device = Some(tpm.socket());
    config
}

async fn start(config: &Config) -> anyhow::Result<System> {
    System::start(config.clone(), &Role::ALL, Mode::Attested).await
}

/// Enrol, quote, seal; then again after a restart, unsealing; then not any more, since another kernel was measured.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_on_a_tpm_lives_until_something_else_is_measured() {
    let (Some(tpm), dir) = (Swtpm::start(), tempfile::tempdir().expect("a folder")) else { return };
    let trust = dir.path().join("trust");
    write_trust(&trust, &tpm.reference_values());
    let config = config(dir.path(), &tpm);

    let system = start(&config).await.expect("it starts without --dev");
    assert_eq!(system.platform(), Platform::Tpm);
    let site = Site::new(system.config().clone());
    let ca = fs::read(trust.join("ca.pem")).expect("the kms's CA is written down");
    let believed = Trust::load(&trust, Simulation::Refused).expect("what clients are given");
    let connector = Connector::new(Api::TmsExternal, None, Arc::new(believed));
    let proof = connector.attest(&system.address(Api::TmsExternal).expect("it serves").to_string()).await;
    let proof = proof.expect("both layers hold");
    assert_eq!(proof.session.platform(), Platform::Tpm);
    assert_eq!(proof.certificate.deployment.as_str(), "bank");
    site.add_example_users().await;
    let list = json!({ "type": "List", "user_id": "user1", "user_token": "token1" });
    assert_eq!(site.call(Protocol::Http1, Api::TmsExternal, &list).await["type"], "List");
    system.stop().await;

    let system = start(&config).await.expect("the platform unseals what it sealed");
    assert_eq!(fs::read(trust.join("ca.pem")).expect("kept"), ca, "the CA is the same");
    let site = Site::new(system.config().clone());
    assert_eq!(site.call(Protocol::Http1, Api::TmsExternal, &list).await["type"], "List", "the user is still known");
    system.stop().await;

    tpm.device().extend(KERNEL, &[7; 32]).expect("measured");
    let error = format!("{:#}", start(&config).await.err().expect("another kernel gets nothing"));
    assert!(error.contains("serves nothing") && error.contains("platform tpm"), "{error}");
}

/// The TPM opens the root for the kms alone: its operator goes through it, and can't go past it.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_slots_where_only_the_kms_can_unseal_them() {
    let (Some(tpm), dir) = (Swtpm::start(), tempfile::tempdir().expect("a folder")) else { return };
    write_trust(&dir.path().join("trust"), &tpm.reference_values());
    let config = config(dir.path(), &tpm);
    let system = start(&config).await.expect("it starts");
    let act = async |request: Request| operate(dir.path(), request).await;
    for request in [Rotate {}.into(), Reseal { keep: true }.into(), Reseal { keep: false }.into()] {
        act(request).await.expect("the kms asks its TPM");
    }
    let listing = root_key::list(dir.path()).expect("a root");
    let slots: Vec<_> = listing.slots.iter().map(|slot| (slot.id, slot.content.describe())).collect();
    assert_eq!((listing.generation, slots), (2, vec![(3, "platform tpm".to_owned())]));
    let holder = RecoverySecret::generate("alice".parse().expect("a name"));
    act(SetRecovery { threshold: 1, keys: vec![holder.public().to_text()] }.into()).await.expect("split");
    let locked = act(RemoveSlot { slot: 3, leave_locked: false }.into()).await.expect_err("the TPM's only slot");
    assert!(locked.to_string().contains("the last that this machine opens"), "{locked}");
    system.stop().await;

    let stopped = act(Rotate {}.into()).await.expect_err("nobody has the TPM's secret now");
    assert!(matches!(stopped, OperateError::NobodyThere(_)), "{stopped}");
    start(&config).await.expect("the platform unseals the new generation").stop().await;
}

/// Another kernel: the TPM opens the root no more, a holder's share does, and is sealed to what runs now.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_another_kernel_is_recovered_by_its_holders() {
    let (Some(tpm), dir) = (Swtpm::start(), tempfile::tempdir().expect("a folder")) else { return };
    let trust = dir.path().join("trust");
    write_trust(&trust, &tpm.reference_values());
    let config = config(dir.path(), &tpm);
    let system = start(&config).await.expect("it starts");
    let holder = RecoverySecret::generate("alice".parse().expect("a name"));
    let split = SetRecovery { threshold: 1, keys: vec![holder.public().to_text()] };
    operate(dir.path(), split.into()).await.expect("the kms runs");
    system.stop().await;

    tpm.device().extend(KERNEL, &[7; 32]).expect("measured");
    fs::remove_file(trust.join("manifest.seen")).expect("other auditors begin anew");
    write_trust(&trust, &tpm.reference_values());
    let error = format!("{:#}", start(&config).await.err().expect("the new kernel is listed, and gets nothing"));
    assert!(error.contains("recovery, 1 of 1"), "{error}");
    let shares = root_key::share_files(dir.path()).expect("a root").expect("a set");
    let shares = [shares[0].open(&holder).expect("the holder's")];
    let mut root = Root::open(dir.path(), &Means { shares: &shares, ..Means::default() }).await.expect("enough");
    let sealer = sealer_here(dir.path(), &config.attestation).expect("the TPM");
    root.rewrap(&sealer, UnixMillis::now()).expect("sealed");
    drop((root, sealer));
    start(&config).await.expect("it unseals what was sealed here").stop().await;
}

/// Without a manifest there is nothing to go by.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_platform_without_a_manifest_does_not_start() {
    let (Some(tpm), dir) = (Swtpm::start(), tempfile::tempdir().expect("a folder")) else { return };
    drop(tpm.device());
    let error = format!("{:#}", start(&config(dir.path(), &tpm)).await.err().expect("nobody said whom to trust"));
    assert!(error.contains("auditors"), "{error}");
}
