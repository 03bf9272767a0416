//! The root key of a kms that runs, in the hands of its operator: through the socket, with replicas that ask meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use kms::root_key::{self, Content, RecoverySecret};
use kms::{OperateError, operate};
use rpc::config::Config;
use serde_json::json;
use teehouse::system::{Mode, System};
use testkit::{Cluster, loopback};
use types::error::{ErrorCode, ErrorReply};
use types::service::{Api, Role};
use types::wire::kms_operator::{AddPeer, Follow, InForce, RemoveSlot, Request, Reseal, Response, Rotate, SetRecovery};

async fn act(data_dir: &Path, request: impl Into<Request>) -> Response {
    operate(data_dir, request.into()).await.expect("it is carried out")
}

async fn refused(data_dir: &Path, request: impl Into<Request>) -> ErrorReply {
    match operate(data_dir, request.into()).await {
        Err(OperateError::Refused(reply)) => reply,
        other => panic!("the running kms refuses, and not {other:?}"),
    }
}

fn generations(data_dir: &Path) -> (u32, u32) {
    let listing = root_key::list(data_dir).expect("a root");
    (listing.generation, listing.store_generation)
}

fn slots(data_dir: &Path) -> Vec<(u32, String)> {
    let listing = root_key::list(data_dir).expect("a root");
    listing.slots.iter().map(|slot| (slot.id, slot.content.describe())).collect()
}

async fn start(config: &Config) -> System {
    System::start(config.clone(), &[Role::Kms], Mode::Dev).await.expect("the kms starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_slots_of_a_running_kms() {
    let mut cluster = Cluster::start().await;
    cluster.add_user("anna", "one").await;
    let dir = cluster.data_dir().to_owned();
    let mode = fs::metadata(dir.join("kms-operator.sock")).expect("a socket").mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else's");
    let before = cluster.put("anna", "one", b"before").await;

    act(&dir, AddPeer { peer: "kms-2:6017".into() }).await;
    let holder = RecoverySecret::generate("alice".parse().expect("a name"));
    act(&dir, SetRecovery { threshold: 1, keys: vec![holder.public().to_text()] }).await;
    act(&dir, Reseal { keep: true }).await;
    let expected = ["platform simulated", "peer kms-2:6017", "recovery, 1 of 1", "platform simulated"];
    assert_eq!(slots(&dir), (0..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
    act(&dir, RemoveSlot { slot: 0, leave_locked: false }).await;
    let locks_out = refused(&dir, RemoveSlot { slot: 3, leave_locked: false }).await;
    assert_eq!(locks_out.code, ErrorCode::PreconditionFailed, "{}", locks_out.message);
    assert_eq!(refused(&dir, RemoveSlot { slot: 9, leave_locked: false }).await.code, ErrorCode::NotFound);
    assert_eq!(act(&dir, Rotate {}).await, Response::Rotate(InForce { generation: 2 }));

    // What ran goes on, and what was there is there after the next start too.
    let after = cluster.put("anna", "one", b"after").await;
    assert_eq!(cluster.get("anna", "one", &before).await, b"before");
    cluster.restart().await;
    assert_eq!(generations(&dir), (2, 1));
    for (id, content) in [(&before, &b"before"[..]), (&after, b"after")] {
        assert_eq!(cluster.get("anna", "one", id).await, content);
    }

    // The same on the file while none runs.
    cluster.halt().await;
    assert_eq!(act(&dir, Rotate {}).await, Response::Rotate(InForce { generation: 3 }));
    cluster.start_again().await;
    assert_eq!(cluster.get("anna", "one", &after).await, b"after");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_asks_after_a_rotation_gets_the_new_seed() {
    let (first, early, late) = (Cluster::start().await, tempfile::tempdir(), tempfile::tempdir());
    let (early, late) = (early.expect("a folder"), late.expect("a folder"));
    let early_kms = start(&first.beside(early.path())).await;
    assert_eq!(generations(early.path()), (1, 1));
    act(first.data_dir(), Rotate {}).await;

    // One that is new.
    let late_kms = start(&first.beside(late.path())).await;
    assert_eq!(generations(late.path()), (2, 1));
    late_kms.stop().await;

    // One that was there goes on with its own until its operator has it follow.
    assert_eq!(generations(early.path()), (1, 1));
    assert_eq!(act(early.path(), Follow {}).await, Response::Follow(InForce { generation: 2 }));
    assert_eq!(refused(early.path(), Follow {}).await.code, ErrorCode::Conflict);
    early_kms.stop().await;

    // Both files hold the same seed now: each unseals what the other's platform forgot.
    let listing = root_key::list(early.path()).expect("a root");
    assert!(listing.slots.iter().any(|slot| matches!(slot.content, Content::Peer { .. })));
    fs::write(early.path().join("sealing/kms.key"), [7; 32]).expect("written");
    let mut config = loopback(early.path());
    config.kms.peers = vec![first.address(Api::Enrolment).to_string()];
    start(&config).await.stop().await;
    assert_eq!(generations(early.path()), (2, 1));
    first.stop().await;
}

/// Somebody who connects to the socket and says nothing keeps neither the kms from stopping nor the next from starting.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_operator_holds_nothing() {
    let mut cluster = Cluster::start().await;
    let dir = cluster.data_dir().to_owned();
    let silent = UnixStream::connect(dir.join("kms-operator.sock")).expect("connected");
    cluster.restart().await;
    assert_eq!(act(&dir, Rotate {}).await, Response::Rotate(InForce { generation: 2 }));
    drop(silent);
    cluster.stop().await;
}

/// What is no request is refused in words that name the field; the kms goes on.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_the_socket_is_refused() {
    let cluster = Cluster::start().await;
    let socket = cluster.data_dir().join("kms-operator.sock");
    let before = fs::read(cluster.data_dir().join("root.json")).expect("a root");
    for (request, named) in [
        (json!({ "type": "Drop" }), "`Rotate` `Follow`"),
        (json!({ "type": "Rotate", "force": true }), "force"),
        (json!({ "type": "RemoveSlot", "slot": 4_294_967_296_u64 }), "slot"),
        (json!({ "type": "SetRecovery", "threshold": 256, "keys": [] }), "threshold"),
        (json!({ "type": "SetRecovery", "threshold": 1, "keys": [] }), "1 to 32 holders"),
        (json!({ "type": "SetRecovery", "threshold": 1, "keys": vec![""; 100_000] }), "key 1"),
        (json!({ "type": "AddPeer", "peer": "x".repeat(1 << 20) }), "1 to 255"),
        (json!([]), "not a JSON object"),
    ] {
        let answer: std::io::Result<Result<Response, ErrorReply>> = rpc::unix::call(&socket, &request).await;
        let refused = answer.expect("an answer").expect_err("no request");
        assert_eq!(refused.code, ErrorCode::InvalidRequest, "{}", refused.message);
        assert!(refused.message.contains(named), "{}", refused.message);
    }
    assert_eq!(fs::read(cluster.data_dir().join("root.json")).expect("a root"), before);
    act(cluster.data_dir(), Rotate {}).await;
    cluster.stop().await;
}
