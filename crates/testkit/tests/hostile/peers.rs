//! Certificates that an attacker can come by or forge, shown on service ports and by false servers.
//!
//! The forger has the deployment's CA key, which is more than any attacker has: so it is each single check that says
//! no, and not the chain. That the forger's work is otherwise good shows in the one certificate that is accepted.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use attest::certificate::bound_evidence;
use attest::extension::{EVIDENCE_OID, attest_key, claims_for_spki, encode_extension};
use attest::simulated::{SimulatedAttester, SimulatedRoot};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use rpc::config::Config;
use rpc::deployment::{Simulation, Trust};
use rpc::tls::{Connector, Credentials, Identity};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::Value;
use testkit::{Cluster, attesting, wire};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use types::service::{Api, Callers, Role};
use types::time::UnixMillis;

use crate::attacker::{check_error, soon, stranger, strangers_answer};

const HOUR: Duration = Duration::from_secs(3600);

/// What `--dev` deployments measure.
const BUILD: &[u8] = b"dev";

/// Everything that a certificate says. Attacks change one thing of an honest one.
struct Forged {
    role: Role,
    deployment: String,
    uris: Option<Vec<String>>,
    dates: [i32; 2],
    usages: Vec<ExtendedKeyUsagePurpose>,
    evidence: Evidence,
    issuer: IssuedBy,
}

/// What stands in the evidence extension.
enum Evidence {
    Missing,
    Of(Statement),
    AnotherKeys,
    Twice,
    /// One byte, counted from the end.
    Changed(usize),
}

/// What a simulated platform is made to say.
struct Statement {
    role: Role,
    build: &'static [u8],
    root: Root,
    from: UnixMillis,
    debug: bool,
}

enum Root {
    Deployments,
    Attackers,
}

#[derive(Clone, Copy)]
enum IssuedBy {
    Deployment,
    ItsOwnKey,
    AnotherCaOfTheSameName,
}

/// A change that makes an honest certificate an attack.
type Change = fn(&mut Forged);

/// Each with the words of the refusal, as a verifying client sees them.
const ATTACKS: [(&str, Change, &str); 18] = [
    ("self-signed", |forged| forged.issuer = IssuedBy::ItsOwnKey, "UnknownIssuer"),
    ("another CA of the same name", |forged| forged.issuer = IssuedBy::AnotherCaOfTheSameName, "InvalidSignature"),
    ("expired", |forged| forged.dates = [2020, 2021], "CertExpired"),
    ("not yet valid", |forged| forged.dates = [2090, 2091], "CertNotValidYet"),
    ("another deployment", |forged| "mill".clone_into(&mut forged.deployment), "deployment `mill`"),
    ("no identity", |forged| forged.uris = Some(vec![]), "names no URI"),
    ("two identities", |forged| forged.uris = Some(two_identities(forged)), "more than one URI"),
    ("an identity of the web", |forged| forged.uris = Some(vec!["https://x/kms".into()]), "not teehouse://"),
    ("for no TLS at all", |forged| forged.usages = vec![ExtendedKeyUsagePurpose::CodeSigning], "RequiredEku"),
    ("no evidence", |forged| forged.evidence = Evidence::Missing, "carries no evidence"),
    ("evidence of another key", |forged| forged.evidence = Evidence::AnotherKeys, "another public key"),
    ("evidence twice", |forged| forged.evidence = Evidence::Twice, "malformed"),
    // The claims come last, in 54 bytes with their head; the signature ends before them.
    ("evidence with a changed signature", |forged| forged.evidence = Evidence::Changed(70), "signature"),
    ("evidence with changed claims", |forged| forged.evidence = Evidence::Changed(1), "another public key"),
    (
        "an altered measurement",
        |forged| forged.evidence = Evidence::Of(Statement { build: b"altered", ..honest(forged.role) }),
        "no reference value",
    ),
    (
        "the measurement of another role",
        |forged| {
            let other = Role::ALL.into_iter().find(|role| *role != forged.role).expect("there are four");
            forged.evidence = Evidence::Of(honest(other));
        },
        "no reference value",
    ),
    (
        "a root of the attacker's own",
        |forged| forged.evidence = Evidence::Of(Statement { root: Root::Attackers, ..honest(forged.role) }),
        "signature does not verify",
    ),
    (
        "evidence of last week",
        |forged| forged.evidence = Evidence::Of(Statement { from: last_week(), ..honest(forged.role) }),
        "evidence expired",
    ),
];

