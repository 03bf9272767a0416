//! Attacks on the log, each a story: the store is put back, an entry is cut out, the log is forked.
//!
//! Whoever tampers here has the store's key, as nobody outside the tms has: what a client notices even then, it notices
//! of anybody.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use client::{LogError, Teehouse, Transfers};
use consent::log::reader::Suspicion;
use crypto::hash::{hex, parse_hex};
use rpc::protocol::TmsInternal;
use serde_json::json;
use store::{Options, Records as _, Store, StoreError, Table};
use tempfile::TempDir;
use testkit::Cluster;
use types::digest::Digest;
use types::error::ErrorCode;
use types::id::TaskId;
use types::log::Event;
use types::service::{Api, Role};
use types::wire::tms_internal::{RecordEvent, Response};

/// The tms's tables, as `tms::log` declares them.
const ENTRIES: Table<u64, String> = Table::new("log entries");
const READERS: Table<(String, u64), Option<TaskId>> = Table::new("log readers");
const CHAINS: Table<String, Digest> = Table::new("log chains");

struct Scene {
    cluster: Cluster,
    /// What clients remember.
    state: TempDir,
}

impl Scene {
    /// A user who was added and created two tasks: these are the log.
    async fn set() -> Self {
        let cluster = Cluster::start().await;
        cluster.add_user("alice", "t").await;
        let scene = Scene { cluster, state: tempfile::tempdir().expect("a folder") };
        while scene.read().await.expect("one history").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        scene.create(2).await;
        scene
    }

    async fn create(&self, tasks: usize) {
        for _ in 0..tasks {
            self.cluster.party("alice", "t").create("echo", &[], &[]).await;
        }
    }

    /// Alice's client, another process each time.
    fn alice(&self) -> Teehouse {
        let transfers = Transfers { state: Some(self.state.path().to_owned()), ..Transfers::default() };
        self.cluster.client_with("alice", "t", transfers)
    }

    async fn read(&self) -> Result<Vec<u64>, LogError> {
        let entries = self.alice().log_reader(None).rest().await?;
        Ok(entries.iter().map(|entry| entry.index).collect())
    }

