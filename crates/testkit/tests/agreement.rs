//! Attacks on an agreement, each a story: what was approved is what runs, nobody approves in another's name, and whoever
//! takes consent back is heard.

use std::time::{Duration, Instant};

use consent::approval::Statement;
use consent::key::KeyChange;
use consent::{receipt, statement};
use crypto::hash::{Sha256, hex};
use crypto::sign::Ed25519KeyPair;
use rpc::deployment::{Simulation, Trust};
use serde_json::{Value, json};
use testkit::party::{Party, Task};
use testkit::{Cluster, Protocol};
use types::bytes::Base64;
use types::consent::{ApprovalSignature, SignedStatement};
use types::receipt::{RECEIPT, Receipt, WITHDRAWAL, Withdrawal};
use types::service::Api;
use types::time::UnixMillis;

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// As [`cluster`], with functions that take their time.
async fn slow_cluster() -> Cluster {
    let cluster = Cluster::start_with_node(|config| config.fns.concurrency = Some(1)).await;
    cluster.add_example_users().await;
    cluster
}

async fn of(party: &Party<'_>, what: &str, task: &Task<'_>) -> Value {
    party.ask(Api::TmsExternal, json!({"type": what, "task_id": task.id})).await
}

async fn manifest(party: &Party<'_>, task: &Task<'_>) -> Value {
    of(party, "GetManifest", task).await["manifest_sha256"].clone()
}

async fn bring(party: &Party<'_>, task: &Task<'_>, content: &[u8]) -> Value {
    let file = party.put(content).await;
    party.ask(Api::TmsExternal, json!({"type": "BringFiles", "task_id": task.id, "files": [file]})).await
}

async fn approve(party: &Party<'_>, task: &Task<'_>, manifest: &Value, signature: Option<Value>) -> Value {
    let mut update = json!({"type": "Update", "task_id": task.id, "files": [], "manifest": manifest});
    if let Some(signature) = signature {
        update["signature"] = signature;
    }
    party.ask(Api::TmsExternal, update).await
}

async fn set_payload(party: &Party<'_>, task: &Task<'_>, payload: &str) -> Value {
    let sha256 = hex(&Sha256::digest(payload.as_bytes()));
    party.ask(Api::TmsExternal, json!({"type": "SetPayload", "task_id": task.id, "payload_sha256": sha256})).await
}

fn check_code(answer: &Value, code: &str) {
    assert_eq!(answer["code"], code, "{answer}");
}

async fn check_status(task: &Task<'_>, status: &str) {
    assert_eq!(task.status().await, status);
}

fn later(by_ms: i64) -> u64 {
    UnixMillis::now().0.saturating_add_signed(by_ms)
}

/// A key and what it signs in somebody's name.
fn signature(pair: &Ed25519KeyPair, task: &Task<'_>, user: &str, manifest: &Value) -> Value {
    let digest = manifest.as_str().expect("text").parse().expect("a digest");
    let statement = Statement::new(task.id.parse().expect("short"), user.parse().expect("a name"), digest);
    let signature = Base64(pair.sign(&statement.signed_bytes()).to_vec());
    json!(ApprovalSignature { key: Base64(pair.public_key().to_vec()), signature })
}

/// Asks for a user's key to be changed, as whoever has these keys can.
async fn set_key(party: &Party<'_>, new: &Ed25519KeyPair, previous: Option<&Ed25519KeyPair>, version: u64) -> Value {
    let key = Base64(new.public_key().to_vec());
    let change = KeyChange::new(party.name.parse().expect("a name"), Some(key.clone()), true, version).signed_bytes();
    let sign = |pair: &Ed25519KeyPair| json!(Base64(pair.sign(&change).to_vec()));
    let mut set = json!({"type": "SetKey", "key": key, "required": true, "version": version, "signature": sign(new)});
    if let Some(previous) = previous {
        set["previous_signature"] = sign(previous);
    }
    party.ask(Api::TdfsExternal, set).await
}

