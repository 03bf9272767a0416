//! The keeper with a folder, a fake of makers' services and forged machines: what verifiers get, and when.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attest::attester::Attester as _;
use attest::authority::{CertificateAuthority, LeafRequest, provisional};
use attest::claims::Measurement;
use attest::collateral::{Need, Part};
use attest::dcap::IntelRoot;
use attest::evidence::{Evidence, ReportData};
use attest::extension::attest_key;
use attest::leaf::LeafKey;
use attest::platform::Platform;
use attest::reference::{Policy, ReferenceValues};
use attest::refusal::Refusal;
use attest::snp::{SnpProduct, SnpTcb};
use attest::validity::Validity;
use forge::snp::{Chip, Encoding, Guest, SnpForge};
use forge::{Enclave, Forge, Machine, SgxAttester};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::TcpListener;
use types::service::Role;
use types::time::UnixMillis;

use crate::collateral::fake_tests::{Fake, Manner, accept};
use crate::collateral::fetch::Makers;
use crate::collateral::web::{AnswerLimits, Web, WebError};
use crate::collateral::{Held, Keeper};
use crate::config::Collateral as Settings;
use crate::shutdown::Shutdown;
use crate::trust::Trust;

const DAY: Duration = Duration::from_secs(24 * 3600);
const NEED: &str = "sgx:f056e1000000:platform";
const FILE: &str = "sgx-f056e1000000-platform.json";

fn ago(time: Duration) -> UnixMillis {
    UnixMillis(UnixMillis::now().0 - time.as_millis() as u64)
}

fn published(forge: &Forge) -> Vec<u8> {
    forge.install(Machine::default()).collateral(Platform::Sgx)
}

fn sgx_evidence(forge: &Forge) -> Evidence {
    let quote = forge.install(Machine::default()).sgx_quote(&Enclave::new(ReportData([5; 64])));
    Evidence::new(Platform::Sgx, quote).unwrap()
}

fn missing() -> Refusal {
    Refusal::CollateralMissing { platform: Platform::Sgx, kind: String::new() }
}

/// A process that keeps collateral, and its folder.
struct House {
    dir: TempDir,
    fake: Fake,
    settings: Settings,
}

impl House {
    async fn new() -> Self {
        let fake = Fake::start().await;
        let (intel_url, amd_url) = (Some(fake.url()), Some(format!("{}/", fake.url())));
        House { dir: TempDir::new().unwrap(), fake, settings: Settings { intel_url, amd_url, ..Settings::default() } }
    }

    fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn start(&self) -> (Arc<Held>, Keeper) {
        self.start_with(&self.settings)
    }

    fn start_with(&self, settings: &Settings) -> (Arc<Held>, Keeper) {
        let limits = AnswerLimits { time: Duration::from_millis(400), ..AnswerLimits::default() };
        let (makers, held) = (Makers::new(settings, limits).unwrap(), Arc::new(Held::default()));
        let wanted = settings.needs().unwrap();
        (held.clone(), Keeper::new(held, self.folder().to_owned(), makers, wanted, settings.refresh_before()))
    }

    fn put(&self, name: &str, json: &[u8]) {
        let draft = self.folder().join("draft");
        fs::write(&draft, json).unwrap();
        fs::rename(draft, self.folder().join(name)).unwrap();
    }
}

fn until(held: &Held, need: &str) -> Option<UnixMillis> {
    held.current().until(&need.parse().unwrap())
}

/// A certificate as a service shows it, with evidence of a forged enclave.
fn certificate(forge: &Arc<Forge>, deployment: &str) -> CertificateDer<'static> {
    let enclave = Enclave::new(ReportData([0; 64]));
    let attester = SgxAttester { forge: forge.clone(), machine: Machine::default(), enclave };
    assert_eq!(attester.platform(), Platform::Sgx);
    let (key, now) = (LeafKey::generate(), UnixMillis::now());
    let evidence = attest_key(&attester, key.public().spki(), now).unwrap();
    let request = LeafRequest {
        role: Role::Kms,
        public_key: &key.public(),
        dns_names: &[],
        ip_addresses: &[],
        evidence: &evidence,
        validity: Validity::starting(now, DAY),
    };
    CertificateDer::from(provisional(&request, &deployment.parse().unwrap(), &key).unwrap())
}

fn trust(forge: &Forge, held: Arc<Held>) -> Trust {
    let Enclave { mrenclave, mrsigner, .. } = Enclave::new(ReportData([0; 64]));
    let values = ReferenceValues::exactly([Measurement::Sgx { mrenclave, mrsigner }]);
    let root = IntelRoot::danger_other(forge.root().to_vec());
    let policy = Policy::default().with_role(Role::Kms, values).danger_trust_intel_root(root);
    Trust::with("house".parse().unwrap(), None, policy, held)
}