    async fn suspicion(&self) -> Suspicion {
        match self.read().await {
            Err(LogError::History(suspicion)) => suspicion,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn path(&self) -> PathBuf {
        self.cluster.data_dir().join("tms.redb")
    }

    /// Changes the store while nobody serves.
    async fn tamper(
        &mut self,
        change: impl Fn(&mut store::Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
    ) {
        self.cluster.halt().await;
        let key = self.cluster.deployment().sealing_key(Role::Tms).expect("the key");
        let store = Store::open(&self.path(), &key, Options::default()).expect("the store");
        store.write(change).await.expect("tampered with");
        store.close().await;
        self.cluster.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_is_refused() {
    let mut scene = Scene::set().await;
    scene.cluster.halt().await;
    let older = fs::read(scene.path()).expect("the store");
    scene.cluster.start_again().await;
    scene.create(2).await;
    assert_eq!(scene.read().await.expect("one history"), [0, 1, 2, 3, 4]);

    scene.cluster.halt().await;
    fs::write(scene.path(), older).expect("put back");
    scene.cluster.start_again().await;
    assert!(matches!(scene.suspicion().await, Suspicion::Smaller { remembered: 5, shown: 3 }));

    // The log grows past what is remembered, but it is another one.
    scene.create(2).await;
    assert!(matches!(scene.suspicion().await, Suspicion::Forked(5)));
    scene.create(1).await;
    assert!(matches!(scene.suspicion().await, Suspicion::NotExtended { remembered: 5 }));
    let checkpoint = scene.alice().log_checkpoint().await;
    assert!(matches!(checkpoint, Err(LogError::History(Suspicion::NotExtended { remembered: 5 }))));
    scene.cluster.stop().await;
}

/// An entry that is hidden from its readers is given away by the next one; one that is gone is missed by the tms.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_cut_out_is_missed() {
    let mut scene = Scene::set().await;
    assert_eq!(scene.read().await.expect("one history"), [0, 1, 2]);
    scene.tamper(|tx| tx.remove(&READERS, ("alice", 1)).map(|_| ())).await;
    assert!(matches!(scene.suspicion().await, Suspicion::Chain { index: 2, .. }));
    scene.tamper(|tx| tx.remove(&ENTRIES, 1).map(|_| ())).await;
    match scene.read().await {
        Err(LogError::Request(error)) => assert!(error.to_string().contains("do not fit its root"), "{error}"),
        other => panic!("not refused: {other:?}"),
    }
    scene.cluster.stop().await;
}

/// The last entry has none after it that would name it; but who saw it remembers it.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_entry_that_was_seen_and_cut_out_is_missed() {
    let mut scene = Scene::set().await;
    assert_eq!(scene.read().await.expect("one history"), [0, 1, 2]);
    scene
        .tamper(|tx| {
            let before = tx.get(&ENTRIES, 1)?.expect("an entry");
            tx.insert(&CHAINS, "alice", &consent::log::chain::link(before.as_bytes()))?;
            tx.remove(&READERS, ("alice", 2)).map(|_| ())
        })
        .await;
    assert!(matches!(scene.suspicion().await, Suspicion::Gone(2)));
    scene.create(1).await;
    assert!(matches!(scene.suspicion().await, Suspicion::Gone(2)));
    scene.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_rewritten_is_not_given_out() {
    let mut scene = Scene::set().await;
    scene
        .tamper(|tx| {
            let entry = tx.get(&ENTRIES, 1)?.expect("an entry").replace("echo", "psi");
            tx.insert(&ENTRIES, 1, &entry)
        })
        .await;
    assert!(matches!(scene.read().await, Err(LogError::Request(_))));
    scene.cluster.stop().await;
}

/// What a forger would send, in the place of the tms's answers.
#[tokio::test(flavor = "multi_thread")]
async fn every_changed_byte_of_an_answer_is_refused() {
    let scene = Scene::set().await;
    let alice = scene.cluster.party("alice", "t");
    let answer = alice.ask(Api::TmsExternal, json!({"type": "ListLog", "from": 1})).await;
    let head: types::wire::tms_log::LogHead = serde_json::from_value(answer.clone()).expect("a head");
    let page: types::wire::tms_log::LogPage = serde_json::from_value(answer).expect("a page");
    let house = scene.cluster.deployment().trust().expect("trust").deployment;
    let accepted = consent::log::reader::accept(None, &house, &head).expect("the tms's");
    for proven in &page.list {
        consent::log::reader::included(&accepted.checkpoint, proven).expect("in the log");
        for at in 0..proven.entry.0.len() {
            let mut forged = proven.clone();
            forged.entry.0[at] ^= 1;
            assert!(consent::log::reader::included(&accepted.checkpoint, &forged).is_err());
        }
        for at in 0..proven.proof.len() {
            let mut forged = proven.clone();
            let mut hash: [u8; 32] = parse_hex(&hex(forged.proof[at].as_bytes())).expect("32 bytes");
            hash[31] ^= 1;
            forged.proof[at] = Digest::new(hash);
            assert!(consent::log::reader::included(&accepted.checkpoint, &forged).is_err());
        }
    }
    for (at, was) in head.checkpoint.char_indices() {
        let mut forged = head.clone();
        let other = if was == 'A' { "B" } else { "A" };
        forged.checkpoint.replace_range(at..at + was.len_utf8(), other);
        assert!(consent::log::reader::accept(None, &house, &forged).is_err(), "character {at}");
    }
    scene.cluster.stop().await;
}

/// A key that is not the tms's, and evidence that is another service's.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_signs_is_refused() {
    let scene = Scene::set().await;
    let deployment = scene.cluster.deployment();
    let trust = deployment.trust().expect("trust");
    let answer = scene.cluster.party("alice", "t").ask(Api::TmsExternal, json!({"type": "GetCheckpoint"})).await;
    let head: types::wire::tms_log::LogHead = serde_json::from_value(answer).expect("a head");
    let appraise = |signer: &types::consent::Signer, role| {
        trust.appraise_with(|verifier| consent::statement::appraise(signer, verifier, role)).map(|_| ())
    };
    appraise(&head.signer, Role::Tms).expect("the tms");
    assert!(appraise(&head.signer, Role::Fns).is_err());
    let pair = crypto::sign::Ed25519KeyPair::generate();
    let now = types::time::UnixMillis::now();
    let other = consent::statement::StatementKey::attested(pair, &*deployment.attester(Role::Fns), now);
    let other = other.expect("a simulated platform");
    assert!(appraise(other.signer(), Role::Tms).is_err());
    let mut borrowed = other.signer().clone();
    borrowed.evidence = head.signer.evidence.clone();
    assert!(appraise(&borrowed, Role::Tms).is_err());
    scene.cluster.stop().await;
}

/// Nobody learns of an entry that does not concern them, nor whether there is one.
#[tokio::test(flavor = "multi_thread")]
async fn others_entries_do_not_exist() {
    let scene = Scene::set().await;
    scene.cluster.add_user("bob", "t").await;
    let bob = scene.cluster.party("bob", "t");
    let refusal = async |index: u64| {
        let mut answer = bob.ask(Api::TmsExternal, json!({"type": "ProveLog", "index": index})).await;
        answer["request_id"] = json!("");
        answer.to_string().replace(&format!("entry {index}"), "entry")
    };
    let there = refusal(1).await;
    assert!(there.contains("not_found"), "{there}");
    assert_eq!(there, refusal(1_000_000).await);
    let mine = scene.cluster.party("alice", "t").ask(Api::TmsExternal, json!({"type": "ProveLog", "index": 1})).await;
    assert_eq!(mine["entry"]["index"], 1, "{mine}");
    // That bob was added concerns bob, and nothing else here does.
    loop {
        let listed = bob.ask(Api::TmsExternal, json!({"type": "ListLog"})).await;
        let indices: Vec<_> = listed["list"].as_array().expect("a list").iter().map(|entry| &entry["index"]).collect();
        if !indices.is_empty() {
            assert_eq!((indices, listed.get("next_cursor")), (vec![&json!(3)], None));
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    scene.cluster.stop().await;
}

/// The tdfs tells what happened to files and users, and no more; a function node tells nothing.
#[tokio::test(flavor = "multi_thread")]
async fn services_record_what_they_decide_alone_and_once() {
    let scene = Scene::set().await;
    let (address, now) = (scene.cluster.address(Api::TmsInternal).to_string(), types::time::UnixMillis::now());
    let client = |role| {
        rpc::Client::<TmsInternal>::remote(scene.cluster.connector(Api::TmsInternal, Some(role)), address.clone())
    };
    let record = |id: &str, event: Event| RecordEvent {
        record_id: id.parse().expect("an id"),
        at_ms: now,
        concerns: vec!["alice".parse().expect("a name")],
        event,
    };
    let erased =
        || Event::FileErased { file_id: "f".parse().expect("an id"), user_id: "alice".parse().expect("a name") };
    for _ in 0..2 {
        match client(Role::Tdfs).call(record("once", erased())).await {
            Ok(Response::Record(recorded)) => assert_eq!(recorded.index, 3),
            other => panic!("not recorded: {other:?}"),
        }
    }
    let ready = Event::Ready { task_id: "t".parse().expect("an id"), manifest: None };
    for (role, event) in [(Role::Tdfs, ready), (Role::Fns, erased())] {
        let refused = client(role).call(record("never", event)).await;
        let code = refused.as_ref().err().and_then(|error| error.refusal()).map(|reply| reply.code);
        assert_eq!(code, Some(ErrorCode::PermissionDenied), "{refused:?}");
    }
    let crowd = RecordEvent { concerns: Vec::new(), ..record("never", erased()) };
    assert!(client(Role::Kms).call(crowd).await.is_err());
    assert_eq!(scene.read().await.expect("one history"), [0, 1, 2, 3]);
    scene.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_limits() {
    let scene = Scene::set().await;
    let alice = scene.cluster.party("alice", "t");
    let ask = async |fields: serde_json::Value| {
        let mut document = json!({"type": "ListLog"});
        for (name, value) in fields.as_object().expect("fields") {
            document[name] = value.clone();
        }
        alice.ask(Api::TmsExternal, document).await
    };
    let page = ask(json!({"limit": 2})).await;
    assert_eq!((page["list"].as_array().map(Vec::len), &page["next_cursor"]), (Some(2), &json!("1")));
    let page = ask(json!({"limit": 2, "cursor": "1"})).await;
    assert_eq!((&page["list"][0]["index"], page.get("next_cursor")), (&json!(2), None));
    assert_eq!(ask(json!({"limit": 100})).await["list"].as_array().map(Vec::len), Some(3));
    for bad in [json!({"limit": 0}), json!({"limit": 101}), json!({"cursor": "x"}), json!({"cursor": "-1"})] {
        assert_eq!(ask(bad.clone()).await["code"], "invalid_request", "{bad}");
    }
    let ahead = ask(json!({"from": 4})).await;
    assert!(ahead.get("consistency").is_none() && ahead["checkpoint"].is_string(), "{ahead}");
    scene.cluster.stop().await;
}