fn two_identities(forged: &Forged) -> Vec<String> {
    [forged.role, Role::Kms].map(|role| format!("teehouse://{}/{role}", forged.deployment)).to_vec()
}

fn honest(role: Role) -> Statement {
    Statement { role, build: BUILD, root: Root::Deployments, from: ago(60_000), debug: false }
}

fn last_week() -> UnixMillis {
    ago(7 * 86_400_000)
}

fn ago(millis: u64) -> UnixMillis {
    UnixMillis(UnixMillis::now().0 - millis)
}

/// What a data directory's `dev` folder gives away.
struct Forger {
    deployment: String,
    ca_key: String,
    root: Arc<SimulatedRoot>,
}

impl Forger {
    fn new(cluster: &Cluster) -> Self {
        let read = |path: &str| fs::read_to_string(cluster.data_dir().join(path)).expect("a file");
        Forger {
            deployment: read("trust/deployment").trim().to_owned(),
            ca_key: read("dev/ca-key.pem"),
            root: Arc::new(SimulatedRoot::from_pem(&read("dev/simulated-root-key.pem")).expect("the root")),
        }
    }

    /// What is right in every respect.
    fn honest(&self, role: Role) -> Forged {
        Forged {
            role,
            deployment: self.deployment.clone(),
            uris: None,
            dates: [2020, 2090],
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            evidence: Evidence::Of(honest(role)),
            issuer: IssuedBy::Deployment,
        }
    }

    fn changed(&self, role: Role, change: Change) -> Identity {
        let mut forged = self.honest(role);
        change(&mut forged);
        self.issue(&forged)
    }

    fn issue(&self, forged: &Forged) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(forged.dates[0], 1, 1);
        params.not_after = rcgen::date_time_ymd(forged.dates[1], 1, 1);
        params.extended_key_usages.clone_from(&forged.usages);
        let own = vec![format!("teehouse://{}/{}", forged.deployment, forged.role)];
        let uris = forged.uris.as_ref().unwrap_or(&own);
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().expect("ASCII"))));
        let values = self.evidence(&forged.evidence, forged.role, &spki(&key));
        params.custom_extensions =
            values.into_iter().map(|value| CustomExtension::from_oid_content(&EVIDENCE_OID, value)).collect();
        let certificate = match forged.issuer {
            IssuedBy::ItsOwnKey => params.self_signed(&key).expect("a certificate"),
            IssuedBy::Deployment => self.signed(params, &key, KeyPair::from_pem(&self.ca_key).expect("the CA's key")),
            IssuedBy::AnotherCaOfTheSameName => self.signed(params, &key, KeyPair::generate().expect("a key")),
        };
        let attester = SimulatedAttester::new(self.root.clone(), forged.role, BUILD).with_lifetime(HOUR);
        let whom = (forged.role, self.deployment.parse().expect("a name"));
        Identity::new(whom, certificate.der().to_vec(), &key.serialize_der(), Arc::new(attester)).expect("usable")
    }

    fn signed(&self, params: CertificateParams, key: &KeyPair, ca: KeyPair) -> rcgen::Certificate {
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "Teehouse");
        name.push(DnType::OrganizationalUnitName, &*self.deployment);
        name.push(DnType::CommonName, "Teehouse CA");
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = name;
        params.signed_by(key, &Issuer::new(issuer, ca)).expect("a certificate")
    }

    /// The values of the evidence extensions.
    fn evidence(&self, evidence: &Evidence, own: Role, spki: &[u8]) -> Vec<Vec<u8>> {
        let good = || self.attested(&honest(own), spki);
        match evidence {
            Evidence::Missing => vec![],
            Evidence::Of(statement) => vec![self.attested(statement, spki)],
            Evidence::AnotherKeys => {
                vec![self.attested(&honest(own), &self::spki(&KeyPair::generate().expect("a key")))]
            }
            Evidence::Twice => vec![good(), good()],
            Evidence::Changed(from_the_end) => {
                let mut value = good();
                let at = value.len() - from_the_end;
                value[at] ^= 1;
                vec![value]
            }
        }
    }

    fn attested(&self, statement: &Statement, spki: &[u8]) -> Vec<u8> {
        let root = match statement.root {
            Root::Deployments => self.root.clone(),
            Root::Attackers => Arc::new(SimulatedRoot::generate()),
        };
        let attester = SimulatedAttester::new(root, statement.role, statement.build).with_lifetime(HOUR);
        let attester = if statement.debug { attester.in_debug_mode() } else { attester };
        attest_key(&attester, spki, statement.from).expect("simulated platforms answer")
    }
}

