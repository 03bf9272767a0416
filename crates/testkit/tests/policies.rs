//! What an owner allows to be done with a file is all that is done with it, whoever asks for its key, and as often.

use std::fs;
use std::time::{Duration, Instant};

use consent::statement;
use serde_json::{Value, json};
use testkit::party::{Party, Task};
use testkit::process::{self, Process};
use testkit::{Cluster, Site, loopback};
use types::consent::SignedStatement;
use types::receipt::{ERASURE, Erasure};
use types::service::{Api, Role};

/// Does nothing unless another test asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    process::serve().await;
}

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// A run that a policy forbids: whoever ran it and every party read which rule of which file did.
async fn check_forbidden(party: &Party<'_>, task: &Task<'_>, file: &str, rule: &str) {
    let refused = task.invoke(None).await;
    let message = format!("input file {file}: {rule}");
    assert_eq!((&refused["code"], &refused["message"]), (&json!("permission_denied"), &json!(message)));
    let seen = party.look(task).await;
    let (code, said) = (&seen["error"]["code"], &seen["error"]["message"]);
    assert_eq!((&seen["status"], code, said), (&json!("Failed"), &json!("permission_denied"), &json!(message)));
}

async fn restrict(owner: &Party<'_>, file: &str, policy: Value) {
    let answer = owner.restrict(file, policy).await;
    assert_eq!((&answer["type"], &answer["success"]), (&json!("SetPolicy"), &json!(true)), "{answer}");
}

async fn uses(owner: &Party<'_>, file: &str) -> Value {
    owner.file(file).await["file_info"]["uses"].clone()
}

/// Every rule, met and broken, by a task of one user.
#[tokio::test(flavor = "multi_thread")]
async fn each_rule_allows_what_it_says_and_nothing_else() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let other = "its owner does not allow the function echo_file@1";
    let trust = "its owner asks for a platform that is at least confidential, and this one is simulated";
    let digest = user1.create("echo_file", &[], &[&user1.put(b"x").await]).await;
    let digest = cluster.framed(Api::TmsInternal, json!({"type": "Get", "task_id": digest.id})).await;
    let digest = digest["manifest"]["function"]["digest"].clone();
    let cases = [
        (json!({}), None),
        (json!({"functions": [{"name": "echo_file"}]}), None),
        (json!({"functions": [{"name": "psi"}, {"name": "echo_file", "version": 1}]}), None),
        (json!({"functions": [{"name": "echo_file", "version": 1, "digest": digest}]}), None),
        (json!({"functions": []}), Some(other)),
        (json!({"functions": [{"name": "psi"}]}), Some(other)),
        (json!({"functions": [{"name": "echo_file", "version": 2}]}), Some(other)),
        (json!({"functions": [{"name": "echo_file", "digest": "0".repeat(64)}]}), Some(other)),
        (json!({"collaborators": [], "recipients": []}), None),
        (json!({"not_after_ms": 4_000_000_000_000_u64}), None),
        (json!({"not_after_ms": 1}), Some("its owner allowed its use until an instant that has passed")),
        (json!({"purpose": ""}), None),
        (json!({"purpose": "audit"}), Some("its owner allows it for the purpose `audit` alone")),
        (json!({"minimum_trust": "simulated"}), None),
        (json!({"minimum_trust": "confidential"}), Some(trust)),
        (json!({"minimum_group": 2}), Some("its owner asks for a minimum group of at least 2, and the task has none")),
        (json!({"uses": 1}), None),
        (json!({"uses": 0}), Some("its owner allowed 0 uses, and there were so many")),
    ];
    for (policy, refused) in cases {
        let file = user1.put(b"what it holds").await;
        restrict(&user1, &file, policy.clone()).await;
        assert_eq!(user1.file(&file).await["file_info"]["policy"], policy);
        let task = user1.create("echo_file", &[], &[&file]).await;
        match refused {
            None => assert_eq!(task.invoke(None).await["result"], "what it holds", "{policy}"),
            Some(rule) => check_forbidden(&user1, &task, &file, rule).await,
        }
    }
}

