//! Every function end to end, with its outputs in the right hands and in no others.

use serde_json::{Value, json};
use testkit::Cluster;
use testkit::party::{Party, Task};
use types::service::Api;

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    cluster
}

/// The result of a task that must succeed.
async fn check_result(task: &Task<'_>, payload: Option<&str>, expected: &str) {
    assert_eq!(task.invoke(payload).await, json!({ "result": expected }), "{}", task.function);
    assert_eq!(task.status().await, "Finished");
}

/// An invocation that is refused before it begins: the task stays as it was.
async fn check_refused(task: &Task<'_>, payload: Option<&str>, code: &str, message: &str) {
    let refused = task.invoke(payload).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!(code), &json!(message)), "{}", task.function);
    assert_eq!(task.status().await, "Ready");
}

/// A run that fails: caller and participants read the same reason, and nobody gets anything.
async fn check_fails(task: &Task<'_>, participants: &[Party<'_>], message: &str) {
    let failed = task.invoke(None).await;
    assert_eq!((&failed["code"], &failed["message"]), (&json!("function_failed"), &json!(message)));
    for party in participants {
        let seen = party.look(task).await;
        let reason = json!({"type": "Error", "code": "function_failed", "message": message,
            "request_id": failed["request_id"]});
        assert_eq!((&seen["status"], &seen["error"]), (&json!("Failed"), &reason));
        assert_eq!((&seen["task_result_file_id"], &seen["user_private_result_file_id"]), (&Value::Null, &json!([])));
    }
}

/// A task of a multi-party function, ready to run: the first party creates it, the others approve, each with its file.
async fn ready<'a>(function: &str, parties: &[(Party<'a>, &str)]) -> Task<'a> {
    let [(creator, file), others @ ..] = parties else { panic!("somebody creates it") };
    let names: Vec<&str> = others.iter().map(|(party, _)| party.name).collect();
    let task = creator.create(function, &names, &[file]).await;
    for (at, (party, file)) in others.iter().enumerate() {
        let status = if at + 1 == others.len() { "Ready" } else { "Created" };
        assert_eq!(party.approve(&task, &[file]).await["status"], status);
    }
    task
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payload_functions_answer_with_it() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    for (function, payload, expected) in [
        ("echo", "echo_payload", "echo_payload"),
        ("echo", "", ""),
        ("echo", "茶館 \" \\ \u{0}\n", "茶館 \" \\ \u{0}\n"),
        ("bytes_plus_one", "HAL", "IBM"),
        ("bytes_plus_one", "\u{7f}", "\u{fffd}"),
    ] {
        check_result(&user1.create(function, &[], &[]).await, Some(payload), expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_of_another_shape_leaves_the_task_ready() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    for function in ["echo", "bytes_plus_one"] {
        let task = user1.create(function, &[], &[]).await;
        check_refused(&task, None, "invalid_request", "the function needs a payload").await;
        check_result(&task, Some(""), "").await;
    }
    let (left, right) = (user1.put(b"l").await, user2.put(b"r").await);
    let concat = ready("concat", &[(user1, &left), (user2, &right)]).await;
    check_refused(&concat, Some("p"), "invalid_request", "the function takes no payload").await;
    let mut other = concat.clone();
    other.function = "psi".to_owned();
    let message = format!("field `function_name`: task {} is for concat", concat.id);
    check_refused(&other, None, "invalid_request", &message).await;
    let mut forged = concat.clone();
    forged.token = "0".repeat(32);
    check_refused(&forged, None, "unauthenticated", "wrong task_token").await;
    check_result(&concat, None, "lr").await;
}

/// Both functions that read one file read it from wherever their callers may name it, and from nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn one_file_may_be_an_input_or_named_by_the_payload() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (own, others) = (user1.put(b"HAL").await, user2.put(b"secret").await);
    for (function, expected) in [("echo_file", "HAL"), ("file_bytes_plus_one", "IBM")] {
        check_result(&user1.create(function, &[], &[&own]).await, None, expected).await;
        check_result(&user1.create(function, &[], &[&own]).await, Some(&own), expected).await;
        check_result(&user1.create(function, &[], &[]).await, Some(&own), expected).await;

        let task = user1.create(function, &[], &[]).await;
        check_refused(&task, None, "invalid_request", "the function takes exactly 1 input file, not 0").await;
        let refused = "field `payload`: no file of this id is an input of the task or readable by its creator";
        for payload in [others.as_str(), "no such file", "", &"x".repeat(65), "\n"] {
            check_refused(&task, Some(payload), "not_found", refused).await;
        }
        check_result(&task, Some(&own), expected).await;
    }
    let refused = user1.try_create("echo_file", &[], &[&others]).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("not_found"), &json!(format!("no file {others}"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_none_is_replaced() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    let file = user1.put(b"a\xffb").await;
    check_result(&user1.create("echo_file", &[], &[&file]).await, None, "a\u{fffd}b").await;
}

/// What a shared result names, both parties can read; the private ones, one each; a stranger, nothing.
#[tokio::test(flavor = "multi_thread")]
async fn swap_file_gives_each_the_others_and_all_both() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let (left, right) = (user1.put(b"left").await, user2.put(b"right").await);
    let task = ready("swap_file", &[(user1, &left), (user2, &right)]).await;
    let result = task.invoke(None).await;
    let shared = result["result"].as_str().expect("an id").to_owned();
    for (party, private) in [(user1, b"right".to_vec()), (user2, b"left".to_vec())] {
        assert_eq!(party.look(&task).await["task_result_file_id"], json!(shared));
        assert_eq!(party.get(&shared).await, b"leftright");
        assert_eq!(party.private_results(&task).await, [private]);
        assert!(party.list(Api::TdfsExternal).await.contains(&shared) == (party.name == "user1"));
    }
    for output in task.inside().await["output_files"].as_array().expect("a list") {
        let (owner, id) = (output["user_id"].as_str().expect("a name"), output["file_id"].as_str().expect("an id"));
        for party in [user1, user2, user3] {
            let expected = if party.name == owner { json!(null) } else { json!("not_found") };
            assert_eq!(party.file(id).await["code"], expected, "{} reads {owner}'s", party.name);
        }
    }
    assert_eq!(user3.file(&shared).await["code"], "not_found");
    assert_eq!(user2.delete(&shared).await["code"], "permission_denied");
}

/// Results come in the order in which files were given, whoever gave how many.
#[tokio::test(flavor = "multi_thread")]
async fn concat_keeps_the_order() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let mut files = Vec::new();
    for (party, content) in [(user1, "a"), (user1, "b"), (user2, "c"), (user3, "d"), (user3, "e")] {
        files.push(party.put(content.as_bytes()).await);
    }
    let [a, b, c, d, e] = std::array::from_fn(|at| files[at].as_str());
    let task = user1.create("concat", &["user2", "user3"], &[b, a, b]).await;
    // The second collaborator is faster than the first.
    assert_eq!(user3.approve(&task, &[e, d]).await["status"], "Created");
    assert_eq!(user2.approve(&task, &[c]).await["status"], "Ready");
    check_result(&task, None, "babedc").await;
}

