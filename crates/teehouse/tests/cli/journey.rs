//! The verbs against a running server: two people, their files, tasks and results.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::house::{House, run, teehouse};

#[test]
fn two_people_find_their_common_lines() {
    let house = House::open();
    let (alice, bob) = (house.user("alice"), house.user("bob"));
    let (left, right) = (house.file("left", b"one\ntwo\nthree\nfour\n"), house.file("right", b"two\nfour\nfive"));
    let left_id = alice.get(&["file", "put", &left, "--lines"]);
    let right_id = bob.get(&["file", "put", &right, "--lines"]);
    let task = alice.get(&["task", "create", "psi", "--with", "bob", "--file", &left_id]);

    assert_eq!(bob.get(&["task", "list"]), task);
    let seen = bob.run(&["task", "show", &task, "--json"]).good().json();
    assert_eq!((&seen["status"], &seen["user_id"]), (&"Created".into(), &"alice".into()));
    assert!(seen.get("task_token").is_none(), "{seen}");
    let early = alice.run(&["task", "run", &task]);
    assert_eq!(early.code, Some(1));
    assert!(early.err.contains("(conflict)"), "{}", early.err);

    assert_eq!(bob.get(&["task", "approve", &task, "--file", &right_id]), "Ready");
    assert_eq!(alice.get(&["task", "run", &task]), "Finished");
    assert_eq!(alice.get(&["task", "results", &task, "--select", &left]), "two\nfour");
    assert_eq!(bob.get(&["task", "results", &task, "--select", &right]), "two\nfour");

    let dir = house.path("results");
    let saved = bob.run(&["task", "results", &task, "-o", dir.to_str().expect("text"), "--json"]).good().json();
    let saved = saved["results"][0]["saved_as"].as_str().expect("a path").to_owned();
    assert_eq!(fs::read(saved).expect("the result"), [1, 1, 0]);

    let wrong = alice.run(&["task", "results", &task, "--select", &right]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("the text has 3 lines, the answer is to 4"), "{}", wrong.err);
}

#[test]
fn too_few_common_lines_are_told_to_nobody() {
    let house = House::open();
    let (alice, bob) = (house.user("alice"), house.user("bob"));
    let left_id = alice.get(&["file", "put", &house.file("left", b"one\ntwo\nthree\nfour\n"), "--lines"]);
    let right_id = bob.get(&["file", "put", &house.file("right", b"two\nfour\nfive"), "--lines"]);
    bob.run(&["file", "policy", &right_id, "--minimum-group", "2"]).good();
    assert_eq!(bob.get(&["file", "policy", &right_id]), "group          at least 2");
    let ask = |least: &'static str| {
        let task = alice.get(&["task", "create", "psi", "--with", "bob", "--file", &left_id, "--minimum-group", least]);
        let plan = bob.get(&["task", "plan", &task]);
        let rule = format!("group         results about fewer than {least} records, or none, are refused");
        assert!(plan.contains(&rule), "{plan}");
        bob.get(&["task", "approve", &task, "--file", &right_id]);
        alice.run(&["task", "run", &task])
    };
    let refused = ask("3");
    assert_eq!(refused.code, Some(1));
    let rule = "the result would be about fewer records than the task's minimum group of 3";
    assert!(refused.err.contains(rule), "{}", refused.err);
    assert_eq!(ask("2").good().text(), "Finished");
    assert!(ask("1").err.contains("its owner asks for a minimum group of at least 2, and the task has one of 1"));

    let wrong = alice.run(&["task", "create", "echo", "--minimum-group", "3"]);
    assert!(wrong.err.contains("echo does not count what its results are about"), "{}", wrong.err);
    assert!(alice.get(&["function", "show", "psi"]).contains("--minimum-group"));
}