fn spki(key: &KeyPair) -> Vec<u8> {
    use rcgen::PublicKeyData as _;
    key.subject_public_key_info()
}

fn key(identity: Option<Identity>) -> Option<Arc<CertifiedKey>> {
    identity.map(|identity| identity.certified_key())
}

fn service_ports() -> impl Iterator<Item = (Api, &'static [Role])> {
    Api::ALL.into_iter().filter_map(|api| match api.callers() {
        Callers::Services(roles) => Some((api, roles)),
        Callers::Anyone | Callers::Newcomers => None,
    })
}

/// Shows a certificate and waits: the alert must come while no request was sent. Then once more with a request, which
/// must get no answer.
async fn check_refused(cluster: &Cluster, api: Api, attack: &str, identity: impl Fn() -> Option<Identity>) {
    let shown = async {
        let mut stream = wire::connect_as(cluster.address(api), &[], key(identity())).await?;
        stream.read_u8().await
    };
    let error = soon(shown).await.expect_err(attack).to_string();
    assert!(error.contains("alert"), "{api}, {attack}: {error}");

    let asked = async {
        let mut stream = wire::connect_as(cluster.address(api), &[], key(identity())).await?;
        wire::send(&mut stream, stranger(api)).await?;
        wire::receive(&mut stream).await
    };
    assert!(soon(asked).await.is_err(), "{api} answers to {attack}");
}

