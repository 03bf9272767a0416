//! The exact words of refusals, and their exit statuses.

use crate::house::{House, is_empty, run, teehouse};

/// Runs without a server; compares everything on standard error.
fn check(arguments: &[&str], code: i32, expected: &str) {
    let ended = run(&mut teehouse(), arguments);
    assert_eq!((ended.code, ended.err.as_str(), ended.text()), (Some(code), expected, ""), "{arguments:?}");
}

#[test]
fn missing_settings_are_named() {
    check(
        &["file", "list"],
        2,
        "error: no user is set\n\
         help: say --user NAME, or set TEEHOUSE_USER; there is no /nowhere/teehouse/client.toml to read it from: \
         `teehouse serve --dev` writes one\n",
    );
    check(
        &["task", "list", "--user", "alice", "--data-dir", "/nowhere"],
        2,
        "error: no server is set\n\
         help: say --server HOST or --tms HOST:PORT, or set TEEHOUSE_SERVER or TEEHOUSE_TMS; there is no \
         /nowhere/client.toml to read it from: `teehouse serve --dev` writes one\n",
    );
    check(
        &["file", "list", "--server", "host", "--user", "alice", "--trust", "/nowhere", "--token", "@/nowhere"],
        2,
        "error: the token file /nowhere can't be read: No such file or directory (os error 2)\n",
    );
    check(
        &["file", "list", "--server", "host", "--user", "alice", "--trust", "/nowhere", "--token", "t"],
        2,
        "error: the trust folder /nowhere can't be used: /nowhere/auditors: No such file or directory (os error 2)\n\
         help: name the folder that the server's operator gave out; `serve --dev` makes it as DATA_DIR/trust\n",
    );
    check(
        &["file", "list", "--client-config", "/nowhere/c.toml"],
        2,
        "error: settings /nowhere/c.toml can't be read: No such file or directory (os error 2)\n",
    );
}

#[test]
fn errors_are_json_for_machines() {
    let ended = run(&mut teehouse(), &["function", "show", "pis", "--json"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            Some(1),
            "{\"error\":\"there is no function `pis`\",\
             \"help\":\"`teehouse function list` shows the functions\",\"exit\":1}\n"
        )
    );
}

#[test]
fn wrong_usage_is_told_before_anything_is_done() {
    let ended = run(&mut teehouse(), &["demo", "one-file"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("<RIGHT>"), "{}", ended.err);
    check(
        &["file", "get", "some-id", "--json"],
        2,
        "{\"error\":\"with --json a file's content has no place on standard output\",\
         \"help\":\"say where it goes: -o PATH\",\"exit\":2}\n",
    );
    check(
        &["call", "tms", "{}", "--as", "fns", "--server", "localhost"],
        2,
        "error: the tms port is for users, who act as no service\n\
         help: leave --as out\n",
    );
    check(
        &["call", "kms", "{}", "--server", "localhost"],
        2,
        "error: the kms port is for services, and no data directory is set\n\
         help: name the --dev server's data directory: --data-dir DIR, or set TEEHOUSE_DATA_DIR\n",
    );
    check(
        &["call", "kms", "{}", "--server", "localhost", "--data-dir", "/nowhere"],
        2,
        "error: no tdfs identity can be made from /nowhere: /nowhere/dev/simulated-root-key.pem: \
         No such file or directory (os error 2)\n\
         help: only the data directory of a `teehouse serve --dev` holds the keys for that; name it with --data-dir\n",
    );
}

#[test]
fn serving_without_a_platform_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let ended = run(teehouse().current_dir(&dir), &["serve"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            Some(1),
            "error: this machine's only platform is the simulated one, which protects nothing from its operator; \
             start with --dev to accept that for development\n"
        )
    );
    assert!(is_empty(dir.path()));
}

