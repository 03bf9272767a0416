//! Evidence for something else: each part that a session's evidence is bound to, changed alone. Whoever sends it has the
//! right papers, the right code and this very connection, so that it is each single part that says no.

use std::sync::Arc;

use attest::attester::Attester;
use attest::refusal::Refusal;
use rpc::tls::Identity;
use serde_json::{Value, json};
use testkit::attesting::{self, Bound};
use testkit::stand::{REQUEST, ServicePort, UserPort};
use types::service::Role;

use crate::scene::{self, FalseServer, OTHER_SESSION, Scene, ask, check_refused, refusals, request, soon};

/// What is changed.
type Change = for<'a> fn(&mut Bound<'a>);

/// The exports and keys of somebody else.
const OTHERS: [u8; 32] = [9; 32];

const CHANGES: [(&str, Change); 5] = [
    ("evidence for another connection", |bound| bound.exported = &OTHERS),
    ("evidence for another key", |bound| bound.public_key = &OTHERS),
    ("evidence as another role", |bound| bound.role = Role::Tms.as_str()),
    ("evidence as a service of another deployment", |bound| bound.deployment = "mill"),
    ("evidence for the other direction", |bound| {
        bound.side = if bound.side == "server" { "client" } else { "server" };
    }),
];

fn honest(_: &mut Bound<'_>) {}

/// A server whose evidence for its sessions is changed like this.
async fn changed_server(papers: Identity, change: Change) -> FalseServer {
    let papers = Arc::new(papers);
    FalseServer::start(&papers.clone(), move |stream, question| {
        let papers = papers.clone();
        async move {
            let exported = scene::exported(&stream, "server", papers.role, &attesting::nonce(&question));
            let mut bound = Bound::to("server", &papers, &exported);
            change(&mut bound);
            attested(&papers, &bound.evidence(&**papers.attester()))
        }
    })
    .await
}

fn attested(papers: &Identity, evidence: &str) -> Value {
    json!({
        "type": "Attest", "role": papers.role, "deployment": papers.deployment.as_str(), "evidence": evidence,
    })
}

/// Users and services alike refuse the answer, and send nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn clients_refuse_evidence_that_is_for_anything_but_this_session() {
    for scene in [Scene::set::<UserPort>().await, Scene::set::<ServicePort>().await] {
        let connector = scene.connector();
        for (attack, change) in CHANGES {
            let server = changed_server(scene.service(), change).await;
            let error = soon(rpc::raw::call_framed(&connector, &server.address, REQUEST)).await.expect_err(attack);
            assert_eq!(scene::reason(&error), Refusal::ReportDataDiffers, "{attack}");
            assert_eq!(server.count(), 1, "{attack}: the question is all that the server hears");
        }
        // The forger's work is otherwise good.
        let server = changed_server(scene.service(), honest).await;
        soon(connector.attest(&server.address)).await.expect("nothing is changed");
        scene.stand.stop().await;
    }
}

/// Presents evidence that is changed like this; the answer, and the connection.
async fn present(scene: &Scene, change: Change) -> (Value, testkit::wire::Stream) {
    let (caller, mut stream) = (scene.caller(), scene.connect(&[]).await);
    let nonce = attesting::nonce(&ask(&mut stream, &attesting::question()).await);
    let exported =
        stream.with(|stream| attesting::exported(stream.get_ref().1, "client", caller.role.as_str(), &nonce));
    let mut bound = Bound::to("client", &caller, &exported);
    change(&mut bound);
    let evidence = bound.evidence(&**caller.attester());
    (ask(&mut stream, &json!({ "type": "Present", "evidence": evidence })).await, stream)
}

/// Services refuse it, and let no request in after it.
#[tokio::test(flavor = "multi_thread")]
async fn services_refuse_evidence_that_is_for_anything_but_this_session() {
    let scene = Scene::set::<ServicePort>().await;
    for (attack, change) in CHANGES {
        let (answer, mut stream) = present(&scene, change).await;
        check_refused(&answer, OTHER_SESSION);
        assert_eq!(request(&mut stream).await, "unauthenticated", "{attack}");
    }
    assert_eq!(scene.stand.heard(), 0);
    let (answer, mut stream) = present(&scene, honest).await;
    assert_eq!((&answer["type"], &*request(&mut stream).await), (&json!("Present"), "not_found"));
    scene.stand.stop().await;
}

/// A thief who has the papers and a platform of his own, with other code on it: accepted code, or any.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_other_code_than_the_certificates_are_refused_on_either_side() {
    let scene = Scene::set::<ServicePort>().await;
    let [_, altered] = scene.platform.measurements.clone();
    let (thiefs, lenient) = (scene.platform.altered.clone(), scene.platform.lenient_house("lenient"));
    let unknown = |role| Refusal::MeasurementUnknown { role, measurement: Box::new(altered.clone()) };

    // The client's side, where the code is accepted nowhere, and where it is accepted but is not the certificate's.
    let server = changed_server(scene.service.with(&thiefs), honest).await;
    assert_eq!(refusals_over_frames(&scene.connector(), &server.address).await, unknown(Role::Kms));
    let papers = lenient.papers(Role::Kms, &*scene.platform.audited).with(&thiefs);
    let caller = rpc::tls::Credentials::new(lenient.identity(Role::Fns, &scene.platform.audited));
    let connector = rpc::tls::Connector::new(scene.api, Some(caller), Arc::new(lenient.trust()));
    let server = changed_server(papers, honest).await;
    let other = Refusal::OtherMeasurement(Box::new(altered.clone()));
    assert_eq!(refusals_over_frames(&connector, &server.address).await, other);

    // The service's side.
    let error = refused_by_service(&scene, &thiefs).await;
    assert!(error.contains(&unknown(Role::Fns).to_string()), "{error}");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

async fn refusals_over_frames(connector: &rpc::tls::Connector, target: &str) -> Refusal {
    let error = soon(rpc::raw::call_framed(connector, target, REQUEST)).await.expect_err("refused");
    scene::reason(&error)
}

/// The words with which the service refuses a caller whose sessions another platform attests.
async fn refused_by_service(scene: &Scene, attester: &Arc<dyn Attester>) -> String {
    let connector = scene.connector_as(scene.caller.with(attester));
    soon(connector.attest(&scene.target())).await.expect_err("refused").to_string()
}

/// A debugger that was attached after the certificate was made: the operator of either side looks on.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_under_a_debugger_are_refused_on_either_side() {
    let scene = Scene::set::<ServicePort>().await;
    let debugged = scene.platform.debugged.clone().expect("the simulated platform has a debug mode");
    let server = testkit::stand::Stand::start::<ServicePort>(scene.service.with(&debugged), scene.house.trust()).await;
    let refused = refusals(&scene.connector(), &server.address().to_string()).await;
    assert_eq!(refused, [Refusal::Debug, Refusal::Debug]);
    let error = refused_by_service(&scene, &debugged).await;
    assert!(error.contains("debug mode"), "{error}");
    assert_eq!((scene.stand.heard(), server.heard()), (0, 0));
    server.stop().await;
    scene.stand.stop().await;
}