/// Strangers, users and forgers on every service port: refused in the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn service_ports_refuse_every_certificate_but_a_callers() {
    let (cluster, other) = tokio::join!(Cluster::start(), Cluster::start());
    let forger = Forger::new(&cluster);
    for (api, callers) in service_ports() {
        check_refused(&cluster, api, "no certificate", || None).await;
        let caller = callers[0];
        let of_other = || Some(other.deployment().issue(caller, &[]).expect("a certificate"));
        check_refused(&cluster, api, "a service of another deployment", of_other).await;
        for role in Role::ALL.into_iter().filter(|role| !callers.contains(role)) {
            let issued = || Some(cluster.deployment().issue(role, &[]).expect("a certificate"));
            check_refused(&cluster, api, &format!("an honest {role}"), issued).await;
        }
        for (attack, change, _) in ATTACKS {
            check_refused(&cluster, api, attack, || Some(forger.changed(caller, change))).await;
        }
        let server_only: Change = |forged| forged.usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        check_refused(&cluster, api, "for servers only", || Some(forger.changed(caller, server_only))).await;
        let debug: Change = |forged| {
            forged.evidence = Evidence::Of(Statement { debug: true, ..honest(forged.role) });
        };
        check_refused(&cluster, api, "a platform in debug mode", || Some(forger.changed(caller, debug))).await;

        for caller in callers {
            let good = forger.issue(&forger.honest(*caller));
            let mut stream =
                wire::connect_as(cluster.address(api), &[], Some(good.certified_key())).await.expect("accepted");
            attesting::attest(&mut stream, &good).await.expect("attested");
            wire::send(&mut stream, stranger(api)).await.expect("sent");
            let answer = soon(wire::receive(&mut stream)).await.expect("an answer").to_string();
            // Only function nodes may ask the tms for tasks.
            let code = match (api, caller) {
                (Api::TmsInternal, Role::Kms | Role::Tdfs) => "permission_denied",
                _ => strangers_answer(api),
            };
            check_error(answer.as_bytes(), code);
        }
    }
    tokio::join!(cluster.stop(), other.stop());
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Value> {
    let mut body = vec![0; usize::try_from(stream.read_u64().await?).expect("a small request")];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), document: &Value) -> std::io::Result<()> {
    let body = document.to_string();
    stream.write_all(&(body.len() as u64).to_be_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// Whoever wants a certificate may vouch for their own key, and for nothing else: evidence, role and deployment count.
#[tokio::test(flavor = "multi_thread")]
async fn the_enrolment_port_refuses_every_newcomer_without_good_evidence() {
    let (cluster, other) = tokio::join!(Cluster::start(), Cluster::start());
    let forger = Forger::new(&cluster);
    let api = Api::Enrolment;
    check_refused(&cluster, api, "no certificate", || None).await;
    check_refused(&cluster, api, "a service of another deployment", || Some(other.identity(Role::Fns))).await;
    for (attack, change, _) in ATTACKS.into_iter().filter(|(attack, ..)| *attack != "self-signed") {
        let own: Change = |forged| {
            if matches!(forged.issuer, IssuedBy::Deployment) {
                forged.issuer = IssuedBy::ItsOwnKey;
            }
        };
        check_refused(&cluster, api, attack, || {
            let mut forged = forger.honest(Role::Fns);
            change(&mut forged);
            own(&mut forged);
            Some(forger.issue(&forged))
        })
        .await;
    }
    let newcomer = forger.changed(Role::Fns, |forged| forged.issuer = IssuedBy::ItsOwnKey);
    let mut stream = wire::connect_as(cluster.address(api), &[], Some(newcomer.certified_key())).await.expect("heard");
    attesting::attest(&mut stream, &newcomer).await.expect("attested");
    wire::send(&mut stream, stranger(api)).await.expect("sent");
    check_error(soon(wire::receive(&mut stream)).await.expect("an answer").to_string().as_bytes(), "invalid_request");
    tokio::join!(cluster.stop(), other.stop());
}

/// A server that shows this certificate, attests its sessions, and would take anything.
async fn false_server(identity: Identity) -> String {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from((*identity.certified_key()).clone())));
    let identity = Arc::new(identity);
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let (acceptor, identity) = (TlsAcceptor::from(Arc::new(config.clone())), identity.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let question = read(&mut stream).await?;
                let nonce = attesting::nonce(&question);
                let exported = attesting::exported(stream.get_ref().1, "server", identity.role.as_str(), &nonce);
                write(&mut stream, &attesting::attested(&identity, &exported)).await?;
                read(&mut stream).await?;
                write(&mut stream, &serde_json::json!({ "type": "Get", "config": {} })).await?;
                stream.shutdown().await
            });
        }
    });
    address
}