#[tokio::test]
async fn what_evidence_needs_is_fetched_and_the_next_connection_succeeds() {
    let (house, forge) = (House::new().await, Arc::new(Forge::new(ago(DAY))));
    house.fake.publish_intel(&published(&forge));
    let (held, keeper) = house.start();
    let trust = trust(&forge, held);
    let shutdown = Shutdown::default();
    let running = tokio::spawn(keeper.run(shutdown.clone()));
    let leaf = certificate(&forge, "house");
    let appraise = || trust.appraise_certificate(&leaf, &[Role::Kms], UnixMillis::now());

    assert!(matches!(appraise(), Err(Refusal::CollateralMissing { .. })));
    let started = Instant::now();
    while appraise().is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", appraise().map(|_| ()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.fake.asked().len(), 4);
    shutdown.begin();
    running.await.unwrap();

    // The next process needs nobody.
    let offline = Settings::default();
    let (held, mut keeper) = house.start_with(&offline);
    assert!(self::trust(&forge, held).appraise_certificate(&leaf, &[Role::Kms], UnixMillis::now()).is_ok());
    assert!(!keeper.turn().await);
    assert!(house.fake.asked().is_empty());
}

#[tokio::test]
async fn what_runs_out_is_refused_with_its_own_reason() {
    let (house, forge) = (House::new().await, Arc::new(Forge::new(ago(DAY * 31))));
    house.put("provided.json", &published(&forge));
    let (held, _keeper) = house.start();
    let leaf = certificate(&forge, "house");
    let refused = trust(&forge, held).appraise_certificate(&leaf, &[Role::Kms], UnixMillis::now());
    assert!(matches!(refused, Err(Refusal::Expired { what: "TCB info", .. })), "{:?}", refused.map(|_| ()));
}

#[tokio::test]
async fn what_is_configured_is_fetched_at_once_and_renewed_before_it_runs_out() {
    let mut house = House::new().await;
    house.settings.machines = vec![NEED.to_owned()];
    let mut forge = Forge::new(ago(DAY * 25));
    house.fake.publish_intel(&published(&forge));
    let (held, mut keeper) = house.start();
    assert!(keeper.turn().await);
    let first = until(&held, NEED).unwrap();
    // It is due, but the maker was asked just now.
    assert!(!keeper.turn().await);

    forge.reissue(ago(DAY));
    house.fake.publish_intel(&published(&forge));
    let (held, mut keeper) = house.start();
    assert_eq!(until(&held, NEED), Some(first));
    assert!(keeper.turn().await);
    assert_eq!(until(&held, NEED), Some(first.plus(DAY * 24)));
    // Nothing is due for weeks now.
    let (_, mut keeper) = house.start();
    assert!(!keeper.turn().await);
    let names: Vec<_> = fs::read_dir(house.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE]);
}

#[tokio::test]
async fn bad_answers_leave_what_is_held() {
    let mut house = House::new().await;
    house.settings.machines = vec![NEED.to_owned()];
    let mut forge = Forge::new(ago(DAY * 25));
    let kept = published(&forge);
    house.put(FILE, &kept);
    forge.reissue(ago(DAY * 28));
    let older = published(&forge);
    forge.reissue(ago(DAY * 31));
    let over = published(&forge);
    forge.reissue(UnixMillis::now().plus(DAY));
    let early = published(&forge);
    forge.reissue(ago(DAY));
    let other = forge.install(Machine { fmspc: [9; 6], ..Machine::default() }).collateral(Platform::Sgx);
    let renamed = String::from_utf8(other).unwrap().replace("090909090909", "F056E1000000");
    let lower = forge.install(Machine { tcb_evaluation: 16, ..Machine::default() }).collateral(Platform::Sgx);
    let fresh = published(&forge);

    let check = async |published: &[u8], manner: Manner| {
        house.fake.publish_intel(published);
        house.fake.behave(manner);
        let (held, mut keeper) = house.start();
        let (before, started) = (until(&held, NEED), Instant::now());
        assert!(keeper.turn().await);
        assert!(started.elapsed() < Duration::from_secs(5));
        (until(&held, NEED) == before, fs::read(house.folder().join(FILE)).unwrap() == kept)
    };
    for published in [&older, &over, &early, &lower] {
        assert_eq!(check(published, Manner::Well).await, (true, true));
    }
    for manner in [
        Manner::Refusing(500),
        Manner::Refusing(302),
        Manner::Refusing(429),
        Manner::Garbage,
        Manner::Dripping,
        Manner::Silent,
        Manner::Endless,
        Manner::Cut,
    ] {
        assert_eq!(check(&fresh, manner).await, (true, true), "{manner:?}");
    }
    assert_eq!(check(&fresh, Manner::Well).await, (false, false));
    // What was forged on the way is fetched, and believed by no verifier: signatures are theirs to check.
    house.put(FILE, &kept);
    assert!(!check(renamed.as_bytes(), Manner::Well).await.0);
    let forge = Arc::new(forge);
    let (held, _) = house.start();
    let refused =
        trust(&forge, held).appraise_certificate(&certificate(&forge, "house"), &[Role::Kms], UnixMillis::now());
    assert!(matches!(refused, Err(Refusal::Unverifiable { .. } | Refusal::BadSignature)), "{:?}", refused.map(|_| ()));
}

