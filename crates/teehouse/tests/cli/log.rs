//! The log as people read it: what happened, that it only grew, and what they are told when it did not.

use std::fs;

use crate::house::House;

#[test]
fn the_parties_of_a_task_read_its_story_and_nobody_else_does() {
    let house = House::open();
    let (alice, bob, carol) = (house.user("alice"), house.user("bob"), house.user("carol"));
    let (left, right) = (house.file("left", b"one\ntwo\n"), house.file("right", b"two\nfour\n"));
    let left = alice.get(&["file", "put", &left, "--lines"]);
    let right = bob.get(&["file", "put", &right, "--lines"]);
    let task = alice.get(&["task", "create", "psi", "--with", "bob", "--file", &left]);
    bob.get(&["task", "approve", &task, "--file", &right]);
    alice.get(&["task", "run", &task]);

    for party in [&alice, &bob] {
        let list = party.run(&["log", "list", "--task", &task, "--json"]).good().json();
        let kinds: Vec<&str> = list["entries"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| entry["event"]["type"].as_str())
            .collect();
        assert_eq!(kinds, ["Created", "Changed", "Approved", "Ready", "Released", "Finished"]);
        assert!(party.get(&["log", "list"]).contains("  Finished "));
        let verified = party.run(&["log", "verify", "--json"]).good().json();
        // The three users who were added, each seen by whom it concerns, and the task's six.
        assert_eq!((&verified["size"], &verified["entries"]), (&9.into(), &7.into()));
        assert!(party.get(&["log", "verify"]).contains("it extends the 9 entries that you saw before"));
    }
    let list = carol.run(&["log", "list", "--json"]).good().json();
    let added = serde_json::json!({"type": "User", "user_id": "carol", "change": "added"});
    assert_eq!((&list["entries"][0]["event"], list["entries"].get(1)), (&added, None));
    let list = carol.run(&["log", "list", "--task", &task, "--json"]).good().json();
    assert_eq!(list["entries"], serde_json::json!([]));
    assert!(carol.get(&["log", "verify"]).contains("all 1 entries that concern you are in it"));
}

#[test]
fn a_store_that_was_put_back_is_told_and_ends_with_5() {
    let mut house = House::open();
    let token = {
        let alice = house.user("alice");
        alice.get(&["task", "create", "echo"]);
        alice.token
    };
    house.server().kill().expect("killed");
    house.ended();
    let store = house.data_dir().join("tms.redb");
    let older = fs::read(&store).expect("the store");
    house.serve_again();
    let alice = house.user_with("alice", token.clone());
    alice.get(&["task", "create", "echo"]);
    assert!(alice.get(&["log", "verify"]).contains("the log has 3 entries"));
    house.server().kill().expect("killed");
    house.ended();
    fs::write(&store, older).expect("put back");
    house.serve_again();
    let alice = house.user_with("alice", token);
    for verb in ["verify", "list", "watch"] {
        let refused = alice.run(&["log", verb]);
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert!(refused.err.contains("the server shows another history"), "{}", refused.err);
        assert!(refused.err.contains("it has 2 entries, and had 3 before"), "{}", refused.err);
        assert!(refused.err.contains("an older copy of the server's store was put back"), "{}", refused.err);
    }
}