/// One party approves what it sees; another adds to it. The first is asked again, and nothing runs before it says so.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_come_after_an_approval_are_not_approved() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let task = user1.create("concat", &["user2", "user3"], &[&user1.put(b"a").await]).await;
    bring(&user2, &task, b"b").await;
    let looked_at = manifest(&user2, &task).await;
    assert_eq!(approve(&user2, &task, &looked_at, None).await["status"], "Created");
    assert_eq!(user3.approve(&task, &[&user3.put(b"swapped in").await]).await["status"], "Created");
    let found = of(&user2, "GetManifest", &task).await;
    assert_eq!((&found["missing"], &found["lapsed"][0]["manifest"]), (&json!(["user2"]), &looked_at));
    check_code(&task.invoke(None).await, "conflict");
    check_code(&approve(&user2, &task, &looked_at, None).await, "precondition_failed");
    assert_eq!(approve(&user2, &task, &manifest(&user2, &task).await, None).await["status"], "Ready");
    assert_eq!(task.invoke(None).await["result"], "abswapped in");
}

/// A payload that nobody approved does not run, whoever brings it, and costs the task nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_was_not_approved_does_not_run() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let task = user1.create("ordered_set_intersect", &["user2"], &[&user1.put(b"0a\n0b\n").await]).await;
    user2.approve(&task, &[&user2.put(b"0b\n").await]).await;
    let (approved, other) = (r#"{"order":"ascending"}"#, r#"{"order":"descending"}"#);
    check_code(&task.invoke(Some(approved)).await, "precondition_failed");
    check_status(&task, "Ready").await;
    check_code(&set_payload(&user2, &task, other).await, "permission_denied");
    let changed = set_payload(&user1, &task, approved).await;
    assert_eq!((&changed["status"], &changed["missing"]), (&json!("Created"), &json!(["user2"])));
    check_code(&task.invoke(Some(approved)).await, "conflict");
    approve(&user2, &task, &changed["manifest_sha256"], None).await;
    for wrong in [None, Some(other), Some("")] {
        check_code(&task.invoke(wrong).await, "precondition_failed");
        check_status(&task, "Ready").await;
    }
    assert_eq!(task.invoke(Some(approved)).await["code"], Value::Null);
    check_status(&task, "Finished").await;
}

/// An invocation waits for a place among others; meanwhile the parties agree on something else. What it read of the task
/// before is not what runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_waited_does_not_run_what_was_agreed_on_before() {
    let cluster = slow_cluster().await;
    let [user1, ..] = cluster.examples();
    let (busy, task) = (user1.create("naps", &[], &[]).await, user1.create("naps", &[], &[]).await);
    let late = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let changing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            set_payload(&user1, &task, "2").await
        };
        tokio::join!(task.invoke(Some("1")), changing)
    };
    let (rested, (refused, changed)) = tokio::join!(busy.invoke(Some("3000")), late);
    assert_eq!((&rested["result"], &changed["status"]), (&json!("rested"), &json!("Ready")));
    check_code(&refused, "precondition_failed");
    check_status(&task, "Ready").await;
    check_code(&task.invoke(Some("1")).await, "precondition_failed");
    assert_eq!(task.invoke(Some("2")).await["result"], "rested");
}