#[tokio::test]
async fn answers_are_cut_in_time_and_size() {
    let fake = Fake::start().await;
    fake.publish_intel(&published(&Forge::new(ago(DAY))));
    let page = format!("{}/sgx/certification/v4/rootcacrl", fake.url());
    let get = async |manner, time, bytes| {
        fake.behave(manner);
        let limits = AnswerLimits { time: Duration::from_millis(time), bytes };
        Web::new(None, limits).unwrap().get(&page).await.map(|answer| answer.body.len())
    };
    let whole = get(Manner::Well, 5000, 1 << 20).await.unwrap();
    assert_eq!(get(Manner::Well, 5000, whole).await.unwrap(), whole);
    assert!(matches!(get(Manner::Well, 5000, whole - 1).await, Err(WebError::Body { .. })));
    assert!(matches!(get(Manner::Endless, 5000, whole).await, Err(WebError::Body { .. })));
    assert!(matches!(get(Manner::Cut, 5000, 1 << 20).await, Err(WebError::Body { .. })));
    assert!(matches!(get(Manner::Silent, 200, 1 << 20).await, Err(WebError::Slow(_))));
    assert!(matches!(get(Manner::Dripping, 200, 1 << 20).await, Err(WebError::Slow(_))));
    assert!(matches!(get(Manner::Refusing(404), 5000, 1 << 20).await, Err(WebError::Status(_))));
    for address in ["", "ftp://127.0.0.1/", "127.0.0.1", "/path", "https://"] {
        let refused = Web::new(None, AnswerLimits::default()).unwrap().get(address).await;
        assert!(matches!(refused, Err(WebError::Address)), "{address}");
    }
}

#[tokio::test]
async fn over_tls_the_servers_name_must_be_one_that_a_root_vouches_for() {
    let (fake, dir) = (Fake::start().await, TempDir::new().unwrap());
    fake.publish_intel(&published(&Forge::new(ago(DAY))));
    let now = UnixMillis::now();
    let authority = CertificateAuthority::generate("house".parse().unwrap(), Validity::starting(now, DAY)).unwrap();
    let file = dir.path().join("ca.pem");
    fs::write(&file, authority.certificate_pem()).unwrap();
    let server = server(&authority);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, fake, server) = (accept(&socket).await, fake.clone(), server.clone());
            tokio::spawn(async move {
                if let Ok(stream) = server.accept(stream).await {
                    fake.answer(stream).await;
                }
            });
        }
    });
    let get = async |ca: Option<&Path>, host: &str| {
        let web = Web::new(ca, AnswerLimits::default()).unwrap();
        web.get(&format!("https://{host}:{port}/sgx/certification/v4/rootcacrl")).await
    };
    assert!(get(Some(&file), "localhost").await.is_ok());
    assert!(matches!(get(Some(&file), "127.0.0.1").await, Err(WebError::Connection(_))));
    assert!(matches!(get(None, "localhost").await, Err(WebError::Connection(_))));
    assert!(Web::new(Some(&dir.path().join("none.pem")), AnswerLimits::default()).is_err());
}

/// A web server's TLS. The certificate says more than a web server's, which nobody there looks at.
fn server(authority: &CertificateAuthority) -> tokio_rustls::TlsAcceptor {
    let (key, now) = (LeafKey::generate(), UnixMillis::now());
    let forge = Arc::new(Forge::new(ago(DAY)));
    let enclave = Enclave::new(ReportData([0; 64]));
    let attester = SgxAttester { forge, machine: Machine::default(), enclave };
    let request = LeafRequest {
        role: Role::Kms,
        public_key: &key.public(),
        dns_names: &["localhost".to_owned()],
        ip_addresses: &[],
        evidence: &attest_key(&attester, key.public().spki(), now).unwrap(),
        validity: Validity::starting(now, DAY),
    };
    let certificate = CertificateDer::from(authority.issue(&request).unwrap());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.danger_to_pkcs8().to_vec());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    Arc::new(config).into()
}

