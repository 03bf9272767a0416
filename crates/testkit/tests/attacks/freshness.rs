//! Sessions that were attested too long ago: what a platform runs may change under a connection that is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use attest::attester::{AttestError, Attester};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use rpc::Client;
use rpc::tls::{Connector, Credentials};
use testkit::platform::TestPlatform;
use testkit::stand::{REQUEST, ServicePort, Stand};
use testkit::{Protocol, attesting};
use tokio::net::{TcpListener, TcpStream};
use types::time::UnixMillis;
use types::wire::kms::GetKey;

use crate::scene::{Scene, code, reason, request, soon};

/// How old evidence may become here: long for a request, short for a test.
const AGE: Duration = Duration::from_secs(1);

/// A machine whose operator can put other code on it, and that counts how often it is asked.
struct Watched {
    audited: Arc<dyn Attester>,
    altered: Arc<dyn Attester>,
    is_altered: AtomicBool,
    asked: AtomicUsize,
}

impl Watched {
    fn new(platform: &TestPlatform) -> Arc<Self> {
        let (audited, altered) = (platform.audited.clone(), platform.altered.clone());
        Arc::new(Watched { audited, altered, is_altered: AtomicBool::new(false), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Attester for Watched {
    fn platform(&self) -> Platform {
        self.audited.platform()
    }

    fn attest(&self, report_data: &ReportData, now: UnixMillis) -> Result<Evidence, AttestError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let runs = if self.is_altered.load(Ordering::SeqCst) { &self.altered } else { &self.audited };
        runs.attest(report_data, now)
    }
}

/// Passes bytes on; returns where, and how many connections came.
async fn counting_proxy(target: String) -> (String, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, count) = (socket.local_addr().expect("bound").to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = socket.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let target = target.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, count)
}

/// A service under watch, and a pool of connections to it whose evidence gets old after [`AGE`].
async fn kept() -> (Scene, Stand, [Arc<Watched>; 2], Client<ServicePort>, Arc<AtomicUsize>) {
    let scene = Scene::set::<ServicePort>().await;
    let [service, caller] = [(); 2].map(|()| Watched::new(&scene.platform));
    let as_dyn = |watched: &Arc<Watched>| -> Arc<dyn Attester> { watched.clone() };
    let stand = Stand::start::<ServicePort>(scene.service.with(&as_dyn(&service)), scene.house.trust()).await;
    let (target, connections) = counting_proxy(stand.address().to_string()).await;
    let own = Credentials::new(scene.caller.with(&as_dyn(&caller)));
    let trust = Arc::new(scene.house.trust().with_evidence_age(AGE));
    let client = Client::remote(Connector::new(scene.api, Some(own), trust), target);
    (scene, stand, [service, caller], client, connections)
}

async fn call(client: &Client<ServicePort>) -> Result<bool, rpc::CallError> {
    let get = GetKey { key_id: types::id::KeyId::from_random([7; 16]) };
    match soon(client.call(get)).await {
        Err(error) if error.is_not_found() => Ok(true),
        other => other.map(|_| false),
    }
}

/// Many requests on a kept connection cost one attestation of either side; the next one after its age costs a second,
/// on the same connection.
#[tokio::test(flavor = "multi_thread")]
async fn kept_connections_are_attested_once_and_again_when_their_evidence_is_old() {
    let (scene, stand, [service, caller], client, connections) = kept().await;
    let counts = || (service.asked(), caller.asked(), connections.load(Ordering::SeqCst));
    for _ in 0..5 {
        assert!(call(&client).await.expect("an answer"));
    }
    assert_eq!(counts(), (1, 1, 1));
    for attestations in 2..4 {
        tokio::time::sleep(AGE + AGE / 10).await;
        assert!(call(&client).await.expect("an answer"));
        assert_eq!(counts(), (attestations, attestations, 1));
    }
    assert_eq!(stand.heard(), 7);
    stand.stop().await;
    scene.stand.stop().await;
}

/// The operator puts other code under a connection that is kept: the client finds out when the evidence is old, and
/// sends nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_under_a_kept_connection_is_found_out() {
    let (scene, stand, [service, _], client, _) = kept().await;
    assert!(call(&client).await.expect("an answer"));
    service.is_altered.store(true, Ordering::SeqCst);
    tokio::time::sleep(AGE + AGE / 10).await;
    let error = call(&client).await.expect_err("other code");
    let rpc::CallError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
    assert!(reason(source).to_string().contains("no reference value"), "{source}");
    assert_eq!(stand.heard(), 1);
    stand.stop().await;
    scene.stand.stop().await;
}

/// The same with a caller: the service refuses it anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_changes_under_a_kept_connection_is_found_out() {
    let (scene, stand, [_, caller], client, _) = kept().await;
    assert!(call(&client).await.expect("an answer"));
    caller.is_altered.store(true, Ordering::SeqCst);
    tokio::time::sleep(AGE + AGE / 10).await;
    call(&client).await.expect_err("other code");
    assert_eq!(stand.heard(), 1);
    stand.stop().await;
    scene.stand.stop().await;
}

