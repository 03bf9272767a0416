//! What was approved is what runs: exactly those bytes, from exactly those parties, once.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::party::{Party, Task};
use testkit::{Cluster, wire};
use types::service::Api;

const CONTENT: &[u8] = b"what was declared";

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

async fn path_of(party: &Party<'_>, file: &str) -> PathBuf {
    party.file(file).await["file_info"]["access_path"].as_str().expect("a path").into()
}

/// A run that must fail because bytes are not what was declared; nobody learns anything from it.
async fn check_breaks(party: &Party<'_>, task: &Task<'_>, file: &str, reason: &str) {
    let failed = task.invoke(None).await;
    let message = format!("input file {file}: {reason}");
    assert_eq!((&failed["code"], &failed["message"]), (&json!("precondition_failed"), &json!(message)));
    let seen = party.look(task).await;
    let (code, said) = (&seen["error"]["code"], &seen["error"]["message"]);
    assert_eq!((&seen["status"], code, said), (&json!("Failed"), &json!("precondition_failed"), &json!(message)));
    let inside = task.inside().await;
    assert_eq!((&inside["output_files"], &inside["task_result_file_id"]), (&json!([]), &Value::Null));
    assert_eq!(task.invoke(None).await["code"], "conflict");
}

/// Plays: put a file, create a task on it, tamper with what is stored, run.
async fn check_tampering(tamper: impl AsyncFnOnce(&Party<'_>, &str, &Path), reason: &str) {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let file = user1.put(CONTENT).await;
    let task = user1.create("echo_file", &[], &[&file]).await;
    let path = path_of(&user1, &file).await;
    tamper(&user1, &file, &path).await;
    check_breaks(&user1, &task, &file, reason).await;
}

const OTHER_LENGTH: &str = "stored file does not have the length of a sealed file of 17 bytes";
const REFUSED: &str = "stored file does not verify under its key";
const NOT_REGULAR: &str = "what is stored is not a regular file";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_is_noticed() {
    for at in [0, CONTENT.len() - 1, CONTENT.len(), CONTENT.len() + 15] {
        let change = async |_: &Party<'_>, _: &str, path: &Path| {
            let mut stored = fs::read(path).expect("stored");
            stored[at] ^= 1;
            fs::write(path, stored).expect("written");
        };
        check_tampering(change, REFUSED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_length_is_noticed() {
    for length in [0, 1, CONTENT.len(), CONTENT.len() + 15, CONTENT.len() + 17, 1 << 20] {
        let cut = async |_: &Party<'_>, _: &str, path: &Path| {
            fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length as u64)).expect("cut");
        };
        check_tampering(cut, OTHER_LENGTH).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_ciphertext_is_noticed() {
    let remove = async |_: &Party<'_>, _: &str, path: &Path| fs::remove_file(path).expect("removed");
    check_tampering(remove, "its ciphertext was never uploaded").await;
}

/// The owner has the key and can seal anything of the same size with it: that is still not what was declared.
#[tokio::test(flavor = "multi_thread")]
async fn other_content_under_the_same_key_is_noticed() {
    let replace = async |owner: &Party<'_>, file: &str, path: &Path| {
        let key = wire::file_key(&owner.file(file).await["file_info"]["key_config"]);
        let sealed = crypto::file::seal(b"what is there now".to_vec(), key).expect("small");
        fs::write(path, sealed).expect("written");
    };
    check_tampering(replace, "content of the file has another SHA-256 than was declared").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_under_another_ones_name_is_noticed() {
    let swap = async |owner: &Party<'_>, _: &str, path: &Path| {
        let other = owner.put(CONTENT).await;
        fs::copy(path_of(owner, &other).await, path).expect("copied");
    };
    check_tampering(swap, REFUSED).await;
}

/// Links are not followed, even to the right bytes; pipes are not waited for; none of it hangs.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_regular_file_is_refused() {
    let began = Instant::now();
    let link = async |_: &Party<'_>, _: &str, path: &Path| {
        let elsewhere = path.with_extension("elsewhere");
        fs::rename(path, &elsewhere).and_then(|()| symlink(&elsewhere, path)).expect("linked");
    };
    check_tampering(link, NOT_REGULAR).await;
    let dangling = async |_: &Party<'_>, _: &str, path: &Path| {
        fs::remove_file(path).and_then(|()| symlink("nowhere", path)).expect("linked");
    };
    check_tampering(dangling, NOT_REGULAR).await;
    let device = async |_: &Party<'_>, _: &str, path: &Path| {
        fs::remove_file(path).and_then(|()| symlink("/dev/zero", path)).expect("linked");
    };
    check_tampering(device, NOT_REGULAR).await;
    let pipe = async |_: &Party<'_>, _: &str, path: &Path| {
        fs::remove_file(path).expect("removed");
        let name = CString::new(path.to_str().expect("text")).expect("no zero");
        rustix::fs::mknodat(rustix::fs::CWD, &name, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    };
    check_tampering(pipe, NOT_REGULAR).await;
    let folder = async |_: &Party<'_>, _: &str, path: &Path| {
        fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("a folder");
    };
    check_tampering(folder, NOT_REGULAR).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// One bad input among good ones fails the whole task, and no party gets a result.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_from_a_task_with_one_bad_input() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let task = user1.create("swap_file", &["user2"], &[&left]).await;
    user2.approve(&task, &[&right]).await;
    fs::write(path_of(&user2, &right).await, vec![0; 5 + 16]).expect("written");
    check_breaks(&user1, &task, &right, REFUSED).await;
    let entries = fs::read_dir(cluster.config().files()).expect("a folder");
    let is_file = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let files = entries.filter(|entry| is_file(entry.as_ref().expect("an entry"))).count();
    assert_eq!(files, 2, "only the inputs are there");
    for party in [user1, user2] {
        assert_eq!(party.list(Api::TdfsExternal).await.len(), 1);
    }
}