/// A signature is of one task, one manifest, one user and one registered key.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_approves_nothing_else() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let [key, stolen] = [1, 2].map(|seed| Ed25519KeyPair::from_seed(&[seed; 32]));
    assert_eq!(set_key(&user2, &key, None, 1).await["version"], 1);
    assert_eq!(set_key(&user3, &Ed25519KeyPair::from_seed(&[3; 32]), None, 1).await["version"], 1);
    let (task, other) = (
        user1.create("concat", &["user2", "user3"], &[&user1.put(b"a").await]).await,
        user1.create("concat", &["user2", "user3"], &[&user1.put(b"a").await]).await,
    );
    for (party, content) in [(user2, b"b"), (user3, b"c")] {
        bring(&party, &task, content).await;
        bring(&party, &other, content).await;
    }
    let (of_task, of_other) = (manifest(&user2, &task).await, manifest(&user2, &other).await);
    let signed = signature(&key, &task, "user2", &of_task);
    check_code(&approve(&user2, &other, &of_other, Some(signed.clone())).await, "permission_denied");
    check_code(&approve(&user2, &other, &of_task, Some(signed.clone())).await, "permission_denied");
    check_code(&approve(&user3, &task, &of_task, Some(signed.clone())).await, "permission_denied");
    let older = signature(&key, &task, "user2", &of_other);
    check_code(&approve(&user2, &task, &of_task, Some(older)).await, "permission_denied");
    let unregistered = signature(&stolen, &task, "user2", &of_task);
    check_code(&approve(&user2, &task, &of_task, Some(unregistered)).await, "permission_denied");
    // The token alone approves nothing, and can't put another key in the place of the one that does.
    check_code(&approve(&user2, &task, &of_task, None).await, "permission_denied");
    check_code(&user2.approve(&task, &[]).await, "permission_denied");
    check_code(&set_key(&user2, &stolen, None, 2).await, "permission_denied");
    check_code(&set_key(&user2, &stolen, Some(&stolen), 2).await, "permission_denied");
    assert_eq!(of(&user1, "GetManifest", &task).await["missing"], json!(["user2", "user3"]));
    assert_eq!(approve(&user2, &task, &of_task, Some(signed.clone())).await["success"], true);
    check_code(&approve(&user2, &task, &of_task, Some(signed)).await, "conflict");
}

/// Two of three, one of whom must be: nobody counts for two.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_approve_as_the_rule_says_and_whom_it_names() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let rule = json!({"approval": {"at_least": 2, "named": ["user3"], "exact": true}});
    let task = user1.create_on("concat", (&["user2", "user3"], &[&user1.put(b"a").await]), rule).await;
    bring(&user2, &task, b"b").await;
    bring(&user3, &task, b"c").await;
    let digest = manifest(&user1, &task).await;
    check_code(&user2.approve(&task, &[]).await, "precondition_failed");
    check_code(&approve(&user2, &task, &json!("0".repeat(64)), None).await, "precondition_failed");
    assert_eq!(approve(&user2, &task, &digest, None).await["status"], "Created");
    check_code(&approve(&user2, &task, &digest, None).await, "conflict");
    assert_eq!(approve(&user1, &task, &digest, None).await["status"], "Created");
    assert_eq!(approve(&user3, &task, &digest, None).await["status"], "Ready");
    assert_eq!(task.invoke(None).await["result"], "abc");
}

/// Too early, too late, and on a machine that is not trusted enough.
#[tokio::test(flavor = "multi_thread")]
async fn terms_hold_at_their_limits() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let file = user1.put(b"a").await;
    let soon = json!({"approval": {"deadline_ms": later(1_500)}});
    let task = user1.create_on("concat", (&["user2"], &[&file]), soon).await;
    let brought = user2.put(b"b").await;
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    check_code(&user2.approve(&task, &[&brought]).await, "precondition_failed");
    check_code(&set_payload(&user1, &task, "p").await, "precondition_failed");
    check_code(&task.invoke(None).await, "conflict");
    for terms in [
        json!({"not_before_ms": later(3_600_000)}),
        json!({"minimum_trust": "confidential"}),
        json!({"minimum_trust": "tpm"}),
    ] {
        let task = user1.create_on("echo", (&[], &[]), terms.clone()).await;
        check_code(&task.invoke(Some("p")).await, "precondition_failed");
        check_status(&task, "Ready").await;
        assert!(!task.update(json!("Running"), Some("lease")).await, "{terms}");
    }
    let task = user1.create_on("echo", (&[], &[]), json!({"not_after_ms": later(1_000)})).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    check_code(&task.invoke(Some("p")).await, "precondition_failed");
    assert!(!task.update(json!("Running"), Some("lease")).await);
    for terms in [json!({"not_after_ms": later(-1_000)}), json!({"approval": {"at_least": 3}})] {
        check_code(&user1.try_create_on("concat", (&["user2"], &[&file]), terms).await, "invalid_request");
    }
}