/// Three and four parties: each gets the same sums, for identities that all of them know.
#[tokio::test(flavor = "multi_thread")]
async fn private_join_serves_many_parties() {
    let cluster = cluster().await;
    let parties = cluster.examples();
    let contents = ["anna : 1\nben : 10\nzoe : 5\n", "ben : 20\nanna : 2\n", "carl:7\nanna:3\nben:30", "ben : -1\n"];
    for (count, expected) in [(3, "anna : 6\nben : 60\n"), (4, "ben : 59\n")] {
        let mut files = Vec::new();
        for (party, content) in parties.iter().zip(contents).take(count) {
            files.push(party.put(content.as_bytes()).await);
        }
        let bring: Vec<_> = parties.iter().copied().zip(files.iter().map(String::as_str)).collect();
        let task = ready("private_join_and_compute", &bring).await;
        check_result(&task, None, "Finished").await;
        for party in &parties[..count] {
            assert_eq!(party.private_results(&task).await, [expected.as_bytes()], "{}", party.name);
        }
    }
}

/// Of a function for one user or for several, the task decides: whom it names approves, and may bring files.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_either_type_serves_one_user_and_several() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"01\n02\n03").await, user1.put(b"02\n03\n04").await);
    let others = user2.put(b"02\n03\n04").await;

    let alone = user1.create("ordered_set_intersect", &[], &[&left, &right]).await;
    assert_eq!(user1.look(&alone).await["function_type"], "Single");
    check_result(&alone, None, "2 common items").await;
    assert_eq!(user1.private_results(&alone).await, [b"011", b"110"]);
    assert_eq!(user2.look(&alone).await["code"], "not_found");

    let together = ready("ordered_set_intersect", &[(user1, &left), (user2, &others)]).await;
    assert_eq!(user2.look(&together).await["function_type"], "Multiparty");
    check_result(&together, None, "2 common items").await;
    assert_eq!(user1.private_results(&together).await, [b"011"]);
    assert_eq!(user2.private_results(&together).await, [b"110"]);

    // Who brings nothing is asked all the same.
    let watched = user1.create("ordered_set_intersect", &["user2"], &[&left, &right]).await;
    assert_eq!(watched.invoke(None).await["code"], "conflict");
    assert_eq!(user2.approve(&watched, &[]).await["status"], "Ready");
    check_result(&watched, None, "2 common items").await;
    assert!(user2.private_results(&watched).await.is_empty());
}