/// A file stays for as long as a task may need it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_use_stays_until_its_last_task_ends() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let first = user1.create("concat", &["user2"], &[&left]).await;
    check_in_use(&user1, &left).await;
    user2.approve(&first, &[&right]).await;
    check_in_use(&user1, &left).await;
    check_in_use(&user2, &right).await;
    let second = user1.create("echo_file", &[], &[&left]).await;
    assert_eq!(first.invoke(None).await["result"], "leftright");
    check_deletable(&user2, &right).await;
    check_in_use(&user1, &left).await;
    assert!(second.update(json!("Running"), Some("lease")).await);
    check_in_use(&user1, &left).await;
    assert!(second.update(json!("Failed"), Some("lease")).await);
    check_deletable(&user1, &left).await;
    let again = user1.try_create("echo_file", &[], &[&left]).await;
    assert_eq!(again["code"], "not_found");
}

async fn check_in_use(owner: &Party<'_>, file: &str) {
    let refused = owner.delete(file).await;
    let message = format!("file {file} is an input of a task that has not ended");
    assert_eq!((&refused["code"], &refused["message"]), (&json!("conflict"), &json!(message)));
}

/// The tdfs hears of a task's end a moment after the caller.
async fn check_deletable(owner: &Party<'_>, file: &str) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while owner.delete(file).await["type"] != "Delete" {
        assert!(Instant::now() < give_up, "file {file} is still in use");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A client that goes away while it creates a task leaves either the task, or nothing that is held.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_nobody_waits_for_holds_nothing_without_a_task() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let mut files = Vec::new();
    for round in 0..24_u64 {
        let file = user1.put(b"content").await;
        let create = json!({"type": "Create", "function_name": "echo_file", "collaborator_list": [], "files": [file],
            "user_id": "user1", "user_token": "token1"});
        let mut stream = wire::connect(cluster.address(Api::TmsExternal), &[]).await.expect("connected");
        wire::send(&mut stream, create.to_string().as_bytes()).await.expect("sent");
        tokio::time::sleep(Duration::from_micros(500 * round)).await;
        drop(stream);
        files.push(file);
    }
    // Whatever was begun ends meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut wanted = Vec::new();
    for task in user1.list(Api::TmsExternal).await {
        let inside = cluster.framed(Api::TmsInternal, json!({"type": "Get", "task_id": task})).await;
        wanted.push(inside["task_info"]["input_files"][0]["file_id"].as_str().expect("an input").to_owned());
    }
    for file in files {
        match wanted.contains(&file) {
            true => check_in_use(&user1, &file).await,
            false => check_deletable(&user1, &file).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_once() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let (a, b, c) = (user1.put(b"a").await, user2.put(b"b").await, user3.put(b"c").await);
    let task = user1.create("concat", &["user2", "user3"], &[&a]).await;
    assert_eq!(user2.approve(&task, &[&b]).await["status"], "Created");
    let twice = user2.approve(&task, &[&b]).await;
    let message = format!("you approved task {} already", task.id);
    assert_eq!((&twice["code"], &twice["message"]), (&json!("conflict"), &json!(message)));
    assert_eq!(task.inside().await["approved_user_number"], 1);
    assert_eq!(user3.approve(&task, &[&c]).await["status"], "Ready");
    for late in [user2, user3] {
        assert_eq!(late.approve(&task, &[&b]).await["code"], "conflict");
    }
    let creator = user1.approve(&task, &[&a]).await;
    assert_eq!(creator["code"], "permission_denied");
    assert_eq!(task.invoke(None).await["result"], "abc");
}

/// Of approvals that arrive together, exactly one counts, and only its file runs.
#[tokio::test(flavor = "multi_thread")]
async fn approvals_that_race_count_once() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let own = user1.put(b"own").await;
    let (one, two) = (user2.put(b" one").await, user2.put(b" two").await);
    for _ in 0..8 {
        let task = user1.create("concat", &["user2"], &[&own]).await;
        let (first, second) = ([one.as_str()], [two.as_str()]);
        let (first, second) = tokio::join!(user2.approve(&task, &first), user2.approve(&task, &second));
        let expected = match (first["success"] == true, second["success"] == true) {
            (true, false) => "own one",
            (false, true) => "own two",
            _ => panic!("{first} {second}"),
        };
        assert_eq!(task.inside().await["input_files"].as_array().map(Vec::len), Some(2));
        assert_eq!(task.invoke(None).await["result"], expected);
    }
    check_deletable(&user2, &one).await;
    check_deletable(&user2, &two).await;
}

/// What a creator may not ask for, and which field says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_another_shape_is_not_created() {
    let cluster = Cluster::start_with(|config| {
        config.limits.files_per_party = 3;
        config.limits.collaborators = 2;
    })
    .await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let (a, b, others) = (user1.put(b"a").await, user1.put(b"b").await, user2.put(b"o").await);
    let (a, b) = (a.as_str(), b.as_str());
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a str, &'a str);
    let cases: [Case<'_>; 14] = [
        ("psi", &[], &[a], "invalid_request", "collaborator_list"),
        ("psi", &["user1"], &[a], "invalid_request", "collaborator_list"),
        ("concat", &["user2", "user2"], &[a], "invalid_request", "collaborator_list"),
        ("psi", &["nobody"], &[a], "invalid_request", "collaborator_list"),
        ("concat", &["user2", "user3", "user4"], &[a], "invalid_request", "collaborator_list"),
        ("echo", &["user1"], &[], "invalid_request", "collaborator_list"),
        ("swap_file", &["user2"], &[], "invalid_request", "files"),
        ("swap_file", &["user2"], &[a, b], "invalid_request", "files"),
        ("swap_file", &["user2", "user3"], &[a], "invalid_request", "files"),
        ("concat", &["user2"], &[a, b, a, b], "invalid_request", "files"),
        ("echo", &[], &[a], "invalid_request", "files"),
        ("echo_file", &[], &[a, b], "invalid_request", "files"),
        ("concat", &["user2"], &[&others], "not_found", &others),
        ("concat", &["user2"], &[a, "nothing"], "not_found", "nothing"),
    ];
    for (function, with, files, code, named) in cases {
        let refused = user1.try_create(function, with, files).await;
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(refused["code"] == code && message.contains(named), "{function} {with:?} {files:?}: {refused}");
    }
    assert!(user1.list(Api::TmsExternal).await.is_empty());
    check_deletable(&user1, a).await;
}