/// Of whoever withdraws there is a statement; the task has ended, and nobody gets anything of it.
async fn check_withdrawn(party: &Party<'_>, task: &Task<'_>, before: &str) {
    let answer = of(party, "Withdraw", task).await;
    let signed: SignedStatement =
        serde_json::from_value(answer["statement"].clone()).unwrap_or_else(|_| panic!("{answer}"));
    let stated: Withdrawal = statement::open(&signed, WITHDRAWAL).expect("signed");
    assert_eq!((stated.user_id.as_str(), stated.task_id.as_str()), (party.name, task.id.as_str()));
    assert_eq!(stated.before.to_string(), before);
    check_status(task, "Failed").await;
    let inside = task.inside().await;
    assert_eq!((&inside["output_files"], &inside["task_result_file_id"]), (&json!([]), &Value::Null));
    assert_eq!(of(party, "Withdraw", task).await["type"], "Withdraw", "said again, it is told again");
    check_code(&task.invoke(None).await, "conflict");
}

/// Every party, wherever the task stands; what a node reports afterwards is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_party_withdraws_until_there_are_results() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let files = [user1.put(b"a").await, user2.put(b"b").await, user3.put(b"c").await];
    for (party, before) in [user1, user2, user3]
        .into_iter()
        .flat_map(|party| ["Created", "Ready", "Running", "Finished"].map(|before| (party, before)))
    {
        let task = user1.create("concat", &["user2", "user3"], &[&files[0]]).await;
        if before != "Created" {
            user2.approve(&task, &[&files[1]]).await;
            user3.approve(&task, &[&files[2]]).await;
        }
        if before == "Finished" {
            assert_eq!(task.invoke(None).await["result"], "abc");
            check_code(&of(&party, "Withdraw", &task).await, "conflict");
            continue;
        }
        if before == "Running" {
            assert!(task.update(json!("Running"), Some("lease")).await && task.renew("lease").await);
            // Part of a result, which is none as long as the run has not ended.
            let part = json!({"type": "Update", "task_id": task.id, "task_result_file_id": "r", "lease_id": "lease",
                "output_files": [{"user_id": "user1", "file_id": "o"}]});
            assert_eq!(cluster.framed(Api::TmsInternal, part).await["success"], true);
        }
        check_withdrawn(&party, &task, before).await;
        assert!(!task.renew("lease").await);
        for end in ["Running", "Finished", "Failed"] {
            assert!(!task.update(json!(end), Some("lease")).await, "{before} {end}");
        }
        let others = [user1, user2, user3].into_iter().filter(|other| other.name != party.name);
        for other in others {
            check_code(&of(&other, "Withdraw", &task).await, "conflict");
        }
    }
}

