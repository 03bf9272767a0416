//! Reflection: somebody's own question put to themselves, somebody's own evidence sent back.

use std::sync::Arc;

use attest::refusal::Refusal;
use serde_json::json;
use testkit::stand::{REQUEST, ServicePort, Stand, UserPort};
use testkit::{attesting, wire};
use types::service::Role;

use crate::scene::{self, FalseServer, OTHER_SESSION, Scene, ask, check_refused, request, soon};

/// The client is a service with a port of its own. The thief puts the client's question to that port, and sends back
/// what the client itself said: the right code, fresh, for the right nonce.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_question_is_answered_by_itself_notices() {
    let scene = Scene::set::<ServicePort>().await;
    let own_port = Stand::start::<UserPort>(scene.caller(), scene.house.trust()).await;
    let own = own_port.address();
    let thief = FalseServer::start(&scene.service(), move |_, question| async move {
        let mut client_itself = wire::connect(own, &[]).await.expect("anyone may connect");
        let mut answer = ask(&mut client_itself, &question).await;
        answer["role"] = json!("kms");
        answer
    })
    .await;
    let error = soon(rpc::raw::call_framed(&scene.connector(), &thief.address, REQUEST)).await.expect_err("refused");
    assert_eq!(scene::reason(&error), Refusal::ReportDataDiffers);
    assert_eq!(thief.count(), 1, "nothing follows the question");
    own_port.stop().await;
    scene.stand.stop().await;
}

/// The thief has a service's answer to his own question and presents it back to the service as his evidence.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_gets_its_own_evidence_back_notices() {
    let scene = Scene::set::<ServicePort>().await;
    let mut thief = scene.connect(&[]).await;
    let attested = ask(&mut thief, &attesting::question()).await;
    // Once more, so that the service answers the very nonce that it asks.
    let mirrored = json!({ "type": "Attest", "nonce": attested["nonce"] });
    for answer in [attested, ask(&mut thief, &mirrored).await] {
        ask(&mut thief, &attesting::question()).await;
        let presented = json!({ "type": "Present", "evidence": answer["evidence"] });
        check_refused(&ask(&mut thief, &presented).await, OTHER_SESSION);
    }
    assert_eq!(request(&mut thief).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// The hardest case: one service has one key and one platform on both ends of the thief's connection, as a replica that
/// calls its like would. Only the direction differs, in the exporter's label and in what is signed.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_service_on_both_ends_signs_differently_in_each_direction() {
    let scene = Scene::set::<ServicePort>().await;
    let caller = Arc::new(scene.caller());
    for (label, domain) in [("server", "server"), ("server", "client"), ("client", "server")] {
        let mut thief = scene.connect(&[]).await;
        let nonce = attesting::nonce(&ask(&mut thief, &attesting::question()).await);
        let exported = thief.with(|stream| attesting::exported(stream.get_ref().1, label, Role::Fns.as_str(), &nonce));
        let evidence = attesting::Bound::to(domain, &caller, &exported).evidence(&**caller.attester());
        check_refused(&ask(&mut thief, &json!({ "type": "Present", "evidence": evidence })).await, OTHER_SESSION);
    }
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}