#[test]
fn a_wrong_configuration_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("teehouse.toml");
    std::fs::write(&path, "[tms]\nexternl = \"127.0.0.1:1\"\n").expect("a file");
    let ended = run(&mut teehouse(), &["serve", "--dev", "--config", path.to_str().expect("text")]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("unknown field `externl`") && ended.err.contains("teehouse.toml"), "{}", ended.err);
}

#[test]
fn a_data_directory_without_a_deployment_is_named() {
    check(
        &["user", "list", "--data-dir", "/nowhere"],
        1,
        "error: /nowhere holds no deployment; `teehouse serve --dev --data-dir /nowhere` makes one\n\
         help: name the server's data directory: --data-dir DIR\n",
    );
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let house = House::open();
    let alice = house.user("alice");
    // The port is bound and closed again, so nobody listens there.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let ended = alice.run(&["task", "list", "--tms", &format!("127.0.0.1:{port}")]);
    assert_eq!(
        (ended.code, ended.err),
        (
            Some(3),
            format!(
                "error: tasks can't be listed: no answer from tms at 127.0.0.1:{port}: Connection refused (os error 111)\n\
                 help: check the address, and that the server runs (`teehouse serve`)\n"
            )
        )
    );
}

#[test]
fn a_simulated_platform_is_refused_unless_allowed() {
    let house = House::open();
    let alice = house.user("alice");
    let (tms, tdfs) = (&house.ready["addresses"]["tms"], &house.ready["addresses"]["tdfs"]);
    let (tms, tdfs) = (tms.as_str().expect("text"), tdfs.as_str().expect("text"));
    let trust = house.data_dir().join("trust");
    let connect = ["--tms", tms, "--tdfs", tdfs, "--trust", trust.to_str().expect("text"), "--data-dir", "/nowhere"];
    let ended = alice.run(&[&["file", "list"], &connect[..]].concat());
    assert_eq!(
        (ended.code, ended.err),
        (
            Some(5),
            format!(
                "error: files can't be listed: what answers at {tdfs} is not to be trusted: \
                 the policy accepts no simulated platform as tdfs\n\
                 help: the platform there is not one that this client accepts; for trials on a simulated platform, \
                 which protects nothing from its operator, say --allow-simulated\n"
            )
        )
    );
    alice.run(&[&["file", "list", "--allow-simulated"], &connect[..]].concat()).good();
}

#[test]
fn the_servers_refusals_come_with_help() {
    let house = House::open();
    let alice = house.user("alice");
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let ended = alice.run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(code), expected), "{arguments:?}");
    };
    let ended = alice.run(&["task", "create", "pis"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("error: no task for function `pis` was created: "), "{}", ended.err);
    assert!(ended.err.contains("(not_found)\nhelp: "), "{}", ended.err);
    let wrong = alice.run(&["task", "list", "--token", "wrong"]);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.ends_with(
            "(unauthenticated)\nhelp: check the user's name and token; an operator makes a new token with \
             `teehouse user rotate NAME`\n"
        ),
        "{}",
        wrong.err
    );
    let task = alice.get(&["task", "create", "echo"]);
    check(
        &["task", "results", &task],
        1,
        &format!(
            "error: task {task} has no results: it is Ready: can be run\nhelp: run it: teehouse task run {task}\n"
        ),
    );
    check(
        &["file", "put", "/nowhere/file"],
        1,
        "error: /nowhere/file can't be read: No such file or directory (os error 2)\n",
    );
}