/// A run whose party withdraws ends within a second, and its caller learns nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_within_a_second_of_a_withdrawal() {
    let cluster = slow_cluster().await;
    let [user1, user2, ..] = cluster.examples();
    for party in [user1, user2] {
        let terms = json!({"payload_sha256": hex(&Sha256::digest(b"30000"))});
        let task = user1.create_on("naps", (&["user2"], &[]), terms).await;
        assert_eq!(user2.approve(&task, &[]).await["status"], "Ready");
        let withdrawing = async {
            while task.status().await != "Running" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            check_withdrawn(&party, &task, "Running").await;
            Instant::now()
        };
        let invoked = async { (task.invoke(Some("30000")).await, Instant::now()) };
        let ((refused, ended), withdrawn) = tokio::join!(invoked, withdrawing);
        assert_eq!((&refused["result"], refused["code"].is_string()), (&Value::Null, true), "{refused}");
        let took = ended.saturating_duration_since(withdrawn);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

/// Declares a file as a task's output, as its function node would: the collaborator's, which the creator may read.
async fn declare_output(cluster: &Cluster, task_id: &str) -> String {
    let sha256 = hex(&Sha256::digest(b"result"));
    let create = json!({"type": "Create", "sha256": sha256, "file_size": 6, "user_id": "user2", "task_id": task_id,
        "collaborator_list": ["user1"], "allow_policy": 1});
    let created = cluster.framed(Api::TdfsInternal, create).await;
    created["file_id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
}

async fn of_file(party: &Party<'_>, what: &str, file: &str) -> Value {
    let mut request = json!({"type": what, "file_id": file});
    if what == "Upload" {
        request["parts"] = json!([0]);
    }
    party.ask(Api::TdfsExternal, request).await
}

/// What a run has made is nobody's, by no request, until the run has ended; then at once, or never.
#[tokio::test(flavor = "multi_thread")]
async fn results_are_had_only_of_what_can_not_be_withdrawn_from_any_more() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let files = [user1.put(b"a").await, user2.put(b"b").await];
    for (end, had) in [("Withdraw", false), ("Failed", false), ("Finished", true), ("Finished without it", false)] {
        let task = user1.create("concat", &["user2"], &[&files[0]]).await;
        user2.approve(&task, &[&files[1]]).await;
        assert!(task.update(json!("Running"), Some("lease")).await);
        let output = declare_output(&cluster, &task.id).await;
        let part = json!({"type": "Update", "task_id": task.id, "lease_id": "lease",
            "output_files": [{"user_id": "user2", "file_id": output}]});
        if end != "Finished without it" {
            assert_eq!(cluster.framed(Api::TmsInternal, part).await["success"], true);
        }
        for (party, kind) in [(user1, "Get"), (user2, "Get"), (user2, "Delete"), (user2, "Upload")] {
            check_code(&of_file(&party, kind, &output).await, "precondition_failed");
        }
        for kind in ["Get", "Delete", "Upload"] {
            check_code(&of_file(&user3, kind, &output).await, "not_found");
        }
        let bring =
            json!({"type": "Create", "function_name": "concat", "collaborator_list": ["user1"], "files": [output]});
        check_code(&user2.ask(Api::TmsExternal, bring.clone()).await, "precondition_failed");
        let shown =
            |list: Value| list["files"].as_array().expect("entries").iter().any(|file| file["file_id"] == output);
        let list = json!({"type": "List", "details": true});
        assert!(!shown(user2.ask(Api::TdfsExternal, list.clone()).await), "its digest and size are part of it");
        match end {
            "Withdraw" => check_withdrawn(&user1, &task, "Running").await,
            "Failed" => assert!(task.update(json!("Failed"), Some("lease")).await),
            _ => assert!(task.update(json!("Finished"), Some("lease")).await),
        }
        assert_eq!(shown(user2.ask(Api::TdfsExternal, list).await), had, "{end}");
        for party in [user1, user2] {
            match had {
                true => assert_eq!(of_file(&party, "Get", &output).await["file_info"]["task_id"], task.id, "{end}"),
                false => check_code(&of_file(&party, "Get", &output).await, "not_found"),
            }
        }
        let brought = user2.ask(Api::TmsExternal, bring).await;
        assert_eq!(
            (brought["type"] == "Create", had || brought["code"] == "not_found"),
            (had, true),
            "{end}: {brought}"
        );
    }
    let nobodys = declare_output(&cluster, "no-such-task").await;
    let get = json!({"type": "Get", "file_id": nobodys});
    assert_eq!(user1.ask(Api::TdfsExternal, get).await["type"], "Get", "nobody can withdraw from it");
}

/// To strangers there is no task; with a wrong token there is nobody; whoever only sees a task changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_nothing() {
    let cluster = cluster().await;
    let [user1, user2, user3, stranger] = cluster.examples();
    let task = user1.create("concat", &["user2"], &[&user1.put(b"a").await]).await;
    let alone = user1.create("echo", &["user3"], &[]).await;
    let requests = |task: &Task<'_>| {
        ["GetManifest", "GetReceipt", "Withdraw", "SetPayload", "BringFiles", "Update"].map(|kind| match kind {
            "BringFiles" => json!({"type": kind, "task_id": task.id, "files": []}),
            "Update" => json!({"type": kind, "task_id": task.id, "files": [], "manifest": "0".repeat(64)}),
            _ => json!({"type": kind, "task_id": task.id}),
        })
    };
    let mut nothing = task.clone();
    nothing.id = "0".repeat(32);
    for (real, none) in requests(&task).into_iter().zip(requests(&nothing)) {
        let (refused, nowhere) =
            (stranger.ask(Api::TmsExternal, real.clone()).await, user1.ask(Api::TmsExternal, none).await);
        check_code(&refused, "not_found");
        check_code(&nowhere, "not_found");
        let said = refused["message"].as_str().expect("text").replace(&task.id, &nothing.id);
        assert_eq!(nowhere["message"], said, "{real}");
        for who in [("user1", "wrong"), ("nobody", "token1")] {
            check_code(&cluster.party(who.0, who.1).ask(Api::TmsExternal, real.clone()).await, "unauthenticated");
        }
    }
    for request in requests(&alone) {
        let (seen, code) = (user3.ask(Api::TmsExternal, request.clone()).await, request["type"].as_str());
        match code {
            Some("GetManifest") => assert_eq!(seen["type"], "GetManifest"),
            Some("GetReceipt") => check_code(&seen, "conflict"),
            _ => check_code(&seen, "permission_denied"),
        }
    }
    check_code(
        &user2.ask(Api::TmsExternal, json!({"type": "SetPayload", "task_id": task.id})).await,
        "permission_denied",
    );
    check_status(&task, "Created").await;
    check_status(&alone, "Ready").await;
}

