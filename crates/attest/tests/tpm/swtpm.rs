//! A TPM in software from beginning to end. Needs the program `swtpm`; without it these tests do nothing, unless
//! `TEEHOUSE_REQUIRE_SWTPM=1` says that they must.

use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use attest::Verified;
use attest::appraise::Verifier;
use attest::attester::{Attester, BlobSealer as _, SealedKey, Sealer, TpmAttester, TpmDevice, TpmError, TpmSealer};
use attest::claims::{Claims, PlatformId};
use attest::collateral::Collateral;
use attest::evidence::{Evidence, ReportData};
use attest::reference::{Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::tpm::PcrSelection;
use crypto::SealingKey;
use tempfile::TempDir;
use types::service::Role;
use types::time::UnixMillis;

const REPORT_DATA: ReportData = ReportData([0x63; 64]);
const NOW: UnixMillis = UnixMillis(0);

/// The PCR that stands for a kernel here.
const PCR: u8 = 11;

/// A TPM in software, ended with its directory when it is dropped.
struct Swtpm {
    child: Child,
    device: Arc<TpmDevice>,
    _directory: TempDir,
}

impl Swtpm {
    /// None where the program is absent.
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("tpm.sock");
        let mut child = spawn(directory.path(), &socket)?;
        let Some(stream) = connect(&socket) else {
            child.kill().unwrap();
            panic!("swtpm opened no socket: {:?}", child.wait());
        };
        let device = Arc::new(TpmDevice::over(stream));
        device.start().unwrap();
        Some(Swtpm { child, device, _directory: directory })
    }

    fn attester(&self) -> TpmAttester {
        TpmAttester::new(self.device.clone(), pcrs())
    }

    fn sealer(&self) -> TpmSealer {
        TpmSealer::new(self.device.clone(), pcrs())
    }

    /// Accepts this TPM as it is now.
    fn policy(&self) -> Policy {
        let measurement = pcrs().measurement(&self.device.pcr_values(pcrs()).unwrap());
        let values = ReferenceValues { tpm_pcrs: pcrs(), ..ReferenceValues::exactly(measurement) };
        Policy::default().with_role(Role::Kms, values).with_tpm_key(self.attester().key_name().unwrap())
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path, socket: &Path) -> Option<Child> {
    let spawned = Command::new("swtpm")
        .args(["socket", "--tpm2", "--server"])
        .arg(format!("type=unixio,path={}", socket.display()))
        .arg("--tpmstate")
        .arg(format!("dir={}", directory.display()))
        .arg("--flags")
        .arg("not-need-init")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn();
    match spawned {
        Ok(child) => Some(child),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("TEEHOUSE_REQUIRE_SWTPM").is_none(), "swtpm is required and not installed");
            // Not eprintln!, which a test that passes keeps to itself.
            let _ = writeln!(std::io::stderr(), "skipped: the program swtpm is not installed (apt-get install swtpm)");
            None
        }
        Err(error) => panic!("start swtpm: {error}"),
    }
}

/// Within five seconds.
fn connect(socket: &Path) -> Option<UnixStream> {
    (0..500).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        UnixStream::connect(socket).ok()
    })
}

fn pcrs() -> PcrSelection {
    PcrSelection::new([0, 7, PCR]).unwrap()
}

fn appraise(policy: &Policy, evidence: &Evidence, expected: &ReportData) -> Result<Verified<Claims>, Refusal> {
    Verifier { policy, collateral: &Collateral::default() }.appraise(evidence, expected, Role::Kms, NOW)
}

#[test]
fn a_quote_verifies_until_something_else_is_measured() {
    let Some(tpm) = Swtpm::start() else { return };
    let (policy, attester) = (tpm.policy(), tpm.attester());
    let evidence = attester.attest(&REPORT_DATA, NOW).unwrap();
    let claims = appraise(&policy, &evidence, &REPORT_DATA).unwrap().into_inner();
    assert_eq!(claims.platform_ids, [PlatformId::TpmKey(attester.key_name().unwrap().0)].into());
    let other = appraise(&policy, &evidence, &ReportData([0; 64]));
    assert_eq!(other, Err(Refusal::ReportDataDiffers));

    tpm.device.extend(PCR, &[1; 32]).unwrap();
    let evidence = attester.attest(&REPORT_DATA, NOW).unwrap();
    assert!(matches!(appraise(&policy, &evidence, &REPORT_DATA), Err(Refusal::MeasurementUnknown { .. })));
    assert!(appraise(&tpm.policy(), &evidence, &REPORT_DATA).is_ok(), "it is what is measured now");
}

#[test]
fn no_flip_of_a_tpms_evidence_is_accepted() {
    let Some(tpm) = Swtpm::start() else { return };
    let policy = tpm.policy();
    let encoded = tpm.attester().attest(&REPORT_DATA, NOW).unwrap().encode();
    let accepted =
        |bytes: &[u8]| Evidence::decode(bytes).and_then(|evidence| appraise(&policy, &evidence, &REPORT_DATA)).is_ok();
    assert!(accepted(&encoded));
    for at in 0..encoded.len() {
        let mut changed = encoded.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!accepted(&changed), "byte {at}");
        assert!(!accepted(&encoded[..at]), "{at} bytes");
    }
}

