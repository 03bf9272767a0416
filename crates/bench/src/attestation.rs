//! What attestation costs: an appraisal on each platform, and a whole attested connection beside a plain one.

use std::hint::black_box;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use attest::appraise::Verifier;
use attest::attester::{AttestError, Attester};
use attest::collateral::{Collateral, IntelCollateral};
use attest::dcap::IntelRoot;
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::Policy;
use forge::{Domain, Forge, Installed, Machine};
use rpc::tls::{Connector, Credentials};
use testkit::house::House;
use testkit::platform::TestPlatform;
use testkit::stand::{Port, ServicePort, Stand, UserPort};
use types::service::Role;
use types::time::UnixMillis;

use crate::figure::{Figure, Report, Target, number};
use crate::kept;
use crate::load::{ROUNDS, round};
use crate::plain_tls::{Plain, Verification};
use crate::stats::{median, millis};

const NAME: &str = "attestation";
const SAMPLES: usize = 300;
const ROUND: Duration = Duration::from_secs(2);
const REPORT_DATA: ReportData = ReportData([7; 64]);

/// What a connection may take, of a plain one.
const WANTED: f64 = 4.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mut platforms = vec![TestPlatform::simulated()];
    platforms.extend(TestPlatform::forged());
    for platform in &platforms {
        let times = appraisals(&*platform.audited, &platform.policy(), &platform.collateral())?;
        report.add(Figure::of_samples(NAME, format!("appraisal, {}", platform.platform), "ms", &times));
    }
    let domain = KeptDomain::new()?;
    connections::<ServicePort>(report, &domain, Verification::Mutual, "service port, mutual").await?;
    connections::<UserPort>(report, &domain, Verification::ServerOnly, "user port").await?;
    kept::run(report, &domain.house(), &domain.attester()).await
}

/// How long it takes to judge one statement, in milliseconds.
fn appraisals(attester: &dyn Attester, policy: &Policy, collateral: &Collateral) -> anyhow::Result<Vec<f64>> {
    let now = UnixMillis::now();
    let (evidence, verifier) = (attester.attest(&REPORT_DATA, now)?, Verifier { policy, collateral });
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        black_box(verifier.appraise(black_box(&evidence), &REPORT_DATA, Role::Kms, now)?);
        times.push(began.elapsed());
    }
    Ok(millis(&times))
}

/// How long it takes to make one, in milliseconds.
fn making(attester: &dyn Attester) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        black_box(attester.attest(&REPORT_DATA, UnixMillis::now())?);
        times.push(began.elapsed());
    }
    Ok(median(&millis(&times)))
}

/// Both layers beside plain TLS with the same kind of keys, one connection at a time, in rounds that take turns.
async fn connections<P: Port>(
    report: &mut Report,
    domain: &KeptDomain,
    verification: Verification,
    what: &str,
) -> anyhow::Result<()> {
    let (house, attester) = (domain.house(), domain.attester());
    let stand = Stand::start::<P>(house.identity(P::API.role(), &attester), house.trust()).await;
    let caller = (verification == Verification::Mutual).then(|| Credentials::new(house.identity(Role::Fns, &attester)));
    let sides = if caller.is_some() { 2 } else { 1 };
    let attested = Attested {
        connector: Connector::new(P::API, caller, Arc::new(house.trust())),
        target: stand.address().to_string().into(),
    };
    let plain = Plain::start(verification).await?;
    let [mut of_plain, mut layer_one, mut both, mut without] = [const { Vec::new() }; 4];
    for warm_up in [true].into_iter().chain([false; ROUNDS]) {
        let whole = median(&round(from_ref(&attested), ROUND, Attested::attest).await?.millis);
        let first = median(&round(from_ref(&attested), ROUND, Attested::probe).await?.millis);
        let plain = median(&round(from_ref(&plain), ROUND, Plain::handshake).await?.millis);
        if !warm_up {
            of_plain.push(whole / plain);
            both.push(whole);
            layer_one.push(first);
            without.push(plain);
        }
    }
    stand.stop().await;
    let appraisal = median(&appraisals(&*attester, &domain.policy, &domain.collateral)?);
    let share = Figure::of_rounds(NAME, format!("connection, {what}, TDX, of plain"), "×", &of_plain);
    report.add(share.wanted(Target::AtMost(WANTED)).beside(format!(
        "{} ms of {} ms plain; layer one alone {} ms; {} appraisals of {} ms, {sides} pieces of evidence of {} ms",
        number(median(&both)),
        number(median(&without)),
        number(median(&layer_one)),
        sides * 2,
        number(appraisal),
        number(making(&*attester)?),
    )));
    Ok(())
}

/// Where attested connections lead.
#[derive(Clone)]
struct Attested {
    connector: Connector,
    target: Arc<str>,
}

impl Attested {
    async fn attest(self) -> anyhow::Result<()> {
        let proof = self.connector.attest(&self.target).await?;
        ensure!(proof.session.platform() == Platform::Tdx, "the session is attested");
        Ok(())
    }

    async fn probe(self) -> anyhow::Result<()> {
        self.connector.probe(&self.target).await?;
        Ok(())
    }
}

/// A trust domain on a machine that was installed once, as real ones are. Its quotes cost two signatures, where hardware
/// needs up to a second.
struct KeptDomain {
    machine: Arc<Quoting>,
    policy: Policy,
    collateral: Arc<Collateral>,
}

impl KeptDomain {
    fn new() -> anyhow::Result<Self> {
        // It lives as long as this program.
        let forge: &'static Forge = Box::leak(Box::new(Forge::new(UnixMillis(UnixMillis::now().0 - 86_400_000))));
        let machine = forge.install(Machine::default());
        let published = IntelCollateral::from_json(&machine.collateral(Platform::Tdx))?;
        let root = IntelRoot::danger_other(forge.root().to_vec());
        Ok(KeptDomain {
            machine: Arc::new(Quoting(machine)),
            policy: TestPlatform::tdx().policy().danger_trust_intel_root(root),
            collateral: Arc::new(Collateral::default().with_intel(published)),
        })
    }

    fn attester(&self) -> Arc<dyn Attester> {
        self.machine.clone()
    }

    fn house(&self) -> House {
        House::new("house", self.policy.clone(), self.collateral.clone())
    }
}

struct Quoting(Installed<'static>);

impl Attester for Quoting {
    fn platform(&self) -> Platform {
        Platform::Tdx
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        let quote = self.0.tdx_quote(&Domain::new(*report_data));
        Ok(Evidence::new(Platform::Tdx, quote).expect("a quote"))
    }
}