/// The author registers another version after everyone approved: the task keeps what was approved.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_function_does_not_come_into_an_agreement() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let register = async |text: &str| {
        let code = wat::parse_str(format!(
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 64) "{text}") (data (i32.const 0) "\40\00\00\00\03\00\00\00")
            (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#
        ));
        let file = user1.put(&code.expect("a module")).await;
        let declaration = json!({"language": "Wasm", "function_type": "Single", "payload": "Optional",
            "inputs": {"min": 0, "max": 0}, "outputs": []});
        let register = json!({"type": "RegisterFunction", "function_name": "f", "file_id": file,
            "declaration": declaration});
        user1.ask(Api::TmsExternal, register).await["function"].clone()
    };
    let first = register("one").await;
    let task = user1.create_on("f", (&[], &[]), json!({"approval": {"exact": true}})).await;
    let approved = manifest(&user1, &task).await;
    assert_eq!(approve(&user1, &task, &approved, None).await["status"], "Ready");
    assert_eq!(register("two").await["version"], 2);
    let found = of(&user1, "GetManifest", &task).await;
    assert_eq!((&found["manifest_sha256"], &found["manifest"]["function"]), (&approved, &first));
    assert_eq!(task.invoke(None).await["result"], "one");
}

/// Every leaf of a document, as the way to it.
fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), all)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| leaves(value, &format!("{at}/{n}"), all)),
        _ => all.push(at.to_owned()),
    }
}

/// A change of an instant that matters, in milliseconds.
const A_YEAR_MS: u64 = 365 * 24 * 3_600_000;

fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.chars().next() {
            Some('A') => json!(format!("B{}", &text[1..])),
            Some(first) if first.is_ascii() => json!(format!("A{}", &text[1..])),
            _ => json!("A"),
        },
        Value::Number(number) => json!(number.as_u64().map_or(0, |number| number + A_YEAR_MS)),
        Value::Bool(truth) => json!(!truth),
        _ => json!("A"),
    }
}

