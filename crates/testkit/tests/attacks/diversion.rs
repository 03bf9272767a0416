//! Diversion (Sardar et al., AsiaCCS 2026): the victim's connection is led to another platform that runs the very same
//! code, attests honestly, and is not the one that was asked for. In these deployments the same code is audited for
//! every role, so that evidence alone could not tell services apart. What a sibling with stolen papers attests is in
//! `binding`.

use std::sync::Arc;

use attest::refusal::Refusal;
use rpc::tls::{Connector, Credentials};
use testkit::platform::TestPlatform;
use testkit::stand::{NewcomersPort, Port, ServicePort, Stand, UserPort};
use types::service::{Api, Role};

use crate::scene::{Scene, reason, refusals, soon};

/// A client that is led to a sibling: another service of the same deployment.
async fn check_another_role<P: Port>() {
    let scene = Scene::set::<P>().await;
    let identity = scene.house.identity(Role::Tms, &scene.platform.audited);
    let sibling = Stand::start::<P>(identity, scene.house.trust()).await;
    let refused = refusals(&scene.connector(), &sibling.address().to_string()).await;
    assert_eq!(refused, [Refusal::OtherRole(Role::Tms), Refusal::OtherRole(Role::Tms)]);
    assert_eq!(sibling.heard(), 0);
    sibling.stop().await;
    scene.stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_led_to_the_same_code_in_another_role_notices() {
    check_another_role::<UserPort>().await;
    check_another_role::<ServicePort>().await;
}

/// A caller with the right code, in a role that the caller table does not name.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_called_by_the_same_code_in_another_role_notices() {
    let scene = Scene::set::<ServicePort>().await;
    for role in [Role::Tms, Role::Kms] {
        let caller = scene.house.identity(role, &scene.platform.audited);
        soon(scene.connector_as(caller).probe(&scene.target())).await.expect_err("refused in the handshake");
    }
    soon(scene.connector().probe(&scene.target())).await.expect("the table names it");
    scene.stand.stop().await;
}

/// The same code in the same role, on a machine of the same maker, in another deployment: neither side talks.
#[tokio::test(flavor = "multi_thread")]
async fn services_of_a_sibling_deployment_are_refused_on_either_side() {
    let scene = Scene::set::<ServicePort>().await;
    let mill = scene.platform.house("mill");
    let identity = mill.identity(Role::Kms, &scene.platform.audited);
    let sibling = Stand::start::<ServicePort>(identity, mill.trust()).await;
    let target = sibling.address().to_string();
    let error = soon(scene.connector().probe(&target)).await.expect_err("another CA").to_string();
    assert!(error.contains("the peer's certificate is refused"), "{error}");
    // A client that believes the sibling anyway is not believed by it.
    let caller = Credentials::new(scene.caller());
    let misled = Connector::new(Api::Kms, Some(caller), Arc::new(mill.trust()));
    soon(misled.probe(&target)).await.expect_err("refused in the handshake");
    assert_eq!(sibling.heard(), 0);
    sibling.stop().await;
    scene.stand.stop().await;
}

/// A service that enrols knows no CA yet: the deployment's name alone keeps it from a sibling's kms, which would give it
/// a certificate and a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_led_to_a_sibling_deployments_kms_notices() {
    let platform = TestPlatform::simulated();
    let (house, mill) = (platform.house("house"), platform.house("mill"));
    let sibling = Stand::start::<NewcomersPort>(mill.identity(Role::Kms, &platform.audited), mill.trust()).await;
    let newcomer = Credentials::new(house.identity(Role::Fns, &platform.audited));
    let connector = Connector::new(Api::Enrolment, Some(newcomer), Arc::new(house.newcomers_trust()));
    let error = soon(connector.probe(&sibling.address().to_string())).await.expect_err("not its kms");
    assert_eq!(reason(&error), Refusal::OtherDeployment("mill".parse().expect("a name")));
    assert_eq!(sibling.heard(), 0);
    sibling.stop().await;
}