/// What a collaborator may not bring: the task waits on, and nothing is held.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_another_shape_does_not_count() {
    let cluster = Cluster::start_with(|config| config.limits.files_per_party = 2).await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let (own, a, b) = (user1.put(&[1; 32]).await, user2.put(&[1; 32]).await, user2.put(&[2; 32]).await);
    let (a, b) = (a.as_str(), b.as_str());
    let task = user1.create("swap_file", &["user2"], &[&own]).await;
    let cases: [(&[&str], &str); 5] = [
        (&[], "invalid_request"),
        (&[a, b], "invalid_request"),
        (&[a, b, a], "invalid_request"),
        (&[&own], "not_found"),
        (&["nothing"], "not_found"),
    ];
    for (files, code) in cases {
        assert_eq!(user2.approve(&task, files).await["code"], code, "{files:?}");
        assert_eq!(task.status().await, "Created");
    }
    check_deletable(&user2, b).await;
    assert_eq!(user2.approve(&task, &[a]).await["status"], "Ready");
    task.invoke(None).await;
    assert_eq!(task.status().await, "Finished");
}

/// What may run is part of what was approved exactly. Whoever approved in the documented way named nothing of the kind.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_exactly_runs_under_no_other_auditors_manifest() {
    let mut cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (exact, documented) = {
        let files = [user1.put(b"a").await, user2.put(b"b").await];
        let exact = user1.create("concat", &["user2"], &[&files[0]]).await;
        let bring = json!({"type": "BringFiles", "task_id": exact.id, "files": [files[1]]});
        user2.ask(Api::TmsExternal, bring).await;
        let seen = user2.ask(Api::TmsExternal, json!({"type": "GetManifest", "task_id": exact.id})).await;
        let approve = json!({"type": "Update", "task_id": exact.id, "files": [], "manifest": seen["manifest_sha256"]});
        assert_eq!(user2.ask(Api::TmsExternal, approve).await["status"], "Ready");
        let documented = user1.create("concat", &["user2"], &[&files[0]]).await;
        assert_eq!(user2.approve(&documented, &[&files[1]]).await["status"], "Ready");
        (exact.invocation(None), documented.invocation(None))
    };
    cluster.halt().await;
    // A deployment for development writes another one then, signed by another nobody.
    fs::remove_file(cluster.data_dir().join("trust").join("manifest.json")).expect("removed");
    cluster.start_again().await;
    let refused = cluster.framed(Api::FnsExternal, exact.clone()).await;
    assert_eq!(refused["code"], "precondition_failed", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|said| said.contains("another auditors' manifest")), "{refused}");
    let seen = cluster.framed(Api::TmsInternal, json!({"type": "Get", "task_id": exact["task_id"]})).await;
    assert_eq!(seen["task_info"]["status"], "Ready", "it costs the task nothing");
    let why = json!({"type": "GetManifest", "task_id": exact["task_id"]});
    let why = cluster.party("user1", "token1").ask(Api::TmsExternal, why).await["incomplete"].clone();
    assert!(why.as_str().is_some_and(|said| said.starts_with("user2 approved it under another")), "{why}");
    assert_eq!(cluster.framed(Api::FnsExternal, documented).await["result"], "ab");
    // Nor is a node given it that does not look.
    let lease = json!({"type": "Update", "task_id": exact["task_id"], "task_result_file_id": null, "output_files": [],
        "status": "Running", "lease_id": "lease"});
    assert_eq!(cluster.framed(Api::TmsInternal, lease).await["success"], false);
}