#[test]
fn a_file_comes_back_as_it_was_put() {
    let house = House::open();
    let alice = house.user("alice");
    let bytes: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
    let path = house.file("report.bin", &bytes);
    let put = alice.run(&["file", "put", &path, "--json"]).good().json();
    let id = put["file_id"].as_str().expect("an id");
    assert_eq!((&put["file_name"], &put["file_size"]), (&"report.bin".into(), &(3 << 20).into()));

    let info = alice.run(&["file", "info", id, "--json"]).good().json();
    assert_eq!(info["sha256"], put["sha256"]);
    assert!(info.get("key_config").is_none(), "{info}");
    let ciphertext = fs::read(info["access_path"].as_str().expect("a path")).expect("the ciphertext");
    assert_eq!(ciphertext.len(), bytes.len() + 16);

    assert_eq!(alice.run(&["file", "get", id]).good().out, bytes);
    let back = house.path("back");
    alice.get(&["file", "get", id, "-o", back.to_str().expect("text")]);
    assert_eq!(fs::read(&back).expect("the file"), bytes);
    assert_eq!(alice.get(&["file", "list"]), id);
    let long = alice.get(&["file", "list", "--long"]);
    let date =
        long.strip_prefix(&format!("{id}      3.00 MiB  20")).and_then(|rest| rest.strip_suffix("Z  report.bin"));
    assert_eq!(date.map(str::len), Some("26-11-23T16:03:21".len()), "{long}");
    let listed = alice.run(&["file", "list", "--long", "--json"]).good().json();
    assert_eq!(listed["files"][0]["file_size"], 3 << 20);

    alice.get(&["file", "rm", id]);
    assert!(!fs::exists(info["access_path"].as_str().expect("a path")).expect("a folder"));
    assert_eq!(alice.get(&["file", "list"]), "");
    assert_eq!(alice.run(&["file", "get", id]).code, Some(1));
}

#[test]
fn changed_bytes_are_refused_and_nothing_is_left() {
    let house = House::open();
    let alice = house.user("alice");
    let id = alice.get(&["file", "put", &house.file("file", b"hello")]);
    let info = alice.run(&["file", "info", &id, "--json"]).good().json();
    let ciphertext = info["access_path"].as_str().expect("a path");
    let mut bytes = fs::read(ciphertext).expect("the ciphertext");
    bytes[0] ^= 1;
    fs::write(ciphertext, bytes).expect("the ciphertext");
    let dir = house.path("back");
    fs::create_dir(&dir).expect("a folder");
    let ended = alice.run(&["file", "get", &id, "-o", dir.join("file").to_str().expect("text")]);
    assert_eq!(
        (ended.code, ended.err),
        (
            Some(4),
            format!(
                "error: file {id} is not what was declared, nothing of it was kept: \
                 stored file does not verify under its key\n\
                 help: somebody changed the stored bytes, or the file was put wrong: ask its owner to put it again\n"
            )
        )
    );
    assert!(crate::house::is_empty(&dir));
    fs::remove_file(ciphertext).expect("the ciphertext");
    let ended = alice.run(&["file", "get", &id]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("can't be read from"), "{}", ended.err);
}

