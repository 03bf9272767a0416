//! A result about fewer records than the parties agreed on exists for nobody, and none looks like few.

use serde_json::{Value, json};
use testkit::Cluster;
use testkit::party::{Party, Task};
use types::service::Api;

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// A function that counts, a file of each party, the payload that it needs, and what it counts in them.
type Sample = (&'static str, [&'static [u8]; 2], Option<&'static str>, u64);

const SAMPLES: [Sample; 4] = [
    ("psi", [&[b'a'; 64], &[b'a'; 32]], None, 1),
    ("private_join_and_compute", [b"x : 1\nx : 2\ny : 3", b"x : 5\nx : 6\nx : 7"], None, 2),
    ("ordered_set_intersect", [b"01\n02\n03", b"02\n03\n03"], None, 2),
    ("ordered_set_join", [b"a,1\nb,2", b"b,3"], Some(r#"{"left_column":0,"right_column":0}"#), 1),
];

/// A task of two parties with this minimum, approved by both.
async fn ready<'a>([user1, user2]: [Party<'a>; 2], (function, files, payload, _): Sample, minimum: u64) -> Task<'a> {
    let (left, right) = (user1.put(files[0]).await, user2.put(files[1]).await);
    let mut terms = json!({"minimum_group": minimum});
    if let Some(payload) = payload {
        let digest = crypto::hash::hex(&crypto::hash::Sha256::digest(payload.as_bytes()));
        terms["payload_sha256"] = json!(digest);
    }
    let task = user1.create_on(function, (&["user2"], &[&left]), terms).await;
    assert_eq!(user2.approve(&task, &[&right]).await["status"], "Ready", "{function}");
    task
}

/// The reason is the rule and no number; there is nothing that anybody could fetch.
async fn check_refused(parties: [Party<'_>; 2], task: &Task<'_>, payload: Option<&str>, minimum: u64) {
    let files = [parties[0].list(Api::TdfsExternal).await, parties[1].list(Api::TdfsExternal).await];
    let answer = task.invoke(payload).await;
    let rule = format!("the result would be about fewer records than the task's minimum group of {minimum}");
    assert_eq!((&answer["code"], &answer["message"]), (&json!("function_failed"), &json!(rule)));
    for (party, before) in parties.iter().zip(files) {
        let seen = party.look(task).await;
        assert_eq!((&seen["status"], &seen["error"]["message"]), (&json!("Failed"), &json!(rule)));
        assert_eq!((&seen["user_private_result_file_id"], &seen["task_result_file_id"]), (&json!([]), &Value::Null));
        assert_eq!(party.list(Api::TdfsExternal).await, before, "no new file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_about_at_least_the_minimum() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let parties = [user1, user2];
    for sample in SAMPLES {
        let (function, _, payload, records) = sample;
        check_refused(parties, &ready(parties, sample, records + 1).await, payload, records + 1).await;
        let task = ready(parties, sample, records).await;
        let answer = task.invoke(payload).await;
        assert_eq!(task.status().await, "Finished", "{function}: {answer}");
        let seen = user1.look(&task).await;
        assert!(seen["user_private_result_file_id"] != json!([]) || !seen["task_result_file_id"].is_null(), "{seen}");
    }
}

/// None and few are told in the same words.
#[tokio::test(flavor = "multi_thread")]
async fn none_looks_like_few() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    for right in [&b"04\n05"[..], b"03\n04", b"02\n03", b""] {
        let right: &'static [u8] = right;
        let sample: Sample = ("ordered_set_intersect", [b"01\n02\n03", right], None, 0);
        check_refused([user1, user2], &ready([user1, user2], sample, 3).await, None, 3).await;
    }
}

/// The minimum is part of what is approved, and of nothing where there is none.
#[tokio::test(flavor = "multi_thread")]
async fn parties_approve_the_minimum() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let task = ready([user1, user2], SAMPLES[0], 7).await;
    let found = user2.ask(Api::TmsExternal, json!({"type": "GetManifest", "task_id": task.id})).await;
    assert_eq!(found["manifest"]["minimum_group"], 7, "{found}");
    let file = user1.put(SAMPLES[0].1[0]).await;
    let task = user1.create("psi", &["user2"], &[&file]).await;
    let found = user2.ask(Api::TmsExternal, json!({"type": "GetManifest", "task_id": task.id})).await;
    assert_eq!(found["manifest"].get("minimum_group"), None, "{found}");
}

/// Built-ins that do not count, and minimums that are none.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_kept_is_not_promised() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let file = user1.put(&[b'a'; 32]).await;
    for (function, minimum, rule) in [
        ("concat", 1_u64, "concat does not count what its results are about, so it can't keep to one"),
        ("psi", 0, "a number from 1 to 4294967295"),
        ("psi", 1 << 32, "a number from 1 to 4294967295"),
    ] {
        let terms = json!({"minimum_group": minimum});
        let refused = user1.try_create_on(function, (&["user2"], &[&file]), terms).await;
        let message = format!("field `terms`: minimum_group: {rule}");
        assert_eq!((&refused["code"], &refused["message"]), (&json!("invalid_request"), &json!(message)));
    }
    assert!(user1.list(Api::TmsExternal).await.is_empty());
    let counts = |name: &str| json!({"type": "GetFunction", "function_name": name});
    for (function, expected) in [("psi", json!(true)), ("concat", Value::Null)] {
        let found = user1.ask(Api::TmsExternal, counts(function)).await;
        assert_eq!(found["function_info"]["counts"], expected, "{found}");
    }
}
