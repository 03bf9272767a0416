//! Two kms's of one deployment: the second takes the root over from the first, and gets it again when its platform has
//! forgotten.

use std::fs;

use rpc::config::Config;
use teehouse::system::{Mode, System};
use testkit::Cluster;
use types::service::{Api, Role};

async fn start(config: &Config) -> anyhow::Result<System> {
    System::start(config.clone(), &[Role::Kms], Mode::Dev).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_the_root_over_and_recovers_it() {
    let (first, dir) = (Cluster::start().await, tempfile::tempdir().expect("a folder"));
    let config = first.beside(dir.path());
    start(&config).await.expect("its peer gives it the root").stop().await;
    let slots = fs::read_to_string(dir.path().join("root.json")).expect("a root");
    assert!(slots.contains(&config.kms.peers[0]), "the peer has a slot");

    // The platform forgets: another key is as good as none.
    fs::write(dir.path().join("sealing/kms.key"), [7; 32]).expect("written");
    start(&config).await.expect("its peer gives it the root again").stop().await;
    first.stop().await;
    start(&config).await.expect("the platform has a slot again, and needs nobody").stop().await;

    fs::write(dir.path().join("sealing/kms.key"), [8; 32]).expect("written");
    let error = format!("{:#}", start(&config).await.err().expect("nobody is left who has the root"));
    assert!(
        error.contains("serves nothing") && error.contains("platform simulated") && error.contains("peer"),
        "{error}"
    );
}

/// Whoever is no kms gets no root, however well it attests itself.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_service_is_given_the_root() {
    let cluster = Cluster::start().await;
    for role in [Role::Tdfs, Role::Tms, Role::Fns] {
        let identity = cluster.identity(role);
        let opened = testkit::channel::Channel::open(
            testkit::Protocol::Framed,
            cluster.address(Api::Enrolment),
            Some(&identity),
        );
        let mut channel = opened.await.expect("it is one of the deployment's");
        let answer = channel.send(r#"{"type":"Replicate"}"#).await.expect("an answer").json();
        assert_eq!(answer["code"], "permission_denied", "{role}: {answer}");
    }
    cluster.stop().await;
}