#[test]
fn standard_input_can_be_put() {
    let house = House::open();
    let alice = house.user("alice");
    let mut command = alice.command();
    command.args(["file", "put", "-", "--name", "from a pipe"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("is piped").write_all(b"piped").expect("it reads");
    let ended = child.wait_with_output().expect("it ends");
    let id = String::from_utf8(ended.stdout).expect("text");
    assert_eq!(alice.get(&["file", "get", id.trim()]), "piped");
    assert_eq!(alice.run(&["file", "info", id.trim(), "--json"]).good().json()["file_name"], "from a pipe");
}

#[test]
fn echo_answers_with_its_payload() {
    let house = House::open();
    let alice = house.user("alice");
    let task = alice.get(&["task", "create", "echo"]);
    let payload = house.file("payload", "grüße\n".as_bytes());
    assert_eq!(
        alice.run(&["task", "run", &task, "--payload", &format!("@{payload}")]).good().out,
        "grüße\n\n".as_bytes()
    );
    let task = alice.get(&["task", "create", "echo"]);
    let ran = alice.run(&["task", "run", &task, "--payload", "hello", "--json"]).good().json();
    assert_eq!(ran, serde_json::json!({ "task_id": task, "result": "hello" }));
    let again = alice.run(&["task", "run", &task, "--payload", "hello"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("(conflict)"), "{}", again.err);
}

#[test]
fn users_are_managed_while_the_server_runs() {
    let house = House::open();
    let alice = house.user("alice");
    assert_eq!(alice.get(&["task", "list"]), "");
    let chosen = house.run(&["user", "add", "user1", "--token", "token1"]).good();
    assert_eq!((chosen.text(), chosen.err.as_str()), ("", "user user1 added, with the token that you chose\n"));
    let told = house.run(&["user", "rotate", "user1", "--token", "token1", "--json"]).good().json();
    assert_eq!(told, serde_json::json!({ "user_id": "user1" }), "a chosen token is not repeated");
    assert_eq!(house.run(&["user", "list"]).good().text(), "alice\nuser1");
    assert_eq!(house.run(&["user", "add", "alice"]).code, Some(1));
    let nobody = house.run(&["user", "disable", "nobody"]);
    assert_eq!(nobody.code, Some(1));
    assert_eq!(nobody.err, "error: no user nobody\nhelp: `teehouse user list` shows the users\n");

    house.run(&["user", "disable", "alice"]).good();
    assert_eq!(house.run(&["user", "list"]).good().text(), "alice  (disabled)\nuser1");
    assert_eq!(alice.run(&["task", "list"]).code, Some(1));
    let token = house.run(&["user", "rotate", "alice"]).good().text().to_owned();
    assert_ne!(token, alice.token);
    assert_eq!(alice.run(&["task", "list"]).code, Some(1));
    alice.run(&["task", "list", "--token", &token]).good();
}

#[test]
fn raw_documents_reach_every_api() {
    let house = House::open();
    house.run(&["user", "add", "user1", "--token", "token1"]).good();
    let addresses = house.ready["addresses"].as_object().expect("addresses");
    let list = r#"{"type":"List","user_id":"user1","user_token":"token1"}"#;
    for framed in [&["--framed"][..], &[]] {
        let call = |api: &str, document: &str| {
            let at = addresses[api].as_str().expect("an address");
            house.run(&[&["call", api, document, "--at", at], framed].concat())
        };
        assert_eq!(call("tms", list).good().json(), serde_json::json!({ "type": "List", "list": [] }));
        assert_eq!(call("tdfs", list).good().json()["type"], "List");
        let created = call("kms", r#"{"type":"Create"}"#).good().json();
        assert!(created["key_id"].is_string(), "{created}");
        let get = r#"{"type":"Get","task_id":"nothing"}"#;
        let refused = call("tms-internal", get);
        assert_eq!((refused.code, refused.json()["code"].clone()), (Some(1), "not_found".into()));
        let refused = call("tdfs-internal", r#"{"type":"Get","file_id":"nothing"}"#);
        assert_eq!((refused.code, refused.json()["code"].clone()), (Some(1), "not_found".into()));
        let refused = call("fns", "{}");
        assert_eq!((refused.code, refused.json()["code"].clone()), (Some(1), "invalid_request".into()));
    }
    let kms = addresses["kms"].as_str().expect("an address");
    let stranger = house.run(&["call", "kms", r#"{"type":"Create"}"#, "--at", kms, "--as", "tms"]);
    assert_eq!(stranger.code, Some(3), "{stranger:?}");
    // The settings name the tms and the tdfs.
    house.run(&["call", "tms", list]).good();
    let file = house.file("request.json", list.as_bytes());
    house.run(&["call", "tdfs", &format!("@{file}")]).good();
}

#[test]
fn a_signal_ends_the_server_in_order_and_a_second_one_finds_the_data() {
    let mut house = House::open();
    let id = {
        let alice = house.user("alice");
        alice.get(&["file", "put", &house.file("file", b"hello")])
    };
    assert!(id.len() == 36);
    let signalled = Command::new("kill").arg(house.server().id().to_string()).status().expect("kill runs");
    assert!(signalled.success());
    assert_eq!(house.ended().code(), Some(0));
    // Without a server the same verb works on the store itself.
    assert_eq!(house.run(&["user", "list"]).good().text(), "alice");
}

#[test]
fn metrics_are_served_when_asked_for() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let house = House::open_with(&["--metrics", &format!("127.0.0.1:{port}")]);
    house.user("alice").get(&["task", "list"]);
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the listener");
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("# TYPE"), "{answer}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = teehouse();
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path()).env("RUST_LOG", "off");
    let ended = run(&mut command, &["--listen", &format!("tms={at}")]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains(&at.to_string()) && ended.err.contains("--listen API=HOST:PORT"), "{}", ended.err);
}
