//! What records, keys and ciphertext have lost of each other is found, and nothing that belongs together is touched.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rpc::Client;
use serde_json::{Value, json};
use testkit::party::Party;
use testkit::{Cluster, Site};
use types::service::{Api, Role};
use types::wire::tdfs_operator::{Check, CheckReport, Flaw};

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// Looks, and judges files of every age.
fn look() -> Check {
    Check { older_than_hours: Some(0), ..Check::default() }
}

fn repair() -> Check {
    Check { repair: true, ..look() }
}

fn delete() -> Check {
    Check { delete_unreadable: true, ..repair() }
}

async fn check(site: &Site, check: Check) -> CheckReport {
    tdfs::ask_running(site.data_dir(), check).await.expect("a report").expect("it runs")
}

/// What a check finds, as flaws with the numbers found and removed.
async fn flaws(site: &Site, wanted: Check) -> Vec<(Flaw, u64, u64)> {
    let report = check(site, wanted).await;
    report.flaws.iter().map(|count| (count.flaw, count.found, count.removed)).collect()
}

fn path(site: &Site, file: &str) -> PathBuf {
    site.data_dir().join("files").join(file)
}

async fn keys(site: &Site) -> Vec<String> {
    let answer = list_keys(site, json!({"type": "ListKeys"})).await;
    answer["key_ids"].as_array().expect("names").iter().map(|name| name.as_str().expect("text").to_owned()).collect()
}

/// Asks as a tdfs.
async fn list_keys(site: &Site, document: Value) -> Value {
    let mut channel = testkit::channel::Channel::open(
        testkit::Protocol::Framed,
        site.address(Api::Kms),
        Some(&site.identity(Role::Tdfs)),
    )
    .await
    .expect("a connection");
    channel.send(&document.to_string()).await.expect("an answer").json()
}

async fn declare(party: &Party<'_>) -> String {
    let create = json!({"type": "Create", "file_name": "f", "sha256": "0".repeat(64), "file_size": 4});
    party.ask(Api::TdfsExternal, create).await["file_id"].as_str().expect("an id").to_owned()
}

/// A key that belongs to no file.
async fn make_key(site: &Site) -> String {
    list_keys(site, json!({"type": "Create"})).await["key_id"].as_str().expect("a name").to_owned()
}