/// Whom the owner lets take part, and who may learn something; whoever brings other files is not bound by it.
#[tokio::test(flavor = "multi_thread")]
async fn only_those_take_part_whom_every_owner_lets() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let part = "its owner does not allow user1 to take part";
    let receive = "its owner does not allow user1 to receive results";
    for (policy, refused) in [
        (json!({"collaborators": ["user1"]}), None),
        (json!({"collaborators": ["user1", "user3"], "recipients": ["user1"]}), None),
        (json!({"collaborators": []}), Some(part)),
        (json!({"collaborators": ["user3"]}), Some(part)),
        (json!({"recipients": []}), Some(receive)),
        (json!({"recipients": ["user2"]}), Some(receive)),
    ] {
        let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
        restrict(&user2, &right, policy).await;
        let task = user1.create("concat", &["user2"], &[&left]).await;
        assert_eq!(user2.approve(&task, &[&right]).await["status"], "Ready");
        match refused {
            None => assert_eq!(task.invoke(None).await["result"], "leftright"),
            Some(rule) => check_forbidden(&user1, &task, &right, rule).await,
        }
    }
}

/// An owner's minimum group binds tasks that have a lower one, or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_s_minimum_group_is_at_least_every_owner_s() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let has = |found: &str| format!("its owner asks for a minimum group of at least 2, and the task has {found}");
    for (terms, refused) in [
        (json!({}), Some(has("none"))),
        (json!({"minimum_group": 1}), Some(has("one of 1"))),
        (json!({"minimum_group": 2}), None),
        (json!({"minimum_group": 3}), None),
    ] {
        let (left, right) = (user1.put(b"01\n02\n03").await, user2.put(b"01\n02\n03").await);
        restrict(&user2, &right, json!({"minimum_group": 2})).await;
        let task = user1.create_on("ordered_set_intersect", (&["user2"], &[&left]), terms).await;
        assert_eq!(user2.approve(&task, &[&right]).await["status"], "Ready");
        match refused {
            None => assert_eq!(task.invoke(None).await["result"], "3 common items"),
            Some(rule) => check_forbidden(&user1, &task, &right, &rule).await,
        }
    }
}

/// A policy counts that is set after everybody approved, and also one that was declared with the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_binds_every_run_that_has_not_begun() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let task = user1.create("concat", &["user2"], &[&left]).await;
    assert_eq!(user2.approve(&task, &[&right]).await["status"], "Ready");
    restrict(&user2, &right, json!({"functions": [{"name": "psi"}]})).await;
    let rule = "its owner does not allow the function concat@1";
    check_forbidden(&user1, &task, &right, rule).await;
    restrict(&user2, &right, Value::Null).await;
    assert_eq!(user2.file(&right).await["file_info"].get("policy"), None);
    let task = user1.create("concat", &["user2"], &[&left]).await;
    user2.approve(&task, &[&right]).await;
    assert_eq!(task.invoke(None).await["result"], "leftright");

    let put = client::Put {
        policy: Some(serde_json::from_value(json!({"functions": []})).expect("a policy")),
        ..client::Put::named("f".parse().expect("a name"))
    };
    let client = cluster.client("user1", "token1");
    let path = cluster.data_dir().join("plain");
    fs::write(&path, b"content").expect("written");
    let stored = client.put_file(client::Contents::File(path), put, |_, _| {}).await.expect("stored");
    let task = user1.create("echo_file", &[], &[stored.file_id.as_str()]).await;
    let rule = "its owner does not allow the function echo_file@1";
    check_forbidden(&user1, &task, stored.file_id.as_str(), rule).await;
}