/// A file too few is refused when nobody is left who could bring it: alone at once, with others at the last approval.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_either_type_are_counted_once_all_were_asked() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (user1.put(b"01").await, user2.put(b"01").await);
    let too_few = json!("field `files`: the function needs 2 files, not 1");
    let refused = user1.try_create("ordered_set_intersect", &[], &[&left]).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("invalid_request"), &too_few));
    let task = user1.create("ordered_set_intersect", &["user2"], &[&left]).await;
    let refused = user2.approve(&task, &[]).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("invalid_request"), &too_few));
    assert_eq!(user2.approve(&task, &[&right]).await["status"], "Ready");
    check_result(&task, None, "1 common items").await;
}

/// Rows of one party or of several make one model, which is the creator's.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_learnt_from_the_rows_of_whoever_takes_part() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (own, others) = (user1.put(b"1,10\n2,20\n3,30\n").await, user2.put(b"4,40\n5,50\n").await);
    let alone = user1.create("gbdt_train", &[], &[&own]).await;
    let payload = r#"{"n_estimators":5}"#;
    let agreed = json!({"payload_sha256": crypto::hash::hex(&crypto::hash::Sha256::digest(payload.as_bytes()))});
    let together = user1.create_on("gbdt_train", (&["user2"], &[&own]), agreed).await;
    assert_eq!(user2.approve(&together, &[&others]).await["status"], "Ready");
    assert_eq!(together.invoke(Some("{}")).await["code"], "precondition_failed");
    for (task, rows) in [(&alone, 3), (&together, 5)] {
        let answer = task.invoke(Some(payload)).await;
        let result: Value = serde_json::from_str(answer["result"].as_str().unwrap_or_default()).expect("figures");
        assert_eq!(result["rows"], rows, "{answer}");
        let models = user1.private_results(task).await;
        let model: Value = serde_json::from_slice(&models[0]).expect("a model");
        assert_eq!((models.len(), &model["format"]), (1, &json!("teehouse/gbdt/1")));
    }
    assert!(user2.private_results(&together).await.is_empty());
}

/// A party who brings two files gets a result for each.
#[tokio::test(flavor = "multi_thread")]
async fn each_file_has_its_private_result() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    let (first, second, other) = (user1.put(b"a:1").await, user1.put(b"a:2").await, user2.put(b"a:3").await);
    let task = user1.create("private_join_and_compute", &["user2"], &[&first, &second]).await;
    user2.approve(&task, &[&other]).await;
    check_result(&task, None, "Finished").await;
    assert_eq!(user1.private_results(&task).await, [b"a : 6\n", b"a : 6\n"]);
    assert_eq!(user2.private_results(&task).await, [b"a : 6\n"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_a_function_refuses_fails_the_task_with_its_words() {
    let cluster = cluster().await;
    let [user1, user2, ..] = cluster.examples();
    for (function, left, right, message) in [
        ("psi", &[7; 32][..], &[7; 33][..], "input 2: the length is no multiple of 32 bytes"),
        ("private_join_and_compute", b"a : 1\n", b"a : 1\nb = 2\n", "input 2, line 2: expected `identity : amount`"),
        ("private_join_and_compute", b"a : 1\n\na : x", b"", "input 1, line 3: the amount is not a decimal integer"),
    ] {
        let (left, right) = (user1.put(left).await, user2.put(right).await);
        let task = ready(function, &[(user1, &left), (user2, &right)]).await;
        check_fails(&task, &[user1, user2], message).await;
    }
}

/// A single function's collaborators read the task and nothing that is the creator's alone.
#[tokio::test(flavor = "multi_thread")]
async fn collaborators_of_a_single_function_may_look() {
    let cluster = cluster().await;
    let [user1, user2, user3, _] = cluster.examples();
    let file = user1.put(b"mine").await;
    let task = user1.create("echo_file", &["user2"], &[&file]).await;
    assert_eq!(user2.look(&task).await["status"], "Ready");
    assert_eq!(user2.list(Api::TmsExternal).await, [task.id.as_str()]);
    assert_eq!(user2.approve(&task, &[]).await["code"], "conflict");
    assert_eq!(user3.look(&task).await["code"], "not_found");
    check_result(&task, None, "mine").await;
    assert_eq!(user2.file(&file).await["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_nobody_offers_is_named() {
    let cluster = cluster().await;
    let [user1, ..] = cluster.examples();
    for name in ["ech", "Echo", "", "echo@2", "echo@01", "../echo"] {
        let refused = user1.try_create(name, &[], &[]).await;
        assert_eq!(
            (&refused["code"], &refused["message"]),
            (&json!("not_found"), &json!(format!("no function {name}")))
        );
    }
}
