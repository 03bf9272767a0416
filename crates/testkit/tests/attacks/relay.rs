//! Relay with a stolen TLS key (CVE-2026-33697; ESORICS 2026): the thief holds a service's certificate and key, ends TLS
//! himself, and passes every byte on to the real service, which attests whatever it is asked to.

use attest::refusal::Refusal;
use rpc::tls::Identity;
use testkit::stand::{ServicePort, Stand, UserPort};
use testkit::{attesting, wire};

use crate::scene::{OTHER_SESSION, Scene, ask, check_refused, refusals, request, serve, server_config, soon};

/// Passes on every byte between whoever connects and the real service, in both directions.
async fn relay(scene: &Scene, stolen: &Identity) -> String {
    let (victim, key) = (scene.stand.address(), Some(scene.caller().certified_key()));
    serve(server_config(stolen), move |mut inside| {
        let key = key.clone();
        async move {
            let mut outside = wire::connect_as(victim, &[], key).await?;
            tokio::io::copy_bidirectional(&mut inside, &mut outside).await.map(|_| ())
        }
    })
    .await
}

/// That layer one believes the thief, and layer two does not: what it says of the session the real service signed for
/// another one.
pub(crate) async fn check_false_server(scene: &Scene) {
    let (connector, thief) = (scene.connector(), relay(scene, &scene.service()).await);
    soon(connector.probe(&thief)).await.expect("layer one sees nothing wrong");
    let before = scene.stand.heard();
    assert_eq!(refusals(&connector, &thief).await, [Refusal::ReportDataDiffers, Refusal::ReportDataDiffers]);
    assert_eq!(scene.stand.heard(), before, "no request leaves the client");
    // The same client, led to the service itself.
    soon(connector.attest(&scene.target())).await.expect("the real service");
}

/// A user's client and a thief who has the user port's key. That the relay works shows with a client that asks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_user_ports_stolen_key_passes_layer_one_and_not_layer_two() {
    let scene = Scene::set::<UserPort>().await;
    let thief = relay(&scene, &scene.service()).await.parse().expect("an address");
    let mut trusting = soon(wire::connect(thief, &[])).await.expect("a handshake");
    assert_eq!(request(&mut trusting).await, "not_found");
    assert_eq!(scene.stand.heard(), 1, "who does not ask is relayed");
    check_false_server(&scene).await;
    scene.stand.stop().await;
}

/// A service that calls another, and a thief who has the keys of both.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_service_ports_stolen_key_passes_layer_one_and_not_layer_two() {
    let scene = Scene::set::<ServicePort>().await;
    check_false_server(&scene).await;
    scene.stand.stop().await;
}

/// The other direction: the thief has a caller's key, and the caller itself, which would attest to anyone. Its evidence
/// is for its connection with the thief, and the service refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_a_callers_stolen_key_is_refused_by_the_service() {
    let scene = Scene::set::<ServicePort>().await;
    // Layer one takes the thief for the caller.
    soon(scene.connector().probe(&scene.target())).await.expect("layer one sees nothing wrong");
    let thief = relay(&scene, &scene.service()).await.parse().expect("an address");
    let key = Some(scene.caller().certified_key());
    let mut gullible = soon(wire::connect_as(thief, &[], key)).await.expect("a handshake");
    let attested = ask(&mut gullible, &attesting::question()).await;
    let evidence = attesting::answer(&gullible, &scene.caller(), &attested).expect("service ports ask back");
    check_refused(&ask(&mut gullible, &evidence).await, OTHER_SESSION);
    assert_eq!(request(&mut gullible).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    scene.stand.stop().await;
}

/// Callers are servers too. The thief has the service's question answered on the caller's own user port.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_answers_on_its_own_port_lets_no_thief_in() {
    let scene = Scene::set::<ServicePort>().await;
    let own_port = Stand::start::<UserPort>(scene.caller(), scene.house.trust()).await;
    let mut thief = scene.connect(&[]).await;
    let asked = ask(&mut thief, &attesting::question()).await;
    let mut oracle = soon(wire::connect(own_port.address(), &[])).await.expect("anyone may connect");
    let question = serde_json::json!({ "type": "Attest", "nonce": asked["nonce"] });
    let evidence = ask(&mut oracle, &question).await["evidence"].clone();
    let presented = serde_json::json!({ "type": "Present", "evidence": evidence });
    check_refused(&ask(&mut thief, &presented).await, OTHER_SESSION);
    assert_eq!(request(&mut thief).await, "unauthenticated");
    assert_eq!(scene.stand.heard(), 0);
    own_port.stop().await;
    scene.stand.stop().await;
}