/// The error of a call and all its sources.
async fn refusal(connector: &Connector, target: &str) -> String {
    let called = soon(rpc::raw::call_framed(connector, target, b"{}")).await;
    let error = called.expect_err("the client speaks to a false server");
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    let chain = std::iter::from_fn(|| next.take().inspect(|error| next = error.source()));
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Services and users alike: whoever is not the attested service that is expected there gets no request.
#[tokio::test(flavor = "multi_thread")]
async fn clients_refuse_false_servers() {
    let (cluster, other) = tokio::join!(Cluster::start(), Cluster::start());
    let forger = Forger::new(&cluster);
    for api in [Api::Kms, Api::TdfsExternal] {
        let connector = cluster.connector(api, None);
        for (attack, change, words) in ATTACKS {
            let server = false_server(forger.changed(api.role(), change)).await;
            let error = refusal(&connector, &server).await;
            assert!(error.contains(words), "{api}, {attack}: {error}");
        }
        let client_only: Change = |forged| forged.usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let error = refusal(&connector, &false_server(forger.changed(api.role(), client_only)).await).await;
        assert!(error.contains("RequiredEku"), "{error}");
        let honest = false_server(forger.issue(&forger.honest(api.role()))).await;
        soon(rpc::raw::call_framed(&connector, &honest, b"{}")).await.expect("the forger's honest work is accepted");

        // Real services, but not those that were asked for.
        let wrong = cluster.address(Api::TmsExternal).to_string();
        assert!(refusal(&connector, &wrong).await.contains("not expected here"));
        let elsewhere = other.address(api).to_string();
        assert!(refusal(&connector, &elsewhere).await.contains("UnknownIssuer"));
    }
    tokio::join!(cluster.stop(), other.stop());
}

/// Without `--dev` nobody believes in the simulated platform, whatever its certificates say.
#[tokio::test(flavor = "multi_thread")]
async fn simulated_platforms_are_refused_unless_a_person_said_otherwise() {
    let cluster = Cluster::start().await;
    let trust = Arc::new(Trust::load(&cluster.data_dir().join("trust"), Simulation::Refused).expect("trust"));
    for api in Api::ALL {
        let identity = api.callers().roles().first().map(|role| cluster.identity(*role));
        let connector = Connector::new(api, identity.map(Credentials::new), trust.clone());
        let error = refusal(&connector, &cluster.address(api).to_string()).await;
        assert!(error.contains("accepts no simulated platform"), "{api}: {error}");
    }
    cluster.stop().await;
    let config = Config { data_dir: tempfile::tempdir().expect("a folder").path().to_owned(), ..Config::default() };
    assert!(rpc::host::Host::new(config, rpc::host::Mode::Attested).is_err());
}

/// A newcomer whose evidence is good may still ask for too much: names that would stand for others, more of them than a
/// certificate holds, or a certificate over evidence that was not shown.
#[tokio::test(flavor = "multi_thread")]
async fn the_enrolment_port_names_only_what_it_appraised() {
    let cluster = Cluster::start().await;
    let forger = Forger::new(&cluster);
    let api = Api::Enrolment;
    let newcomer = || forger.changed(Role::Fns, |forged| forged.issuer = IssuedBy::ItsOwnKey);
    let (own, other) = (newcomer(), newcomer());
    let evidence = |identity: &Identity| {
        let bound = bound_evidence(identity.certificate()).expect("it carries evidence");
        STANDARD.encode(encode_extension(&bound.evidence, &claims_for_spki(identity.public_key())))
    };
    let ask = async |names: Vec<String>, evidence: String| {
        let stream = wire::connect_as(cluster.address(api), &[], Some(own.certified_key())).await;
        let mut stream = stream.expect("heard");
        attesting::attest(&mut stream, &own).await.expect("attested");
        let enrol = serde_json::json!({ "type": "Enrol", "names": names, "evidence": evidence });
        wire::send(&mut stream, enrol.to_string().as_bytes()).await.expect("sent");
        soon(wire::receive(&mut stream)).await.expect("an answer")
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ask(names(&["fns.example", "10.0.0.7"]), evidence(&own)).await["type"], "Enrol");
    for bad in [&["*"][..], &["*.example"], &["a b"], &["a\u{0}"], &[""], &["é"], &["teehouse://house/kms"]] {
        let answer = ask(names(bad), evidence(&own)).await;
        assert_eq!(answer["code"], "invalid_request", "{bad:?}: {answer}");
    }
    let many = (0..65).map(|number| format!("fns-{number}")).collect();
    assert_eq!(ask(many, evidence(&own)).await["code"], "invalid_request");
    for bad in [evidence(&other), STANDARD.encode(b"no evidence"), String::new()] {
        assert_eq!(ask(names(&["fns.example"]), bad).await["code"], "invalid_request");
    }
    cluster.stop().await;
}