/// A caller that never attests again is refused after twice the age, whatever it does in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_attested_too_long_ago_is_closed_to_requests() {
    let young = |trust: rpc::deployment::Trust| trust.with_evidence_age(AGE);
    let scene = Scene::with::<ServicePort>(TestPlatform::simulated(), young).await;
    let mut stream = scene.attested().await;
    assert_eq!(request(&mut stream).await, "not_found");
    tokio::time::sleep(AGE * 2 + AGE / 5).await;
    assert_eq!(request(&mut stream).await, "unauthenticated");

    // Over HTTP the connection goes on, and can be attested anew.
    let request = std::str::from_utf8(REQUEST).expect("JSON");
    let (mut channel, stream) = scene.open(Protocol::Http1).await;
    for _ in 0..2 {
        soon(channel.attest(&stream, &scene.caller())).await.expect("layer two accepts");
        assert_eq!(code(&soon(channel.send(request)).await.expect("an answer").json()), "not_found");
        tokio::time::sleep(AGE * 2 + AGE / 5).await;
        let answer = soon(channel.send(request)).await.expect("an answer").json();
        assert!(answer["message"].as_str().expect("text").contains("anew"), "{answer}");
    }
    assert_eq!(scene.stand.heard(), 3);
    scene.stand.stop().await;
}

/// A caller that attests again in time may go on for as long as it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_attested_again_in_time_goes_on() {
    let young = |trust: rpc::deployment::Trust| trust.with_evidence_age(AGE);
    let scene = Scene::with::<ServicePort>(TestPlatform::simulated(), young).await;
    let mut stream = scene.attested().await;
    for _ in 0..2 {
        tokio::time::sleep(AGE + AGE / 5).await;
        soon(attesting::attest(&mut stream, &scene.caller())).await.expect("accepted again");
        assert_eq!(request(&mut stream).await, "not_found");
    }
    scene.stand.stop().await;
}

/// A thief keeps a connection open, attests it again and again, and asks on after the certificate's time is over: the
/// service answers no more, whatever evidence is presented.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_does_not_outlive_the_callers_certificate() {
    let scene = Scene::set::<ServicePort>().await;
    let until = UnixMillis::now().plus(AGE * 2);
    let papers = scene.house.papers_until(types::service::Role::Fns, &*scene.platform.audited, until);
    let caller = papers.with(&scene.platform.audited);
    let connect = async || {
        let key = Some(caller.certified_key());
        let mut stream = soon(testkit::wire::connect_as(scene.stand.address(), &[], key)).await.expect("in date");
        soon(attesting::attest(&mut stream, &caller)).await.expect("layer two accepts");
        assert_eq!(request(&mut stream).await, "not_found");
        stream
    };
    let (mut asks, mut attests) = (connect().await, connect().await);
    tokio::time::sleep(AGE * 2 + AGE / 5).await;
    assert_eq!(request(&mut asks).await, "unauthenticated");
    let error = soon(attesting::attest(&mut attests, &caller)).await.expect_err("over");
    assert!(error.to_string().contains("the certificate expired"), "{error}");
    assert_eq!(scene.stand.heard(), 2);
    scene.stand.stop().await;
}

/// The same of a service: a client of ours sends nothing more on a connection whose certificate's time is over, and
/// connects anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_keeps_no_connection_beyond_the_services_certificate() {
    let scene = Scene::set::<ServicePort>().await;
    let until = UnixMillis::now().plus(AGE * 3);
    let papers = scene.house.papers_until(types::service::Role::Kms, &*scene.platform.audited, until);
    let stand = Stand::start::<ServicePort>(papers.with(&scene.platform.audited), scene.house.trust()).await;
    let (target, connections) = counting_proxy(stand.address().to_string()).await;
    let own = Credentials::new(scene.caller());
    let client = Client::remote(Connector::new(scene.api, Some(own), Arc::new(scene.house.trust())), target);
    for _ in 0..2 {
        assert!(call(&client).await.expect("an answer"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    tokio::time::sleep(AGE * 3 + AGE / 5).await;
    let error = call(&client).await.expect_err("its certificate is over");
    let rpc::CallError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
    // Dates in certificates are to the second: in the first one, webpki and the appraisal see it differently.
    assert!(format!("{source:?}").contains("xpired"), "{source:?}");
    assert_eq!((connections.load(Ordering::SeqCst), stand.heard()), (2, 2));
    stand.stop().await;
    scene.stand.stop().await;
}
