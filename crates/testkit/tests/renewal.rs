//! Certificates are renewed while connections go on.

use std::time::Duration;

use serde_json::json;
use testkit::{Cluster, Protocol, wire};
use tokio::time::{Instant, sleep};
use types::service::Api;

/// The certificate that a port shows to whoever connects now.
async fn certificate(cluster: &Cluster) -> Vec<u8> {
    let stream = wire::connect(cluster.address(Api::TmsExternal), &[]).await.expect("a handshake");
    stream.with(|stream| stream.get_ref().1.peer_certificates().expect("verified")[0].to_vec())
}

/// Certificates of four seconds are renewed after two; a connection from before goes on, and so do the services' own
/// connections to each other.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_while_connections_go_on() {
    let cluster = Cluster::start_with(|config| config.attestation.certificate_seconds = 4).await;
    cluster.add_example_users().await;
    let mut kept = cluster.open(Protocol::Framed, Api::TmsExternal).await;
    let list = json!({ "type": "List", "user_id": "user1", "user_token": "token1" }).to_string();
    assert_eq!(kept.send(&list).await.expect("an answer").json()["type"], "List");

    let (first, end) = (certificate(&cluster).await, Instant::now() + Duration::from_secs(20));
    while certificate(&cluster).await == first {
        assert!(Instant::now() < end, "nobody renews");
        sleep(Duration::from_millis(100)).await;
    }
    // By now every first certificate is over.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(kept.send(&list).await.expect("the connection goes on").json()["type"], "List");
    assert_eq!(cluster.framed(Api::TmsExternal, serde_json::from_str(&list).expect("JSON")).await["type"], "List");
    cluster.stop().await;
}