/// Sixty-four tasks at once for five uses.
#[tokio::test(flavor = "multi_thread")]
async fn of_tasks_that_race_for_uses_as_many_run_as_there_are() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let file = user1.put(b"content").await;
    restrict(&user1, &file, json!({"uses": 5})).await;
    let mut tasks = Vec::new();
    for _ in 0..64 {
        tasks.push(user1.create("echo_file", &[], &[&file]).await);
    }
    let mut runs = tokio::task::JoinSet::new();
    for invocation in tasks.iter().map(|task| task.invocation(None)) {
        let site = cluster.clone();
        runs.spawn(async move { site.framed(Api::FnsExternal, invocation).await });
    }
    let answers = runs.join_all().await;
    let ran = answers.iter().filter(|answer| answer["result"] == "content").count();
    assert_eq!(ran, 5, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer["result"] != "content") {
        assert_eq!(answer["code"], "permission_denied", "{answer}");
        let message = answer["message"].as_str().expect("text");
        assert!(message.starts_with(&format!("input file {file}: its owner allowed 5 uses, and ")), "{message}");
    }
    assert_eq!(uses(&user1, &file).await, 5);
    restrict(&user1, &file, json!({"uses": 6})).await;
    let (sixth, seventh) =
        (user1.create("echo_file", &[], &[&file]).await, user1.create("echo_file", &[], &[&file]).await);
    assert_eq!(sixth.invoke(None).await["result"], "content");
    check_forbidden(&user1, &seventh, &file, "its owner allowed 6 uses, and there were so many").await;
}

/// A run that fails before its function begins gives the use back; one that fails afterwards has had it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_begin_costs_no_use() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    restrict(&user1, &left, json!({"uses": 1})).await;
    let path = user2.file(&right).await["file_info"]["access_path"].as_str().expect("a path").to_owned();
    let stored = fs::read(&path).expect("stored");
    for _ in 0..3 {
        fs::write(&path, vec![0; stored.len()]).expect("written");
        let task = user1.create("concat", &["user2"], &[&left]).await;
        user2.approve(&task, &[&right]).await;
        assert_eq!(task.invoke(None).await["code"], "precondition_failed");
        assert_eq!(uses(&user1, &left).await, 0);
    }
    fs::write(&path, &stored).expect("written");
    let task = user1.create("concat", &["user2"], &[&left]).await;
    user2.approve(&task, &[&right]).await;
    assert_eq!(task.invoke(None).await["result"], "leftright");
    assert_eq!(uses(&user1, &left).await, 1);
    let task = user1.create("concat", &["user2"], &[&left]).await;
    user2.approve(&task, &[&right]).await;
    check_forbidden(&user1, &task, &left, "its owner allowed 1 use, and there were so many").await;

    // psi takes records of 32 bytes, and finds out by reading.
    let odd = user1.put(b"odd").await;
    restrict(&user1, &odd, json!({"uses": 1})).await;
    let task = user1.create("psi", &["user2"], &[&odd]).await;
    user2.approve(&task, &[&user2.put(&[1; 32]).await]).await;
    assert_eq!(task.invoke(None).await["code"], "function_failed");
    assert_eq!(uses(&user1, &odd).await, 1);
}

/// What a function node says to the kms, which believes the tms alone.
struct Scene<'a> {
    site: &'a Site,
    task: Task<'a>,
    file: String,
    key: String,
}

impl<'a> Scene<'a> {
    /// A task that runs under the lease `lease`, on a file with this policy.
    async fn set(site: &'a Site, policy: Value) -> Self {
        let [user1, ..] = site.examples();
        let file = user1.put(b"content").await;
        restrict(&user1, &file, policy).await;
        let task = user1.create("echo_file", &[], &[&file]).await;
        assert!(task.update(json!("Running"), Some("lease")).await);
        let key = key_of(site, &file).await;
        Scene { site, task, file, key }
    }

    async fn kms(&self, document: Value) -> Value {
        self.site.framed_as(Role::Fns, Api::Kms, document).await
    }

    async fn release(&self, task: &str, lease: &str, files: Value) -> Value {
        self.kms(json!({"type": "Release", "task_id": task, "lease_id": lease, "files": files})).await
    }

    async fn begin(&self, task: &str, lease: &str) -> Value {
        self.kms(json!({"type": "Begin", "task_id": task, "lease_id": lease})).await
    }

    fn wanted(&self) -> Value {
        json!({"file_id": self.file, "key_id": self.key})
    }
}

async fn key_of(site: &Site, file: &str) -> String {
    let record = site.framed(Api::TdfsInternal, json!({"type": "Get", "file_id": file})).await;
    record["file_info"]["key_id"].as_str().expect("a name").to_owned()
}

