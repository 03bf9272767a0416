//! No task is left behind: whatever breaks while a task runs, it ends as `Failed` with a reason, soon.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::functions::PANIC_WORDS;
use testkit::party::{Party, Task};
use testkit::process::Process;
use testkit::{Cluster, Protocol, Site, loopback};
use types::service::{Api, Role};

/// Longer than any test waits.
const FOREVER_MS: &str = "600000";

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    testkit::process::serve().await;
}

async fn cluster(task_seconds: u64) -> Cluster {
    let cluster = Cluster::start_with_node(|config| {
        config.limits.task_seconds = task_seconds;
        config.limits.lease_seconds = 3;
        config.limits.drain_seconds = 1;
        config.fns.concurrency = Some(2);
    })
    .await;
    cluster.add_example_users().await;
    cluster
}

/// Waits until a task stands there; nothing here takes longer than a few seconds.
async fn wait_for(task: &Task<'_>, status: &str, patience: Duration) {
    let give_up = Instant::now() + patience;
    while task.status().await != status {
        assert!(Instant::now() < give_up, "task is still {}, not {status}", task.status().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const SOON: Duration = Duration::from_secs(5);

/// A task that must end as failed, soon, with this reason for its participants, and stay so.
async fn check_fails(party: &Party<'_>, task: &Task<'_>, patience: Duration, code: &str, message: &str) {
    wait_for(task, "Failed", patience).await;
    let error = &party.look(task).await["error"];
    let said = error["message"].as_str().unwrap_or_default();
    assert!(error["code"] == code && said.contains(message), "{error}");
    assert_eq!(task.invoke(None).await["code"], "conflict");
}

/// Starts a run and returns once it runs.
async fn run_in_background(site: &Site, protocol: Protocol, task: &Task<'_>) -> tokio::task::JoinHandle<Value> {
    let mut channel = site.open(protocol, Api::FnsExternal).await;
    let invocation = task.invocation(Some(FOREVER_MS)).to_string();
    let caller = tokio::spawn(async move {
        channel.send(&invocation).await.map_or_else(|error| json!(error.to_string()), |answer| answer.json())
    });
    wait_for(task, "Running", SOON).await;
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_or_panics_fails_its_task() {
    let cluster = cluster(60).await;
    let [user1, ..] = cluster.examples();
    for (function, message) in [("fails", "line 3: not to my taste"), ("panics", "the function panicked")] {
        let task = user1.create(function, &[], &[]).await;
        let failed = task.invoke(None).await;
        assert_eq!((&failed["code"], &failed["message"]), (&json!("function_failed"), &json!(message)));
        check_fails(&user1, &task, SOON, "function_failed", message).await;
        assert!(!user1.look(&task).await.to_string().contains(PANIC_WORDS));
    }
    let task = user1.create("echo", &[], &[]).await;
    assert_eq!(task.invoke(Some("the node goes on")).await["result"], "the node goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_run() {
    let cluster = cluster(60).await;
    let [user1, ..] = cluster.examples();
    for protocol in Protocol::ALL {
        let task = user1.create("naps", &[], &[]).await;
        let caller = run_in_background(&cluster, protocol, &task).await;
        caller.abort();
        check_fails(&user1, &task, SOON, "unavailable", "the client disconnected").await;
    }
    let task = user1.create("naps", &[], &[]).await;
    assert_eq!(task.invoke(Some("1")).await["result"], "rested", "both places are free again");
}

/// A client that waits in the queue and leaves takes nothing with it: the task was never begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_the_queue_leaves_the_task_ready() {
    let cluster = cluster(60).await;
    let [user1, ..] = cluster.examples();
    let mut callers = Vec::new();
    for _ in 0..2 {
        let task = user1.create("naps", &[], &[]).await;
        callers.push(run_in_background(&cluster, Protocol::Framed, &task).await);
    }
    let waiting = user1.create("naps", &[], &[]).await;
    let impatient = tokio::time::timeout(Duration::from_millis(300), waiting.invoke(Some("1"))).await;
    assert!(impatient.is_err(), "both places are taken");
    assert_eq!(waiting.status().await, "Ready");
    callers.into_iter().for_each(|caller| caller.abort());
    assert_eq!(waiting.invoke(Some("1")).await["result"], "rested");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_ends_functions_that_look_up_and_such_that_do_not() {
    let cluster = cluster(1).await;
    let [user1, ..] = cluster.examples();
    for (function, payload) in [("naps", FOREVER_MS), ("snores", "4000")] {
        let task = user1.create(function, &[], &[]).await;
        let began = Instant::now();
        assert_eq!(task.invoke(Some(payload)).await["code"], "deadline_exceeded");
        assert!(began.elapsed() < Duration::from_secs(3), "{function}: {:?}", began.elapsed());
        check_fails(&user1, &task, SOON, "deadline_exceeded", "time limit of 1 s passed").await;
    }
}

/// SIGTERM lets a run go on for the drain time, and then ends it with a reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_reports_what_it_ran() {
    let mut cluster = cluster(60).await;
    let site = cluster.clone();
    let task = site.party("user1", "token1").create("naps", &[], &[]).await;
    let _caller = run_in_background(&site, Protocol::Framed, &task).await;
    cluster.restart().await;
    let seen = cluster.party("user1", "token1").look(&task).await;
    assert_eq!((&seen["status"], &seen["error"]["code"]), (&json!("Failed"), &json!("unavailable")), "{seen}");
}

/// Starts these services in a process; the folder goes with what is returned.
fn process(services: &[Role]) -> (Process, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut config = loopback(dir.path());
    config.limits.lease_seconds = 3;
    (Process::start(&config, services), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_server_killed_during_a_run_fails_the_task_at_its_next_start() {
    let (server, _dir) = process(&Role::ALL);
    let site = server.site.clone();
    site.add_example_users().await;
    let [user1, ..] = site.examples();
    let file = user1.put(b"held").await;
    let task = user1.create("naps", &[], &[&file]).await;
    let caller = run_in_background(&site, Protocol::Framed, &task).await;
    server.kill();
    assert!(caller.await.expect("no panic").is_string(), "the connection ended");
    let _server = Process::start(site.config(), &Role::ALL);
    check_fails(&user1, &task, SOON, "unavailable", "was restarted while it ran the task").await;
    let give_up = Instant::now() + SOON;
    while user1.delete(&file).await["type"] != "Delete" {
        assert!(Instant::now() < give_up, "the file is still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A node that is killed and does not come back loses its lease; one that does gives its run up at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_node_killed_alone_fails_its_task() {
    let (others, _dir) = process(&[Role::Kms, Role::Tdfs, Role::Tms]);
    let node = Process::start(others.site.config(), &[Role::Fns]);
    let site = node.site.clone();
    site.add_example_users().await;
    let [user1, ..] = site.examples();
    let lapses = user1.create("naps", &[], &[]).await;
    let caller = run_in_background(&site, Protocol::Framed, &lapses).await;
    node.kill();
    caller.abort();
    let began = Instant::now();
    wait_for(&lapses, "Failed", Duration::from_secs(8)).await;
    assert!(began.elapsed() > Duration::from_secs(1), "a lease lasts a while");
    let error = &user1.look(&lapses).await["error"];
    assert_eq!(error["message"], "the function node stopped answering while it ran the task");

    let node = Process::start(site.config(), &[Role::Fns]);
    let given_up = user1.create("naps", &[], &[]).await;
    let caller = run_in_background(&site, Protocol::Http1, &given_up).await;
    node.kill();
    caller.abort();
    let began = Instant::now();
    let _node = Process::start(site.config(), &[Role::Fns]);
    check_fails(&user1, &given_up, SOON, "unavailable", "was restarted").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let task = user1.create("echo", &[], &[]).await;
    assert_eq!(task.invoke(Some("again")).await["result"], "again");
}

/// While a service is away its callers hear so, and nothing is lost when it comes back.
#[tokio::test(flavor = "multi_thread")]
async fn services_apart_miss_each_other_and_meet_again() {
    let (kms, _dir) = process(&[Role::Kms]);
    let tdfs = Process::start(kms.site.config(), &[Role::Tdfs]);
    let tms = Process::start(tdfs.site.config(), &[Role::Tms]);
    let node = Process::start(tms.site.config(), &[Role::Fns]);
    let site = node.site.clone();
    site.add_example_users().await;
    let [user1, ..] = site.examples();
    let file = user1.put(b"content").await;
    let task = user1.create("echo_file", &[], &[&file]).await;

    kms.kill();
    for refused in [user1.file(&file).await, user1.delete(&file).await] {
        assert_eq!(refused["code"], "unavailable", "{refused}");
    }
    let _kms = Process::start(site.config(), &[Role::Kms]);
    assert_eq!(user1.get(&file).await, b"content");

    tdfs.kill();
    for refused in [user1.look(&task).await, user1.try_create("echo_file", &[], &[&file]).await] {
        assert_eq!(refused["code"], "unavailable", "{refused}");
    }
    let _tdfs = Process::start(site.config(), &[Role::Tdfs]);

    tms.kill();
    assert_eq!(task.invoke(None).await["code"], "unavailable");
    let _tms = Process::start(site.config(), &[Role::Tms]);
    assert_eq!(task.invoke(None).await["result"], "content");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_nodes_that_race_for_a_task_one_runs_it() {
    let cluster = cluster(60).await;
    let [user1, ..] = cluster.examples();
    for _ in 0..8 {
        let task = user1.create("echo", &[], &[]).await;
        let (one, two) =
            tokio::join!(task.update(json!("Running"), Some("one")), task.update(json!("Running"), Some("two")));
        assert!(one != two, "{one} {two}");
        let (winner, loser) = if one { ("one", "two") } else { ("two", "one") };
        assert!(!task.update(json!("Finished"), Some(loser)).await);
        assert!(task.update(json!("Finished"), Some(winner)).await);

        let task = user1.create("echo", &[], &[]).await;
        let (one, two) = tokio::join!(task.invoke(Some("p")), task.invoke(Some("p")));
        let mut said = [&one, &two].map(|answer| answer["result"].as_str().or(answer["code"].as_str()));
        said.sort_unstable();
        assert_eq!(said, [Some("conflict"), Some("p")]);
    }
}

/// A lease lasts as long as it is renewed, for whoever knows it and for nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn leases_are_renewed_or_lapse() {
    let cluster = cluster(60).await;
    let [user1, ..] = cluster.examples();
    let (kept, lapses) = (user1.create("echo", &[], &[]).await, user1.create("echo", &[], &[]).await);
    for task in [&kept, &lapses] {
        assert!(!task.renew("lease").await, "nobody holds it yet");
        assert!(task.update(json!("Running"), Some("lease")).await);
        assert!(!task.update(json!("Running"), Some("lease")).await, "a lease is taken once");
    }
    for _ in 0..10 {
        assert!(kept.renew("lease").await && !kept.renew("foreign").await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for (update, lease) in
        [(json!("Finished"), Some("foreign")), (json!("Finished"), None), (json!("Failed"), None), (json!(null), None)]
    {
        assert!(!kept.update(update, lease).await);
    }
    check_fails(&user1, &lapses, SOON, "unavailable", "stopped answering").await;
    assert!(!lapses.renew("lease").await && !lapses.update(json!("Finished"), Some("lease")).await);
    assert!(kept.update(json!("Finished"), Some("lease")).await);
    assert!(!kept.renew("lease").await, "it ended");
}

/// A node of the original system names no lease: its runs are bounded by the time limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_lease_ends_with_its_time() {
    let cluster = cluster(1).await;
    let [user1, ..] = cluster.examples();
    let task = user1.create("echo", &[], &[]).await;
    assert!(task.update(json!("Running"), None).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(task.status().await, "Running");
    check_fails(&user1, &task, SOON, "deadline_exceeded", "time limit passed").await;
}

/// Leases outlive the tms: a node that renews does not notice its restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_tms_does_not_end_what_nodes_run() {
    let (others, _dir) = process(&[Role::Kms, Role::Tdfs, Role::Tms]);
    let node = Process::start(others.site.config(), &[Role::Fns]);
    let site = node.site.clone();
    site.add_example_users().await;
    let [user1, ..] = site.examples();
    let task = user1.create("naps", &[], &[]).await;
    let mut channel = site.open(Protocol::Framed, Api::FnsExternal).await;
    let invocation = task.invocation(Some("3500")).to_string();
    let caller = tokio::spawn(async move { channel.send(&invocation).await.expect("an answer").json() });
    wait_for(&task, "Running", SOON).await;
    others.kill();
    let _others = Process::start(site.config(), &[Role::Kms, Role::Tdfs, Role::Tms]);
    assert_eq!(caller.await.expect("no panic"), json!({"result": "rested"}));
    assert_eq!(task.status().await, "Finished");
}