/// Whoever changes any one thing in a receipt has none any more; nor does a key of one's own help.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_forged_in_no_field() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let key = Ed25519KeyPair::from_seed(&[1; 32]);
    set_key(&user2, &key, None, 1).await;
    let task = user1.create("concat", &["user2"], &[&user1.put(b"a").await]).await;
    bring(&user2, &task, b"b").await;
    let digest = manifest(&user2, &task).await;
    approve(&user2, &task, &digest, Some(signature(&key, &task, "user2", &digest))).await;
    assert_eq!(task.invoke(None).await["result"], "ab");
    let signed = of(&user1, "GetReceipt", &task).await["receipt"].clone();
    let trust = Trust::load(&cluster.data_dir().join("trust"), Simulation::Allowed).expect("trust");
    let holds = |document: &Value| match serde_json::from_value::<SignedStatement>(document.clone()) {
        Ok(signed) => trust.appraise_with(|verifier| receipt::verify(&signed, verifier, &trust.deployment)).is_ok(),
        Err(_) => false,
    };
    assert!(holds(&signed), "{signed}");
    let mut ways = Vec::new();
    leaves(&signed, "", &mut ways);
    for way in ways {
        let mut forged = signed.clone();
        let leaf = forged.pointer_mut(&way).expect("a leaf");
        *leaf = changed(leaf);
        assert!(!holds(&forged), "{way}");
    }
    let bytes: Base64 = serde_json::from_value(signed["payload"].clone()).expect("bytes");
    let payload: Value = serde_json::from_slice(&bytes.0).expect("JSON");
    let (mut ways, forger) = (Vec::new(), Ed25519KeyPair::from_seed(&[9; 32]));
    leaves(&payload, "", &mut ways);
    assert!(ways.len() > 30, "{}", ways.len());
    for way in ways {
        let mut forged = payload.clone();
        let leaf = forged.pointer_mut(&way).expect("a leaf");
        *leaf = changed(leaf);
        let Ok(bytes) = consent::canonical::to_vec(&forged) else { continue };
        let mut whole = signed.clone();
        whole["payload"] = json!(Base64(bytes.clone()));
        assert!(!holds(&whole), "{way}");
        whole["signatures"][0]["sig"] = json!(Base64(forger.sign(&statement::pae(RECEIPT, &bytes)).to_vec()));
        assert!(!holds(&whole), "{way}, signed by another key");
        whole["signer"]["key"] = json!(Base64(forger.public_key().to_vec()));
        assert!(!holds(&whole), "{way}, signed by another key that is named");
    }
}

/// How often `invoke` and `Withdraw` race in a test.
fn races() -> usize {
    std::env::var("TEEHOUSE_RACES").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

/// Whichever comes first: there is a result or a statement of the withdrawal, and never both.
#[tokio::test(flavor = "multi_thread")]
async fn invoking_and_withdrawing_race_for_one_end() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let files = [user1.put(b"a").await, user2.put(b"b").await];
    let (mut tms, mut fns) = (
        cluster.open(Protocol::Framed, Api::TmsExternal).await,
        cluster.open(Protocol::Framed, Api::FnsExternal).await,
    );
    let (mut results, mut withdrawals, began) = (0, 0, Instant::now());
    for round in 0..races() {
        let mut ask = async |who: &Party<'_>, mut document: Value| {
            (document["user_id"], document["user_token"]) = (json!(who.name), json!(who.token));
            tms.send(&document.to_string()).await.expect("an answer").json()
        };
        let create = json!({"type": "Create", "function_name": "concat", "collaborator_list": ["user2"],
            "files": [files[0]]});
        let created = ask(&user1, create).await;
        let task = created["task_id"].as_str().expect("an id").to_owned();
        ask(&user2, json!({"type": "Update", "task_id": task, "files": [files[1]]})).await;
        let invoke =
            json!({"task_id": task, "function_name": "concat", "task_token": created["task_token"]}).to_string();
        let withdrawing = async {
            tokio::time::sleep(Duration::from_micros(700 * (round as u64 % 40))).await;
            ask(if round % 2 == 0 { &user1 } else { &user2 }, json!({"type": "Withdraw", "task_id": task})).await
        };
        let (invoked, withdrawn) = tokio::join!(fns.send(&invoke), withdrawing);
        let invoked = invoked.expect("an answer").json();
        let receipt = ask(&user1, json!({"type": "GetReceipt", "task_id": task})).await;
        let receipt: SignedStatement = serde_json::from_value(receipt["receipt"].clone()).expect("a receipt");
        let receipt: Receipt = statement::open(&receipt, RECEIPT).expect("signed");
        match (invoked["result"] == "ab", withdrawn["type"] == "Withdraw") {
            (true, false) => {
                check_code(&withdrawn, "conflict");
                assert_eq!(receipt.status.to_string(), "Finished");
                results += 1;
            }
            (false, true) => {
                assert!(invoked["result"].is_null(), "{invoked}");
                assert_eq!(receipt.status.to_string(), "Failed");
                withdrawals += 1;
            }
            _ => panic!("{invoked} {withdrawn}"),
        }
    }
    println!("{results} results, {withdrawals} withdrawals in {:?}", began.elapsed());
}
