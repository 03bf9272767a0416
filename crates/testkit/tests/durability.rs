//! What was acknowledged stays, whatever happens to the process; what was changed on the disk is refused.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redb::{ReadableDatabase as _, TableDefinition};
use serde_json::{Value, json};
use testkit::channel::Channel;
use testkit::party::Party;
use testkit::process::Process;
use testkit::{Cluster, Protocol, Site, loopback};
use types::error::ErrorReply;
use types::secret::Secret;
use types::service::{Api, Role};
use types::user::UserId;
use types::wire::admin;

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    testkit::process::serve().await;
}

/// What a server said that it did, before it was killed.
#[derive(Default)]
struct Acknowledged {
    users: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    deleted: Vec<String>,
    tasks: Vec<String>,
    finished: HashSet<String>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.users.len() + self.files.len() + self.deleted.len() + self.tasks.len() + self.finished.len()
    }

    fn merge(&mut self, other: Acknowledged) {
        self.users.extend(other.users);
        self.files.extend(other.files);
        self.deleted.extend(other.deleted);
        self.tasks.extend(other.tasks);
        self.finished.extend(other.finished);
    }
}

/// One connection that sends as `user1` until it is told to stop or the server is gone.
struct Load {
    channel: Channel,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// `None` once the server is gone.
    async fn open(site: &Site, api: Api, stop: &Arc<AtomicBool>) -> Option<Self> {
        Some(Load { channel: site.try_open(Protocol::Framed, api).await.ok()?, stop: stop.clone() })
    }

    /// `None` once the server is gone.
    async fn ask(&mut self, mut document: Value) -> Option<Value> {
        if self.stop.load(Ordering::Acquire) {
            return None;
        }
        if document.get("task_token").is_none() {
            document["user_id"] = json!("user1");
            document["user_token"] = json!("token1");
        }
        let answer = self.channel.send(&document.to_string()).await.ok()?.json();
        assert_ne!(answer["type"], "Error", "{answer}");
        Some(answer)
    }
}

async fn add_users(site: Site, stop: Arc<AtomicBool>, round: usize) -> Acknowledged {
    let (mut done, socket) = (Acknowledged::default(), site.data_dir().join("operator.sock"));
    for number in 0.. {
        let name = format!("user-{round}-{number}");
        let add = admin::AddUser { user_id: name.parse().expect("a name"), token: Some(Secret::new(name.clone())) };
        let added: std::io::Result<Result<admin::Response, ErrorReply>> =
            rpc::unix::call(&socket, &admin::Request::from(add)).await;
        match added {
            Ok(Ok(_)) => done.users.push(name),
            _ => break,
        }
        if stop.load(Ordering::Acquire) {
            break;
        }
    }
    done
}

async fn put_files(site: Site, stop: Arc<AtomicBool>, round: usize) -> Acknowledged {
    let mut done = Acknowledged::default();
    let Some(mut load) = Load::open(&site, Api::TdfsExternal, &stop).await else { return done };
    for number in 0.. {
        let content = format!("content {round} {number}").into_bytes();
        let sha256 = crypto::hash::hex(&crypto::hash::Sha256::digest(&content));
        let create = json!({"type": "Create", "file_name": "f", "sha256": sha256, "file_size": content.len()});
        let Some(created) = load.ask(create).await else { break };
        let sealed =
            crypto::file::seal(content.clone(), testkit::wire::file_key(&created["key_config"])).expect("small");
        std::fs::write(created["access_path"].as_str().expect("a path"), sealed).expect("written");
        let id = created["file_id"].as_str().expect("an id").to_owned();
        if number % 4 == 3 {
            let Some(_) = load.ask(json!({"type": "Delete", "file_id": id})).await else { break };
            done.deleted.push(id);
        } else {
            done.files.push((id, content));
        }
    }
    done
}

async fn run_tasks(site: Site, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut done = Acknowledged::default();
    let Some(mut tms) = Load::open(&site, Api::TmsExternal, &stop).await else { return done };
    let Some(mut fns) = Load::open(&site, Api::FnsExternal, &stop).await else { return done };
    loop {
        let create = json!({"type": "Create", "function_name": "echo", "collaborator_list": [], "files": []});
        let Some(created) = tms.ask(create).await else { break };
        let id = created["task_id"].as_str().expect("an id").to_owned();
        done.tasks.push(id.clone());
        let invoke =
            json!({"task_id": id, "function_name": "echo", "task_token": created["task_token"], "payload": "p"});
        let Some(_) = fns.ask(invoke).await else { break };
        done.finished.insert(id);
    }
    done
}