fn check_refused(answer: &Value, code: &str, message: &str) {
    assert_eq!((&answer["code"], &answer["message"]), (&json!(code), &json!(message)));
}

/// A node that lies about task, lease, file or key gets nothing, and one that goes around it neither.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_for_the_task_the_lease_and_the_file_that_they_were_asked_for() {
    let cluster = cluster().await;
    let scene = Scene::set(&cluster, json!({"uses": 2})).await;
    let [user1, ..] = cluster.examples();
    let (id, file) = (scene.task.id.as_str(), scene.file.as_str());
    let bare = user1.put(b"without a policy").await;
    let bare_key = key_of(&cluster, &bare).await;
    let other = Scene::set(&cluster, json!({})).await;

    let get = scene.kms(json!({"type": "Get", "key_id": scene.key})).await;
    let way = format!(
        "the owner of the file of key {} has set a policy: ask for it with `Release`, for a task that runs",
        scene.key
    );
    check_refused(&get, "permission_denied", &way);
    let delete = scene.kms(json!({"type": "Delete", "key_id": scene.key})).await;
    check_refused(&delete, "permission_denied", &way);
    assert_eq!(scene.kms(json!({"type": "Get", "key_id": bare_key})).await["type"], "Get");

    let lease = scene.release(id, "another", json!([scene.wanted()])).await;
    check_refused(&lease, "conflict", &format!("task {id} does not run under this lease"));
    let task = scene.release("another", "lease", json!([scene.wanted()])).await;
    check_refused(&task, "conflict", "task another does not run under this lease");
    let foreign = scene.release(&other.task.id, "lease", json!([scene.wanted()])).await;
    check_refused(
        &foreign,
        "permission_denied",
        &format!("file {file} is not among what task {} reads", other.task.id),
    );
    let more = json!([scene.wanted(), {"file_id": bare, "key_id": bare_key}]);
    check_refused(
        &scene.release(id, "lease", more).await,
        "permission_denied",
        &format!("file {bare} is not among what task {id} reads"),
    );
    let swapped = json!([{"file_id": file, "key_id": other.key}]);
    let swapped = scene.release(id, "lease", swapped).await;
    check_refused(&swapped, "permission_denied", &format!("the key that is asked for is not that of file {file}"));
    let begun = scene.begin(id, "lease").await;
    check_refused(&begun, "conflict", &format!("no use of a file is kept for this run of task {id}"));
    assert_eq!(uses(&user1, file).await, 0);

    // None of it took a use; asked for again, it takes no second one.
    for _ in 0..3 {
        let released = scene.release(id, "lease", json!([scene.wanted(), scene.wanted()])).await;
        assert_eq!((&released["type"], &released["counted"]), (&json!("Release"), &json!(true)), "{released}");
        assert_eq!(released["keys"].as_array().map(Vec::len), Some(2));
        assert_eq!(scene.begin(id, "lease").await["success"], true);
        assert_eq!(uses(&user1, file).await, 1);
    }
    assert!(scene.task.update(json!("Failed"), Some("lease")).await);
    for late in [scene.release(id, "lease", json!([scene.wanted()])).await, scene.begin(id, "lease").await] {
        check_refused(&late, "conflict", &format!("task {id} does not run under this lease"));
    }
}

/// Who may ask the kms for what.
#[tokio::test(flavor = "multi_thread")]
async fn policies_are_the_tdfs_s_business_and_releases_the_nodes() {
    let cluster = cluster().await;
    let scene = Scene::set(&cluster, json!({})).await;
    let terms = json!({"file_id": scene.file, "owner": "user1", "policy": {}});
    let set = json!({"type": "SetPolicy", "key_id": scene.key, "policy": terms});
    check_refused(&scene.kms(set).await, "permission_denied", "only the tdfs may ask for this");
    let create = json!({"type": "Create", "policy": terms});
    check_refused(&scene.kms(create).await, "permission_denied", "only the tdfs may ask for this");
    let (task, lease) = (&scene.task.id, "lease");
    for request in [
        json!({"type": "Release", "task_id": task, "lease_id": lease, "files": [scene.wanted()]}),
        json!({"type": "Begin", "task_id": task, "lease_id": lease}),
    ] {
        let refused = cluster.framed_as(Role::Tdfs, Api::Kms, request).await;
        check_refused(&refused, "permission_denied", "only the fns may ask for this");
    }
    let gone = json!({"type": "SetPolicy", "key_id": "gone"});
    check_refused(&cluster.framed(Api::Kms, gone).await, "not_found", "no key gone");
}