async fn key_of(site: &Site, file: &str) -> String {
    let record = site.framed(Api::TdfsInternal, json!({"type": "Get", "file_id": file})).await;
    record["file_info"]["key_id"].as_str().expect("a name").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tdfs_alone_may_list_keys_page_by_page() {
    let cluster = cluster().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(make_key(&cluster).await);
    }
    made.sort();
    let first = list_keys(&cluster, json!({"type": "ListKeys", "limit": 2})).await;
    assert_eq!((&first["key_ids"], &first["more"]), (&json!(made[..2]), &json!(true)));
    let rest = list_keys(&cluster, json!({"type": "ListKeys", "limit": 2, "cursor": made[1]})).await;
    assert_eq!((&rest["key_ids"], &rest["more"]), (&json!(made[2..]), &json!(false)));
    for limit in [0, 1001] {
        let answer = list_keys(&cluster, json!({"type": "ListKeys", "limit": limit})).await;
        assert_eq!(answer["code"], "invalid_request");
    }
    let identity = cluster.identity(Role::Fns);
    let mut node =
        testkit::channel::Channel::open(testkit::Protocol::Framed, cluster.address(Api::Kms), Some(&identity))
            .await
            .expect("a connection");
    let answer = node.send(&json!({"type": "ListKeys"}).to_string()).await.expect("an answer").json();
    assert_eq!(answer["code"], "permission_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_order_is_left_as_it_is() {
    let cluster = cluster().await;
    let party = cluster.party("user1", "token1");
    let mut files = Vec::new();
    for number in 0..5_u8 {
        files.push(party.put(&[number; 100]).await);
    }
    party.delete(&files.pop().expect("one")).await;
    for wanted in [look(), repair(), delete()] {
        let report = check(&cluster, wanted).await;
        assert_eq!((report.files, report.keys, report.ciphertexts, report.waiting), (4, 4, 4, 0));
        assert!(report.flaws.is_empty() && report.findings.is_empty(), "{report:?}");
    }
    for (number, file) in (0..5_u8).zip(&files) {
        assert_eq!(party.get(file).await, [number; 100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found_and_removed_as_far_as_was_said() {
    let cluster = cluster().await;
    let site = cluster.clone();
    let party = site.party("user1", "token1");
    let (good, short, keyless) = (party.put(b"good").await, party.put(b"short").await, party.put(b"keyless").await);
    let never = declare(&party).await;
    fs::write(path(&site, &short), b"x").expect("written");
    let lost = key_of(&site, &keyless).await;
    list_keys(&site, json!({"type": "Delete", "key_id": lost})).await;
    let orphan = make_key(&site).await;
    fs::write(path(&site, "11111111-2222-4333-8444-555555555555"), b"nobody's").expect("written");
    fs::write(path(&site, "notes.txt"), b"an operator's").expect("written");

    let found = |removed: [u64; 5]| {
        let flaws = [Flaw::NeverUploaded, Flaw::WrongLength, Flaw::NoKey, Flaw::OrphanKey, Flaw::OrphanCiphertext];
        let mut all: Vec<_> = flaws.into_iter().zip(removed).map(|(flaw, removed)| (flaw, 1, removed)).collect();
        all.push((Flaw::Stray, 1, 0));
        all
    };
    let young = check(&site, Check::default()).await;
    assert_eq!((young.waiting, young.flaws.len()), (2, 4), "what may still come is no flaw: {young:?}");
    assert_eq!(flaws(&site, look()).await, found([0; 5]));
    assert_eq!(flaws(&site, look()).await, found([0; 5]), "looking changes nothing");
    assert_eq!(flaws(&site, repair()).await, found([1, 0, 0, 1, 1]));
    assert_eq!(party.file(&never).await["code"], "not_found");
    assert!(!keys(&site).await.contains(&orphan));
    assert_eq!(party.list(Api::TdfsExternal).await.len(), 3);
    let rest = [(Flaw::WrongLength, 1, 1), (Flaw::NoKey, 1, 1), (Flaw::Stray, 1, 0)];
    assert_eq!(flaws(&site, delete()).await, rest);
    assert_eq!(flaws(&site, look()).await, [(Flaw::Stray, 1, 0)]);
    assert_eq!((party.get(&good).await, party.list(Api::TdfsExternal).await), (b"good".to_vec(), vec![good]));
    assert!(path(&site, "notes.txt").exists() && !path(&site, &short).exists());
    assert_eq!(keys(&site).await.len(), 1);
}

/// An input that is needed stays, whatever it lacks, until its task has ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_holds_is_never_removed() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let (never, keyless) = (declare(&user1).await, user1.put(b"keyless").await);
    user1.create("concat", &["user2"], &[&never, &keyless]).await;
    let key = key_of(&cluster, &keyless).await;
    list_keys(&cluster, json!({"type": "Delete", "key_id": key})).await;
    assert_eq!(flaws(&cluster, delete()).await, [(Flaw::NeverUploaded, 1, 0), (Flaw::NoKey, 1, 0)]);
    assert_eq!(user1.list(Api::TdfsExternal).await.len(), 2);
}

/// While files come and go at full speed, none of them is ever found wanting, nor harmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_that_come_and_go_meanwhile_are_left_alone() {
    let cluster = cluster().await;
    let (site, stop) = (cluster.clone(), Arc::new(AtomicBool::new(false)));
    let load = |name: &'static str, token: &'static str| {
        let (site, stop) = (site.clone(), stop.clone());
        tokio::spawn(async move {
            let (party, mut kept) = (site.party(name, token), Vec::new());
            while !stop.load(Ordering::Acquire) {
                let file = party.put(name.as_bytes()).await;
                match kept.len() % 2 {
                    0 => kept.push(file),
                    _ => {
                        assert_ne!(party.delete(&file).await["type"], "Error");
                        kept.push(party.put(name.as_bytes()).await);
                    }
                }
            }
            kept
        })
    };
    let loads = [load("user1", "token1"), load("user2", "token2"), load("user3", "token3")];
    for round in 0..30 {
        // Of that age no file is, so that only keys and ciphertext are judged while they are being made.
        let wanted = Check { repair: true, delete_unreadable: round % 2 == 0, ..Check::default() };
        let report = check(&site, wanted).await;
        assert!(report.flaws.is_empty(), "round {round}: {report:?}");
    }
    stop.store(true, Ordering::Release);
    for (load, (name, token)) in loads.into_iter().zip([("user1", "token1"), ("user2", "token2"), ("user3", "token3")])
    {
        let kept = load.await.expect("no panic");
        assert!(kept.len() > 3, "{name} put only {}", kept.len());
        for file in kept {
            assert_eq!(site.party(name, token).get(&file).await, name.as_bytes());
        }
    }
    assert!(flaws(&site, look()).await.is_empty());
}

/// A folder that is not the one that it was, because its disk is not mounted, costs nobody a file.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_is_no_reason_to_remove() {
    let mut cluster = cluster().await;
    let file = cluster.party("user1", "token1").put(b"content").await;
    let (files, away) = (cluster.data_dir().join("files"), cluster.data_dir().join("away"));
    cluster.halt().await;
    fs::rename(&files, &away).expect("moved");
    cluster.start_again().await;
    let refused = tdfs::ask_running(cluster.data_dir(), delete()).await.expect_err("refused").to_string();
    assert!(refused.contains("if that disk is not mounted, mount it"), "{refused}");
    assert_eq!(flaws(&cluster, look()).await, [(Flaw::NeverUploaded, 1, 0)]);
    cluster.halt().await;
    fs::remove_dir_all(&files).expect("removed");
    fs::rename(&away, &files).expect("moved");
    cluster.start_again().await;
    assert!(flaws(&cluster, delete()).await.is_empty());
    assert_eq!(cluster.party("user1", "token1").get(&file).await, b"content");
}

/// A server that ends between a deletion's commit and what follows from it goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_cut_short_is_finished() {
    let mut cluster = cluster().await;
    let file = cluster.party("user1", "token1").put(b"content").await;
    let (key, data_dir) = (key_of(&cluster, &file).await, cluster.data_dir().to_owned());
    let ciphertext = path(&cluster, &file);
    cluster.halt().await;
    // A tdfs whose kms gives keys and removes none: the commit is made, and then it is over.
    let deployment = rpc::deployment::DevDeployment::open(&data_dir).expect("a deployment");
    let sealing = deployment.sealing_key(Role::Tdfs).expect("a key");
    let users = Arc::new(identity::Users::open(&data_dir, &sealing).expect("users"));
    let config = rpc::config::Config { data_dir: data_dir.clone(), ..rpc::config::Config::default() };
    let refusing = Client::local(Arc::new(RefusingKms), Role::Tdfs);
    let tdfs = Arc::new(tdfs::open_stopped(&config, &sealing, refusing, users.clone()).await.expect("opens"));
    fs::remove_file(&ciphertext).expect("there");
    // What can't be removed as a file keeps the ciphertext's removal waiting too.
    fs::create_dir(&ciphertext).expect("a folder");
    let delete = types::wire::tdfs_external::DeleteFile {
        erasure: false,
        file_id: file.parse().expect("an id"),
        user_id: "user1".parse().expect("a name"),
        user_token: types::secret::Secret::new("token1".into()),
    };
    let external = Client::<rpc::protocol::TdfsExternal>::local(Arc::new(tdfs::External(tdfs.clone())), Role::Tdfs);
    external.call(delete).await.expect("deleted");
    tdfs.close().await;
    users.close().await;
    drop((external, tdfs));
    fs::remove_dir(&ciphertext).expect("still there");
    fs::write(&ciphertext, b"sealed").expect("written");
    cluster.start_again().await;
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while keys(&cluster).await.contains(&key) || ciphertext.exists() {
        assert!(std::time::Instant::now() < give_up, "it is never finished");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(flaws(&cluster, look()).await.is_empty());
}

/// Gives a key to whoever asks, and removes none.
struct RefusingKms;

impl rpc::Service for RefusingKms {
    type Protocol = rpc::protocol::Kms;
    type Error = kms::Error;

    async fn call(
        &self,
        _: rpc::Ctx,
        request: types::wire::kms::Request,
    ) -> Result<types::wire::kms::Response, kms::Error> {
        use types::secret::SecretBytes;
        use types::wire::kms::{FoundKey, Request, Response};
        let bytes = |count| SecretBytes::new(vec![7; count]);
        let config = types::key::KeyConfig { key: bytes(32), nonce: bytes(12), ad: bytes(16) };
        match request {
            Request::Get(_) => Ok(Response::Get(FoundKey { config, policy: None, uses: None })),
            _ => Err(kms::Error::NotForYou(Role::Tdfs)),
        }
    }
}