#[test]
fn the_attestation_key_is_the_tpms_own() {
    let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
    assert_eq!(one.attester().key_name().unwrap(), one.attester().key_name().unwrap());
    let evidence = other.attester().attest(&REPORT_DATA, NOW).unwrap();
    let found = appraise(&one.policy(), &evidence, &REPORT_DATA);
    assert_eq!(found, Err(Refusal::TpmKeyUnknown(other.attester().key_name().unwrap())));
}

#[test]
fn a_sealed_key_comes_back_until_something_else_is_measured() {
    let Some(tpm) = Swtpm::start() else { return };
    let key = SealingKey::generate();
    let sealed = tpm.sealer().seal(&key).unwrap();
    let kept = SealedKey::decode(&sealed.encode()).unwrap();
    let sealer = tpm.sealer().with_key(Role::Kms, kept.clone());
    for _ in 0..10 {
        assert_eq!(sealer.sealing_key(Role::Kms).unwrap().danger_expose(), key.danger_expose());
    }
    assert!(matches!(source(sealer.sealing_key(Role::Tms)), TpmError::NoKey(Role::Tms)));

    tpm.device.extend(PCR, &[1; 32]).unwrap();
    // TPM_RC_POLICY_FAIL for the first session; ten times, since nothing may stay loaded.
    for _ in 0..10 {
        let error = source(sealer.sealing_key(Role::Kms));
        assert!(matches!(error, TpmError::Refused { command: "TPM2_Unseal", code: 0x99d }), "{error:?}");
    }
    let again = tpm.sealer().seal(&key).unwrap();
    let sealer = tpm.sealer().with_key(Role::Kms, again);
    assert_eq!(sealer.sealing_key(Role::Kms).unwrap().danger_expose(), key.danger_expose());
}

#[test]
fn a_sealed_key_opens_in_no_other_tpm_and_with_no_byte_changed() {
    let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
    let sealed = one.sealer().seal(&SealingKey::generate()).unwrap();
    let error = other.sealer().unseal(&sealed).unwrap_err();
    assert!(matches!(error, TpmError::Refused { command: "TPM2_Load", .. }), "{error:?}");

    let encoded = sealed.encode();
    for at in 0..encoded.len() {
        let mut changed = encoded.clone();
        changed[at] ^= 1 << (at % 8);
        let opened = SealedKey::decode(&changed).ok().and_then(|sealed| one.sealer().unseal(&sealed).ok());
        assert!(opened.is_none(), "byte {at}");
    }
    assert!(one.sealer().unseal(&sealed).is_ok());
}

/// As the kms's root has it: whoever keeps the blob knows nothing of its form.
#[test]
fn a_blob_comes_back_from_the_same_tpm_in_the_same_state_alone() {
    let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
    let key = SealingKey::generate();
    let blob = one.sealer().seal_key(&key).unwrap();
    assert!(blob.len() <= 4096, "{} bytes", blob.len());
    assert_eq!(one.sealer().unseal_key(&blob).unwrap().danger_expose(), key.danger_expose());
    assert!(matches!(source(other.sealer().unseal_key(&blob)), TpmError::Refused { command: "TPM2_Load", .. }));
    assert!(matches!(source(one.sealer().unseal_key(&blob[1..])), TpmError::SealedKey(_)));
    one.device.extend(PCR, &[1; 32]).unwrap();
    let error = one.sealer().unseal_key(&blob).unwrap_err();
    assert_eq!(error.to_string(), "the tpm platform could not unseal a key");
    assert!(matches!(source(Err(error)), TpmError::Refused { command: "TPM2_Unseal", code: 0x99d }));
}

#[test]
fn a_challenge_is_met_by_one_tpm_for_its_own_attestation_key() {
    let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
    let endorsement = one.device.endorsement_key().unwrap();
    assert_eq!(endorsement, one.device.endorsement_key().unwrap());
    assert_ne!(endorsement.modulus(), other.device.endorsement_key().unwrap().modulus());
    let (own, foreign) = (one.attester().key_name().unwrap(), other.attester().key_name().unwrap());

    let challenge = endorsement.challenge(&own, &[0x5e; 32]).unwrap();
    for _ in 0..5 {
        assert_eq!(*one.device.activate(&challenge).unwrap(), [0x5e; 32]);
        let error = one.device.activate(&endorsement.challenge(&foreign, &[0x5e; 32]).unwrap()).unwrap_err();
        assert!(matches!(error, TpmError::Refused { command: "TPM2_ActivateCredential", .. }), "{error:?}");
    }
    let error = other.device.activate(&challenge).unwrap_err();
    assert!(matches!(error, TpmError::Refused { command: "TPM2_ActivateCredential", .. }), "{error:?}");
}

fn source(result: Result<SealingKey, attest::attester::AttestError>) -> TpmError {
    *result.err().unwrap().source.downcast().unwrap()
}