/// The owner alone sets a policy and sees it; readers of a result learn nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_its_owners_alone() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let task = user1.create("swap_file", &["user2"], &[&left]).await;
    user2.approve(&task, &[&right]).await;
    let shared = task.invoke(None).await["result"].as_str().expect("a file").to_owned();
    restrict(&user1, &shared, json!({"uses": 1})).await;
    assert_eq!(user1.file(&shared).await["file_info"]["uses"], 0);
    let seen = user2.file(&shared).await["file_info"].clone();
    assert_eq!((seen.get("policy"), seen.get("uses"), seen["user_id"].as_str()), (None, None, Some("user1")));
    assert_eq!(user2.restrict(&shared, Value::Null).await["code"], "permission_denied");
    assert_eq!(user3.restrict(&shared, Value::Null).await["code"], "not_found");
    assert_eq!(user1.restrict("nothing", Value::Null).await["code"], "not_found");
    for (policy, field) in [
        (json!({"uses": 1_u64 << 53}), "policy"),
        (json!({"purpose": "x".repeat(201)}), "policy"),
        (json!({"functions": vec![json!({"name": "f"}); 101]}), "policy"),
        (json!({"collaborators": vec!["user2"; 1001]}), "policy"),
        (json!({"minimum_group": 0}), "policy"),
        (json!({"minimum_group": 1_u64 << 32}), "policy"),
        (json!({"use": 1}), "`use`"),
        (json!({"functions": [{"name": "f", "version": "1"}]}), "policy.functions[0].version"),
    ] {
        let refused = user1.restrict(&shared, policy.clone()).await;
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(refused["code"] == "invalid_request" && message.contains(field), "{policy}: {refused}");
    }
    // Whoever may read a result can bring it to a task: its owner's word counts there, too.
    restrict(&user1, &shared, json!({"collaborators": []})).await;
    let again = user2.create("echo_file", &[], &[&shared]).await;
    check_forbidden(&user2, &again, &shared, "its owner does not allow user2 to take part").await;
}

/// Policies and uses outlive a restart, and keys that are gone leave nothing that counts.
#[tokio::test(flavor = "multi_thread")]
async fn uses_outlive_a_restart() {
    let mut cluster = cluster().await;
    let file = {
        let [user1, ..] = cluster.examples();
        let file = user1.put(b"content").await;
        restrict(&user1, &file, json!({"uses": 2})).await;
        let task = user1.create("echo_file", &[], &[&file]).await;
        assert_eq!(task.invoke(None).await["result"], "content");
        file
    };
    cluster.restart().await;
    let [user1, ..] = cluster.examples();
    assert_eq!(uses(&user1, &file).await, 1);
    let task = user1.create("echo_file", &[], &[&file]).await;
    assert_eq!(task.invoke(None).await["result"], "content");
    let task = user1.create("echo_file", &[], &[&file]).await;
    check_forbidden(&user1, &task, &file, "its owner allowed 2 uses, and there were so many").await;
    // Away and back again: what was counted stays counted.
    restrict(&user1, &file, Value::Null).await;
    restrict(&user1, &file, json!({"uses": 2})).await;
    let task = user1.create("echo_file", &[], &[&file]).await;
    check_forbidden(&user1, &task, &file, "its owner allowed 2 uses, and there were so many").await;
}

