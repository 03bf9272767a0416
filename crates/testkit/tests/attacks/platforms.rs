//! Whole handshakes, both layers and both sides, on every platform that real hardware stands behind elsewhere.

use std::sync::Arc;

use attest::attester::Attester;
use attest::platform::Platform;
use attest::refusal::Refusal;
use rpc::tls::{Connector, Credentials};
use testkit::house::House;
use testkit::platform::TestPlatform;
use testkit::stand::{REQUEST, ServicePort, Stand, UserPort};
use types::service::{Api, Role};

use crate::relay::check_false_server;
use crate::scene::{Scene, reason, refusals, soon};

/// A connector of a caller that this machine certified and this one attests.
fn connector(house: &House, certified: &dyn Attester, attesting: &Arc<dyn Attester>) -> Connector {
    let caller = house.papers(Role::Fns, certified).with(attesting);
    Connector::new(Api::Kms, Some(Credentials::new(caller)), Arc::new(house.trust()))
}

/// Under the makers that vouch for these machines.
#[tokio::test(flavor = "multi_thread")]
async fn every_platform_is_accepted_on_both_layers_and_both_sides() {
    for scene in TestPlatform::forged() {
        let scene = Scene::on::<ServicePort>(scene).await;
        let (connector, platform) = (scene.connector(), scene.platform.platform);
        let proof = soon(connector.attest(&scene.target())).await.expect("both layers hold");
        assert_eq!((proof.certificate.claims.platform(), proof.session.platform()), (platform, platform));
        assert_eq!(proof.session.measurement, scene.platform.measurements[0]);
        soon(rpc::raw::call_framed(&connector, &scene.target(), REQUEST)).await.expect("an answer");
        soon(rpc::raw::call_http(&connector, &scene.target(), REQUEST)).await.expect("an answer");
        assert_eq!(scene.stand.heard(), 2);

        let user_port = Stand::start::<UserPort>(user_ports_identity(&scene), scene.house.trust()).await;
        let users = Connector::new(Api::TdfsExternal, None, Arc::new(scene.house.trust()));
        let proof = soon(users.attest(&user_port.address().to_string())).await.expect("both layers hold");
        assert_eq!(proof.session.platform(), platform);
        user_port.stop().await;
        scene.stand.stop().await;
    }
}

fn user_ports_identity(scene: &Scene) -> rpc::tls::Identity {
    scene.house.identity(Role::Tdfs, &scene.platform.audited)
}

/// Whoever believes the makers alone believes none of the forge's machines, as a client and as a service.
#[tokio::test(flavor = "multi_thread")]
async fn every_forged_platform_is_refused_under_its_makers_root() {
    for platform in TestPlatform::forged() {
        let scene = Scene::on::<ServicePort>(platform).await;
        let (policy, platform) = (scene.platform.makers_policy(), scene.platform.platform);
        let strict = Arc::new(scene.house.trust_by(policy.clone()));
        let client = Connector::new(Api::Kms, Some(Credentials::new(scene.caller())), strict);
        let error = soon(client.probe(&scene.target())).await.expect_err("a forged machine");
        let refused = reason(&error);
        let expected = match platform {
            Platform::Tpm => matches!(refused, Refusal::TpmKeyUnknown(_)),
            _ => refused == Refusal::OtherRoot(platform),
        };
        assert!(expected, "{platform}: {refused}");

        let service = Stand::start::<ServicePort>(scene.service(), scene.house.trust_by(policy)).await;
        check_refused_by(&service, &scene.connector()).await;
        service.stop().await;
        scene.stand.stop().await;
    }
}

/// That a service ends the handshake of this caller.
async fn check_refused_by(service: &Stand, caller: &Connector) {
    let error = soon(caller.probe(&service.address().to_string())).await.expect_err("refused in the handshake");
    assert!(error.to_string().contains("alert"), "{error}");
    assert_eq!(service.heard(), 0);
}

/// What is wrong with a machine, and how that shows.
async fn check_wrong(scene: &Scene, wrong: &Arc<dyn Attester>, is_it: impl Fn(&Refusal) -> bool) {
    let (house, audited) = (&scene.house, &scene.platform.audited);
    // A service on it, from the start, and only after its certificate was made.
    for (certified, layer) in [(wrong, 1), (audited, 2)] {
        let identity = house.papers(Role::Kms, &**certified).with(wrong);
        let server = Stand::start::<ServicePort>(identity, house.trust()).await;
        let target = server.address().to_string();
        let probed = soon(scene.connector().probe(&target)).await;
        assert_eq!(probed.is_ok(), layer == 2, "{}", scene.platform.platform);
        for refused in refusals(&scene.connector(), &target).await {
            assert!(is_it(&refused), "{} {layer}: {refused}", scene.platform.platform);
        }
        assert_eq!(server.heard(), 0);
        server.stop().await;
    }
    // A caller on it.
    check_refused_by(&scene.stand, &connector(house, &**wrong, wrong)).await;
    let late = connector(house, &**audited, wrong);
    soon(late.probe(&scene.target())).await.expect("layer one sees nothing wrong");
    let error = soon(late.attest(&scene.target())).await.expect_err("refused").to_string();
    assert!(error.contains("the session's evidence is refused"), "{error}");
    assert_eq!(scene.stand.heard(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_code_on_any_platform_is_refused_on_both_layers_and_either_side() {
    for platform in TestPlatform::forged() {
        let scene = Scene::on::<ServicePort>(platform).await;
        let altered = scene.platform.altered.clone();
        check_wrong(&scene, &altered, |refused| matches!(refused, Refusal::MeasurementUnknown { .. })).await;
        scene.stand.stop().await;
    }
}

/// TPMs know no debuggers.
#[tokio::test(flavor = "multi_thread")]
async fn a_debugger_on_any_platform_is_refused_on_both_layers_and_either_side() {
    for platform in TestPlatform::forged() {
        let Some(debugged) = platform.debugged.clone() else { continue };
        let scene = Scene::on::<ServicePort>(platform).await;
        check_wrong(&scene, &debugged, |refused| *refused == Refusal::Debug).await;
        scene.stand.stop().await;
    }
}

/// The stolen key is worth as little on every platform.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_refused_on_every_platform() {
    for platform in TestPlatform::forged() {
        let scene = Scene::on::<ServicePort>(platform).await;
        check_false_server(&scene).await;
        scene.stand.stop().await;
    }
}