/// Kills a server after so long under load; returns what it acknowledged.
async fn load_and_kill(server: Process, round: usize, after: Duration) -> Acknowledged {
    let (site, stop) = (server.site.clone(), Arc::new(AtomicBool::new(false)));
    let users = tokio::spawn(add_users(site.clone(), stop.clone(), round));
    let files = tokio::spawn(put_files(site.clone(), stop.clone(), round));
    let tasks = tokio::spawn(run_tasks(site, stop.clone()));
    tokio::time::sleep(after).await;
    server.kill();
    stop.store(true, Ordering::Release);
    let mut all = Acknowledged::default();
    for worker in [users, files, tasks] {
        all.merge(worker.await.expect("the server refused nothing"));
    }
    all
}

/// Everything that was acknowledged is there.
async fn check_all_there(site: &Site, acknowledged: &Acknowledged) {
    let [user1, ..] = site.examples();
    for name in &acknowledged.users {
        let known = site.party(name, name).ask(Api::TmsExternal, json!({"type": "List"})).await;
        assert_eq!(known["type"], "List", "{name}: {known}");
    }
    for (id, content) in &acknowledged.files {
        assert_eq!(&user1.get(id).await, content);
    }
    for id in &acknowledged.deleted {
        assert_eq!(user1.file(id).await["code"], "not_found");
    }
    for id in &acknowledged.tasks {
        let give_up = Instant::now() + Duration::from_secs(5);
        loop {
            let found = user1.ask(Api::TmsExternal, json!({"type": "Get", "task_id": id})).await;
            let status = found["task_info"]["status"].as_str().unwrap_or_else(|| panic!("{id}: {found}")).to_owned();
            assert!(!acknowledged.finished.contains(id) || status == "Finished", "{id}: {found}");
            if status != "Running" {
                break;
            }
            assert!(Instant::now() < give_up, "{id} is left running");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// SIGKILL at random instants, under load on every store: the next start has everything that was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_every_kill() {
    const ROUNDS: usize = 24;
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Process::start(&loopback(dir.path()), &Role::ALL);
    let site = server.site.clone();
    site.add_example_users().await;
    let (mut all, mut rounds_with_answers) = (Acknowledged::default(), 0);
    for round in 0..ROUNDS {
        let [random] = crypto::random::bytes::<1>();
        let acknowledged = load_and_kill(server, round, Duration::from_micros(u64::from(random) * 1000)).await;
        server = Process::start(site.config(), &Role::ALL);
        check_all_there(&site, &acknowledged).await;
        rounds_with_answers += usize::from(acknowledged.count() > 0);
        all.merge(acknowledged);
    }
    check_all_there(&site, &all).await;
    assert!(rounds_with_answers > ROUNDS / 2, "the kills came too early: {rounds_with_answers}");
    assert!([all.users.len(), all.files.len(), all.deleted.len(), all.finished.len()].iter().all(|count| *count > 5));
    let listed = site.examples()[0].list(Api::TmsExternal).await;
    assert!(all.tasks.iter().rev().take(100).all(|task| listed.contains(task)), "the list has what was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_users_files_and_tasks() {
    let mut cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let site = cluster.clone();
    let [user1, user2, ..] = site.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let mut ready = user1.create("concat", &["user2"], &[&left]).await;
    user2.approve(&ready, &[&right]).await;
    let finished = user1.create("echo", &[], &[]).await;
    finished.invoke(Some("p")).await;
    // URLs are fresh in every answer.
    let record = async |owner: &Party| {
        let mut found = owner.file(&left).await;
        found["file_info"].as_object_mut().expect("a record").remove("download_url").expect("a URL");
        found
    };
    let before = [user1.look(&ready).await, user1.look(&finished).await, record(&user1).await];
    let lists = [user1.list(Api::TmsExternal).await, user1.list(Api::TdfsExternal).await];
    cluster.restart().await;

    let site = cluster.clone();
    let [user1, ..] = site.examples();
    assert_eq!([user1.look(&ready).await, user1.look(&finished).await, record(&user1).await], before);
    assert_eq!([user1.list(Api::TmsExternal).await, user1.list(Api::TdfsExternal).await], lists);
    assert_eq!(user1.delete(&left).await["code"], "conflict", "it is still held");
    ready = ready.at(&site);
    assert_eq!(ready.invoke(None).await["result"], "leftright");
}

/// An operator's change counts from the next request on, also on connections that are open, and with no server at all.
#[tokio::test(flavor = "multi_thread")]
async fn users_are_managed_while_a_server_runs_and_while_none_does() {
    let mut cluster = Cluster::start().await;
    let data_dir = cluster.data_dir().to_owned();
    let secret = |text: &str| Some(Secret::new(text.into()));
    operate(&data_dir, admin::AddUser { user_id: name("anna"), token: secret("one") }).await;
    let site = cluster.clone();
    let mut open =
        (site.open(Protocol::Http1, Api::TmsExternal).await, site.open(Protocol::Http2, Api::TdfsExternal).await);
    check_token(&mut open, "one", true).await;
    operate(&data_dir, admin::RotateToken { user_id: name("anna"), token: secret("two") }).await;
    check_token(&mut open, "one", false).await;
    check_token(&mut open, "two", true).await;
    operate(&data_dir, admin::DisableUser { user_id: name("anna") }).await;
    check_token(&mut open, "two", false).await;
    let mode =
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(data_dir.join("operator.sock")).expect("a socket"));
    assert_eq!(mode & 0o777, 0o600);

    cluster.halt().await;
    let admin::Response::ListUsers(list) = operate(&data_dir, admin::ListUsers {}).await else { panic!("a list") };
    assert_eq!(list.users, [admin::UserInfo { user_id: name("anna"), disabled: true, quota: Default::default() }]);
    let admin::Response::RotateToken(issued) =
        operate(&data_dir, admin::RotateToken { user_id: name("anna"), token: None }).await
    else {
        panic!("a token")
    };
    assert_eq!(issued.token.expose().len(), 64, "256 random bits");

    cluster.start_again().await;
    let site = cluster.clone();
    let mut open =
        (site.open(Protocol::Framed, Api::TmsExternal).await, site.open(Protocol::Framed, Api::TdfsExternal).await);
    check_token(&mut open, "two", false).await;
    check_token(&mut open, issued.token.expose(), true).await;
}

fn name(text: &str) -> UserId {
    text.parse().expect("a name")
}

async fn operate(data_dir: &Path, request: impl Into<admin::Request>) -> admin::Response {
    identity::operate(data_dir, request.into()).await.expect("done")
}

/// Both user planes know or refuse anna's token, on connections that were open before.
async fn check_token(open: &mut (Channel, Channel), token: &str, good: bool) {
    let list = json!({"type": "List", "user_id": "anna", "user_token": token}).to_string();
    for channel in [&mut open.0, &mut open.1] {
        let answer = channel.send(&list).await.expect("an answer").json();
        let expected = if good { json!(null) } else { json!("unauthenticated") };
        assert_eq!(answer["code"], expected, "{token}: {answer}");
    }
}

const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");

/// Swaps two records of the kms's store, as whoever holds its disk can.
fn swap_records(data_dir: &Path, one: &str, two: &str) {
    let database = redb::Database::open(data_dir.join("kms.redb")).expect("a database");
    let [one, two] = [one, two].map(|id| [id.as_bytes(), &[0, 0]].concat());
    let stored = |key: &[u8]| {
        let table = database.begin_read().expect("reads").open_table(KEYS).expect("a table");
        table.get(key).expect("reads").expect("a record").value().to_vec()
    };
    let (first, second) = (stored(&one), stored(&two));
    let transaction = database.begin_write().expect("writes");
    {
        let mut table = transaction.open_table(KEYS).expect("a table");
        table.insert(&one[..], &second[..]).expect("written");
        table.insert(&two[..], &first[..]).expect("written");
    }
    transaction.commit().expect("committed");
}

/// Answers say that something is wrong and nothing more; the log says in which table, and never which record or key.
#[tokio::test(flavor = "multi_thread")]
async fn swapped_keys_are_refused_and_the_table_is_named_in_the_log_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let kms = Process::start(&loopback(dir.path()), &[Role::Kms]);
    let site = kms.site.clone();
    let make = async || site.framed(Api::Kms, json!({"type": "Create"})).await;
    let (one, two, untouched) = (make().await, make().await, make().await);
    kms.kill();
    let id = |made: &Value| made["key_id"].as_str().expect("an id").to_owned();
    swap_records(dir.path(), &id(&one), &id(&two));

    let kms = Process::start(site.config(), &[Role::Kms]);
    for (made, verb) in [(&one, "Get"), (&two, "Get"), (&one, "Delete")] {
        let refused = site.framed(Api::Kms, json!({"type": verb, "key_id": id(made)})).await;
        let message = "internal failure; the operator finds it in the log under this request_id";
        assert_eq!((&refused["code"], &refused["message"]), (&json!("internal"), &json!(message)));
        let (request, log) = (refused["request_id"].as_str().expect("an id").to_owned(), kms.log());
        let line = log.lines().find(|line| line.contains(&request)).expect("a line with the request's id");
        assert!(line.contains("a record of table keys does not verify"), "{line}");
    }
    let fine = site.framed(Api::Kms, json!({"type": "Get", "key_id": id(&untouched)})).await;
    assert_eq!(fine["config"], untouched["config"]);
    for made in [&one, &two] {
        for secret in [&made["key_id"], &made["config"]["key"]] {
            assert!(!kms.log().contains(secret.as_str().expect("text")), "{}", kms.log());
        }
    }
}