#[test]
fn quotas_are_set_shown_and_kept_to() {
    let house = House::open();
    let alice = house.user("alice");
    assert_eq!(alice.get(&["file", "usage"]), "files             0  no limit\nbytes           0 B  no limit");
    let set = house.run(&["user", "quota", "alice", "--files", "1", "--bytes", "2KiB"]).good();
    assert_eq!(set.text(), "1 files, 2.00 KiB");
    assert_eq!(house.run(&["user", "quota", "alice"]).good().text(), "1 files, 2.00 KiB");
    assert_eq!(house.run(&["user", "list"]).good().text(), "alice  (at most 1 files, 2.00 KiB)");
    let listed = house.run(&["user", "list", "--json"]).good().json();
    assert_eq!(listed["users"][0]["quota"]["bytes"]["at_most"], 2048);
    let large = alice.run(&["file", "put", &house.file("large", &[7; 2049])]);
    assert_eq!(large.code, Some(1));
    assert!(large.err.contains("the quota of 2048 bytes: 0 are used, and this takes 2049 more"), "{}", large.err);
    let (small, chunked) = (house.file("small", &[7; 2048]), house.file("chunked", &[7; 2049]));
    let unknown = alice.run(&["file", "put", "--format", "chunked", &chunked]);
    assert!(unknown.code == Some(1) && unknown.err.contains("the quota of 2048 bytes"), "{unknown:?}");
    for file in alice.get(&["file", "list"]).lines() {
        alice.run(&["file", "rm", file]).good();
    }
    alice.run(&["file", "put", &small]).good();
    let usage = alice.run(&["file", "usage", "--json"]).good().json();
    assert_eq!(usage, serde_json::json!({"files": 1, "bytes": 2048, "files_limit": 1, "bytes_limit": 2048}));
    house.run(&["user", "quota", "alice", "--files", "none", "--bytes", "default"]).good();
    alice.run(&["file", "put", &small]).good();
    let zero = house.run(&["user", "quota", "alice", "--files", "0"]);
    assert!(zero.code == Some(2) && zero.err.contains("say `none` for no bound"), "{zero:?}");
}

/// On a running deployment and on a stopped one, with the same result.
#[test]
fn fsck_finds_what_belongs_to_nothing_and_removes_it_on_request() {
    let mut house = House::open();
    let alice = house.user("alice");
    let file = alice.get(&["file", "put", &house.file("file", b"content")]);
    assert!(house.run(&["fsck"]).good().text().starts_with("looked at 1 files, 1 keys, 1 ciphertexts"));
    let orphan = house.data_dir().join("files/11111111-2222-4333-8444-555555555555");
    let leave_orphan = || std::fs::write(&orphan, b"nobody's").expect("written");
    let check = |house: &House| {
        leave_orphan();
        let found = house.run(&["fsck", "--json"]);
        assert_eq!(found.code, Some(6), "{found:?}");
        let flaws = &found.json()["flaws"];
        assert_eq!(*flaws, serde_json::json!([{"flaw": "orphan_ciphertext", "found": 1, "removed": 0}]));
        assert!(house.run(&["fsck"]).err.contains("--repair removes keys and ciphertext of no file"));
        assert!(orphan.exists());
        house.run(&["fsck", "--repair"]).good();
        assert!(!orphan.exists());
        house.run(&["fsck"]).good();
    };
    check(&house);
    let token = alice.token.clone();
    house.server().kill().expect("killed");
    house.ended();
    check(&house);
    house.serve_again();
    let alice = house.user_with("alice", token);
    assert_eq!(alice.run(&["file", "get", &file]).good().out, b"content");
    let elsewhere = house.run(&["fsck", "--data-dir", "/nowhere"]);
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("holds no --dev deployment"), "{elsewhere:?}");
    assert_eq!(house.run(&["fsck", "--delete-unreadable"]).code, Some(2), "that needs --repair");
}

/// The server removes the ciphertext, not the client, who may have no right to.
#[test]
fn rm_needs_no_right_on_a_shared_disk() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::open();
    let alice = house.user("alice");
    let file = alice.get(&["file", "put", &house.file("file", b"content")]);
    let ciphertext = house.data_dir().join("files").join(&file);
    assert!(ciphertext.exists());
    // What a client of another account finds: nothing there is its to read or to write.
    std::fs::set_permissions(&ciphertext, std::fs::Permissions::from_mode(0o000)).expect("changed");
    alice.run(&["file", "rm", &file]).good();
    assert!(!ciphertext.exists());
}
