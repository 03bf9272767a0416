//! What happens to users and files is in the tms's log, once, for whom it concerns, whichever service was away meanwhile.

use std::time::{Duration, Instant};

use consent::key::KeyChange;
use crypto::sign::Ed25519KeyPair;
use serde_json::{Value, json};
use testkit::party::Party;
use testkit::process::{self, Process};
use testkit::{Cluster, Protocol, Site, loopback};
use types::bytes::Base64;
use types::secret::Secret;
use types::service::{Api, Role};
use types::wire::admin;
use types::wire::tms_log::LogPage;

/// Does nothing unless another test asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    process::serve().await;
}

/// A tms that was away is asked again after 30 s at the latest; loaded machines are slow.
const SOON: Duration = Duration::from_secs(60);

/// Every event that a user can read, oldest first.
async fn events(party: &Party<'_>) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let mut list = json!({"type": "ListLog"});
        if let Some(cursor) = cursor {
            list["cursor"] = json!(cursor);
        }
        let answer = party.ask(Api::TmsExternal, list).await;
        let page: LogPage = serde_json::from_value(answer.clone()).unwrap_or_else(|error| panic!("{error}: {answer}"));
        for proven in page.list {
            let entry: Value = serde_json::from_slice(&proven.entry.0).expect("JSON");
            all.push(entry["event"].clone());
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// Those about files, and those about the user.
fn by_store(events: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    events.into_iter().partition(|event| event.get("file_id").is_some())
}

/// Waits until a user's log is this, apart from how the two stores' events mix.
async fn check_log(party: &Party<'_>, users: &[Value], files: &[Value]) {
    let expected = (files.to_vec(), users.to_vec());
    let give_up = Instant::now() + SOON;
    loop {
        let found = by_store(events(party).await);
        if found == expected {
            return;
        }
        assert!(Instant::now() < give_up, "{}: {found:#?}", party.name);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn user(name: &str, change: &str) -> Value {
    json!({"type": "User", "user_id": name, "change": change})
}

fn erased(name: &str, file: &str) -> Value {
    json!({"type": "FileErased", "file_id": file, "user_id": name})
}

fn restricted(name: &str, file: &str, policy: Option<&Value>) -> Value {
    let mut event = json!({"type": "FilePolicy", "file_id": file, "user_id": name});
    if let Some(policy) = policy {
        let policy = serde_json::from_value(policy.clone()).expect("a policy");
        event["digest"] = json!(consent::policy::digest(&policy).expect("small numbers"));
    }
    event
}

/// Registers a user's first key; what the log is to say of it.
async fn register_key(party: &Party<'_>) -> Value {
    let pair = Ed25519KeyPair::generate();
    let key = Base64(pair.public_key().to_vec());
    let change = KeyChange::new(party.name.parse().expect("a name"), Some(key.clone()), false, 1);
    let signature = Base64(pair.sign(&change.signed_bytes()).to_vec());
    let set = json!({"type": "SetKey", "key": key, "version": 1, "signature": signature});
    let answer = party.ask(Api::TdfsExternal, set).await;
    assert_eq!(answer["type"], "SetKey", "{answer}");
    json!({"type": "UserKey", "user_id": party.name, "key": key, "required": false})
}

async fn restrict(party: &Party<'_>, file: &str, policy: Value) -> Value {
    let answer = party.restrict(file, policy.clone()).await;
    assert_eq!(answer["success"], true, "{answer}");
    restricted(party.name, file, Some(&policy).filter(|policy| !policy.is_null()))
}

async fn delete(party: &Party<'_>, file: &str) -> Value {
    let answer = party.delete(file).await;
    assert_eq!(answer["type"], "Delete", "{answer}");
    erased(party.name, file)
}

async fn operate(site: &Site, request: impl Into<admin::Request>) {
    identity::operate(site.data_dir(), request.into()).await.expect("done");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_log_of_whom_it_concerns_once() {
    let cluster = Cluster::start().await;
    cluster.add_user("alice", "t").await;
    cluster.add_user("bob", "t").await;
    let (alice, bob) = (cluster.party("alice", "t"), cluster.party("bob", "t"));
    let mut users = vec![user("alice", "added"), register_key(&alice).await];
    let file = alice.put(b"content").await;
    let mut files = vec![restrict(&alice, &file, json!({"uses": 3})).await, restrict(&alice, &file, Value::Null).await];
    files.push(delete(&alice, &file).await);
    let refused = bob.restrict(&alice.put(b"other").await, json!({})).await;
    assert_eq!(refused["code"], "not_found");

    let create = json!({"type": "Create", "file_name": "f", "file_size": 0, "policy": {"purpose": "audit"},
        "sha256": crypto::hash::hex(&crypto::hash::Sha256::digest(b""))});
    let created = alice.ask(Api::TdfsExternal, create).await;
    let declared = created["file_id"].as_str().expect("an id");
    files.push(restricted("alice", declared, Some(&json!({"purpose": "audit"}))));

    let user_id = || "alice".parse().expect("a name");
    operate(&cluster, admin::ResetKey { user_id: user_id() }).await;
    users.push(json!({"type": "UserKey", "user_id": "alice", "required": false}));
    operate(&cluster, admin::DisableUser { user_id: user_id() }).await;
    users.push(user("alice", "disabled"));
    operate(&cluster, admin::RotateToken { user_id: user_id(), token: Some(Secret::new("t".into())) }).await;
    users.push(user("alice", "rotated"));

    check_log(&alice, &users, &files).await;
    check_log(&bob, &[user("bob", "added")], &[]).await;
    // Nothing comes twice when the services start again.
    let mut cluster = cluster;
    cluster.restart().await;
    cluster.add_user("carol", "t").await;
    check_log(&cluster.party("carol", "t"), &[user("carol", "added")], &[]).await;
    check_log(&cluster.party("alice", "t"), &users, &files).await;
    cluster.stop().await;
}

/// The tms is away, the tdfs is killed with what waits, and an operator changes a user while neither serves.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_tms_was_away_is_in_the_log_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let kms = Process::start(&loopback(dir.path()), &[Role::Kms]);
    // Only its address is needed yet.
    let tms = Process::start(kms.site.config(), &[Role::Tms]);
    let config = tms.site.config().clone();
    tms.kill();
    let tdfs = Process::start(&config, &[Role::Tdfs]);
    let site = tdfs.site.clone();
    site.add_user("alice", "t").await;
    let alice = site.party("alice", "t");
    let users = [user("alice", "added"), register_key(&alice).await];
    let file = alice.put(b"content").await;
    let mut files = vec![restrict(&alice, &file, json!({"uses": 1})).await];
    tdfs.kill();
    site.add_user("bob", "t").await;

    let _tdfs = Process::start(site.config(), &[Role::Tdfs]);
    files.push(delete(&alice, &file).await);
    let _tms = Process::start(site.config(), &[Role::Tms]);
    check_log(&alice, &users, &files).await;
    check_log(&site.party("bob", "t"), &[user("bob", "added")], &[]).await;
}

/// Declares, restricts and deletes files until the server is gone; those whose restriction and deletion were
/// acknowledged.
async fn change_files(site: Site) -> (Vec<String>, Vec<String>) {
    let (mut restricted, mut deleted) = (Vec::new(), Vec::new());
    let Ok(mut channel) = site.try_open(Protocol::Framed, Api::TdfsExternal).await else {
        return (restricted, deleted);
    };
    let mut ask = async |mut document: Value| {
        (document["user_id"], document["user_token"]) = (json!("alice"), json!("t"));
        let answer = channel.send(&document.to_string()).await.ok()?.json();
        assert_ne!(answer["type"], "Error", "{answer}");
        Some(answer)
    };
    let sha256 = crypto::hash::hex(&crypto::hash::Sha256::digest(b""));
    loop {
        let create = json!({"type": "Create", "file_name": "f", "sha256": sha256, "file_size": 0});
        let Some(created) = ask(create).await else { break };
        let file = created["file_id"].as_str().expect("an id").to_owned();
        let set = json!({"type": "SetPolicy", "file_id": file, "policy": {}});
        let Some(_) = ask(set).await else { break };
        restricted.push(file.clone());
        let Some(_) = ask(json!({"type": "Delete", "file_id": file})).await else { break };
        deleted.push(file);
    }
    (restricted, deleted)
}

/// SIGKILL at random instants: nothing that was acknowledged is missing from the log, and nothing is there twice.
#[tokio::test(flavor = "multi_thread")]
async fn no_kill_loses_or_repeats_an_entry() {
    const ROUNDS: usize = 8;
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Process::start(&loopback(dir.path()), &Role::ALL);
    let site = server.site.clone();
    site.add_user("alice", "t").await;
    let (mut restricted, mut deleted) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let changes = tokio::spawn(change_files(site.clone()));
        let [random] = crypto::random::bytes::<1>();
        tokio::time::sleep(Duration::from_millis(50 + 2 * u64::from(random))).await;
        server.kill();
        let (more_restricted, more_deleted) = changes.await.expect("the server refused nothing");
        restricted.extend(more_restricted);
        deleted.extend(more_deleted);
        server = Process::start(site.config(), &Role::ALL);
    }
    assert!(deleted.len() > ROUNDS, "the kills came too early: {}", deleted.len());
    let alice = site.party("alice", "t");
    // What is sent last is in the log after all else.
    let last = alice.put(b"").await;
    delete(&alice, &last).await;
    deleted.push(last);
    let count = |events: &[Value], kind: &str, file: &str| {
        events.iter().filter(|event| event["type"] == kind && event["file_id"] == file).count()
    };
    let give_up = Instant::now() + SOON;
    let mut found = events(&alice).await;
    while deleted.iter().any(|file| count(&found, "FileErased", file) == 0) {
        assert!(Instant::now() < give_up, "{} of {} erasures", found.len(), deleted.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = events(&alice).await;
    }
    assert!(restricted.iter().all(|file| count(&found, "FilePolicy", file) == 1), "each policy once");
    for event in &found {
        let same = found.iter().filter(|other| *other == event).count();
        assert_eq!(same, 1, "{event}");
    }
}