#[tokio::test]
async fn a_chips_key_is_fetched_for_each_state_of_its_firmware() {
    let house = House::new().await;
    let forge = SnpForge::new(SnpProduct::Genoa, Encoding::Newer, ago(DAY));
    let (held, mut keeper) = house.start();
    let mut needs = Vec::new();
    for microcode in [213, 214] {
        let tcb = SnpTcb { microcode, ..Chip::default().tcb };
        let chip = forge.install(Chip { tcb, ..Chip::default() });
        let address = format!("{}?blSPL=04&teeSPL=01&snpSPL=22&ucodeSPL={microcode}", "5a".repeat(64));
        house.fake.publish_amd("Genoa", &chip.collateral(), &address);
        let refusal = Refusal::CollateralMissing { platform: Platform::SevSnp, kind: String::new() };
        let evidence = chip.evidence(&Guest::default());
        held.note(&refusal, &evidence);
        while keeper.turn().await {}
        needs.extend(Need::of(&evidence));
        assert!(needs.iter().all(|need| held.current().until(need).is_some()), "{needs:?}");
    }
    assert_eq!(held.current().amd().len(), 1);
    let (held, _keeper) = house.start_with(&Settings::default());
    assert!(needs.iter().all(|need| held.current().until(need).is_some()), "both keys are in the file");
    assert!(house.folder().join("genoa-vcek.json").exists());
}

#[tokio::test]
async fn files_count_when_they_change_and_a_bad_one_leaves_what_it_said() {
    let (house, mut forge) = (House::new().await, Forge::new(ago(DAY * 3)));
    let (held, mut keeper) = house.start_with(&Settings::default());
    assert_eq!(until(&held, NEED), None);
    house.put("from-a-stick.json", &published(&forge));
    keeper.turn().await;
    let first = until(&held, NEED).unwrap();

    house.put("from-a-stick.json", b"{\"authority\": 5}");
    house.put("other.json", b"not JSON");
    fs::write(house.folder().join("other.txt"), "not looked at").unwrap();
    keeper.turn().await;
    assert_eq!(until(&held, NEED), Some(first));

    forge.reissue(ago(DAY));
    house.put("newer.json", &published(&forge));
    keeper.turn().await;
    assert_eq!(until(&held, NEED), Some(first.plus(DAY * 2)));
    fs::remove_file(house.folder().join("newer.json")).unwrap();
    keeper.turn().await;
    assert_eq!(until(&held, NEED), Some(first));
    fs::remove_file(house.folder().join("from-a-stick.json")).unwrap();
    keeper.turn().await;
    assert_eq!(until(&held, NEED), None);
    // A program that does not keep looking has what is there when it starts.
    house.put("again.json", &published(&forge));
    assert!(until(&Held::read(house.folder()), NEED).is_some());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_only_the_next_start() {
    let (house, forge) = (House::new().await, Forge::new(ago(DAY)));
    house.fake.publish_intel(&published(&forge));
    fs::write(house.folder().join("file"), "").unwrap();
    let makers = Makers::new(&house.settings, AnswerLimits::default()).unwrap();
    let (held, no_folder) = (Arc::new(Held::default()), house.folder().join("file").join("folder"));
    let mut keeper = Keeper::new(held.clone(), no_folder, makers, vec![NEED.parse().unwrap()], DAY);
    assert!(keeper.turn().await);
    assert!(until(&held, NEED).is_some());
}

#[tokio::test]
async fn without_an_address_nobody_is_asked() {
    let (house, forge) = (House::new().await, Forge::new(ago(DAY)));
    let (held, mut keeper) = house.start_with(&Settings { machines: vec![NEED.to_owned()], ..Settings::default() });
    held.note(&missing(), &sgx_evidence(&forge));
    assert!(!keeper.turn().await);
    assert!(house.fake.asked().is_empty());
    // Only evidence that was refused for want of collateral is looked at.
    held.note(&Refusal::BadSignature, &sgx_evidence(&forge));
    assert!(held.take_noted().is_empty());
    assert!(Part::from_json(&published(&forge)).unwrap().answers(&NEED.parse().unwrap()));
}