/// A server that is killed while runs take uses: afterwards as many are left as did not begin.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_use_and_gives_none_twice() {
    const USES: u64 = 6;
    let dir = tempfile::tempdir().expect("a folder");
    let mut process = Process::start(&loopback(dir.path()), &Role::ALL);
    process.site.add_example_users().await;
    let file = process.site.examples()[0].put(b"content").await;
    restrict(&process.site.examples()[0], &file, json!({"uses": USES})).await;
    let mut answered = 0;
    for round in 0..3_u64 {
        let site = process.site.clone();
        let [user1, ..] = site.examples();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            tasks.push(user1.create("echo_file", &[], &[&file]).await);
        }
        let mut runs = tokio::task::JoinSet::new();
        for document in tasks.iter().map(|task| task.invocation(None)) {
            let site = site.clone();
            runs.spawn(async move {
                let mut channel = site.try_open(testkit::Protocol::Framed, Api::FnsExternal).await.ok()?;
                Some(channel.send(&document.to_string()).await.ok()?.json()["result"] == "content")
            });
        }
        tokio::time::sleep(Duration::from_millis(4 + 7 * round)).await;
        process.kill();
        while let Some(ended) = runs.join_next().await {
            answered += u64::from(ended.expect("no panic") == Some(true));
        }
        process = Process::start(&loopback(dir.path()), &Role::ALL);
    }
    let site = process.site.clone();
    let [user1, ..] = site.examples();
    let begun = uses(&user1, &file).await.as_u64().expect("a number");
    assert!((answered..=USES).contains(&begun), "{answered} answered, {begun} began");
    // What did not begin is there still, once the leases of killed runs are over.
    let give_up = Instant::now() + Duration::from_secs(60);
    let mut ran = begun;
    while ran < USES {
        assert!(Instant::now() < give_up, "{ran} of {USES} uses were given");
        let task = user1.create("echo_file", &[], &[&file]).await;
        match task.invoke(None).await["result"] == "content" {
            true => ran += 1,
            false => tokio::time::sleep(Duration::from_millis(200)).await,
        }
        assert_eq!(uses(&user1, &file).await, ran);
    }
    let task = user1.create("echo_file", &[], &[&file]).await;
    check_forbidden(&user1, &task, &file, "its owner allowed 6 uses, and there were so many").await;
}

/// Whoever deletes a file gets the tdfs's word for it, which anybody can check, and which is of no other file.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_stated() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let file = user1.put(b"content").await;
    let key = key_of(&cluster, &file).await;
    restrict(&user1, &file, json!({"uses": 1})).await;
    let info = user1.file(&file).await["file_info"].clone();
    let delete = json!({"type": "Delete", "file_id": file, "erasure": true});
    let deleted = user1.ask(Api::TdfsExternal, delete).await;
    let statement: SignedStatement = serde_json::from_value(deleted["erasure"].clone()).expect("a statement");
    let erasure: Erasure = statement::open(&statement, ERASURE).expect("signed by its signer");
    assert_eq!((erasure.file_id.as_str(), erasure.owner.as_str()), (file.as_str(), "user1"));
    assert_eq!((json!(erasure.sha256), erasure.file_size), (info["sha256"].clone(), 7));
    assert!(erasure.ciphertext_removed && erasure.schema == 1, "{erasure:?}");
    let trust = cluster.deployment().trust().expect("trust");
    assert_eq!(erasure.deployment, trust.deployment.to_string());
    let gone = cluster.framed(Api::Kms, json!({"type": "Get", "key_id": key})).await;
    assert_eq!(gone["code"], "not_found");

    let is = |role| trust.appraise_with(|verifier| statement::appraise(&statement.signer, verifier, role).is_ok());
    assert!(is(Role::Tdfs) && !is(Role::Kms), "the tdfs's key");
    let mut forged = statement.clone();
    let text = String::from_utf8(forged.payload.0.clone()).expect("JSON").replace("\"user1\"", "\"user2\"");
    forged.payload.0 = text.into_bytes();
    assert!(statement::open::<Erasure>(&forged, ERASURE).is_err());
}

/// While nobody can say which tasks run, no key is given out.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_tms_nothing_is_released() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut config = loopback(dir.path());
    // Nobody listens there.
    config.tms.internal = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let process = Process::start(&config, &[Role::Kms, Role::Tdfs]);
    let release = json!({"type": "Release", "task_id": "t", "lease_id": "l", "files": []});
    let refused = process.site.framed_as(Role::Fns, Api::Kms, release).await;
    check_refused(&refused, "unavailable", "the tms can't be reached; try again");
}
