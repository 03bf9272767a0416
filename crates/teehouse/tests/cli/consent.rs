//! Consent as people give it, take it back, and show it to others.

use std::fs;

use serde_json::json;

use crate::house::{self, Ended, House, User};

/// Runs a user's verb with a configuration folder of the test's.
fn run(house: &House, user: &User<'_>, arguments: &[&str]) -> Ended {
    house::run(user.command().env("XDG_CONFIG_HOME", house.path("config")), arguments)
}

fn text(house: &House, user: &User<'_>, arguments: &[&str]) -> String {
    run(house, user, arguments).good().text().to_owned()
}

/// Two parties' files and a task of theirs that waits for bob.
fn task(house: &House, alice: &User<'_>, bob: &User<'_>) -> (String, String) {
    let (left, right) = (house.file("left", b"one\ntwo\n"), house.file("right", b"two\nfour\n"));
    let left = alice.get(&["file", "put", &left, "--lines"]);
    let right = bob.get(&["file", "put", &right, "--lines"]);
    (text(house, alice, &["task", "create", "psi", "--with", "bob", "--file", &left]), right)
}

#[test]
fn a_signed_approval_leads_to_a_receipt_that_anyone_can_check() {
    let house = House::open();
    let (alice, bob) = (house.user("alice"), house.user("bob"));
    let (task, right) = task(&house, &alice, &bob);
    let key = text(&house, &bob, &["key", "new", "--required"]);
    assert!(key.contains("yes: a token alone approves nothing"), "{key}");
    let refused = run(&house, &bob, &["task", "approve", &task, "--as-it-stands", "--file", &right]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("sign the approval"), "{}", refused.err);

    text(&house, &bob, &["task", "bring", &task, "--file", &right]);
    text(&house, &bob, &["file", "policy", &right, "--uses", "2"]);
    let plan = run(&house, &bob, &["task", "plan", &task, "--json"]).good().json();
    let manifest = plan["manifest_sha256"].as_str().expect("a digest");
    // psi tells a byte for each record of 32 bytes.
    for (told, input) in plan["tells"].as_array().expect("a list").iter().zip([0, 1]) {
        let size = plan["manifest"]["inputs"][input]["file_size"].as_u64().expect("a size");
        assert_eq!((told["output"].as_str(), told["about_bytes"].as_u64()), (Some("Owner"), Some(size / 32)), "{told}");
    }
    let own = &plan["policies"][0];
    assert_eq!((&own["file_id"], &own["policy"]["uses"], &own["uses"]), (&json!(right), &json!(2), &json!(0)), "{own}");
    assert!(text(&house, &bob, &["task", "plan", &task]).contains("you allow 2 uses of it, of which 0 are taken"));
    assert!(text(&house, &bob, &["task", "explain", &task]).contains("bob has not approved it"));
    let other = "00".repeat(32);
    assert_eq!(run(&house, &bob, &["task", "approve", &task, "--manifest", &other]).code, Some(4));
    assert_eq!(text(&house, &bob, &["task", "approve", &task, "--manifest", manifest]), "Ready");
    text(&house, &alice, &["task", "run", &task]);

    let (receipt, trust) = (house.path("receipt.json"), house.data_dir().join("trust"));
    let (receipt, trust) = (receipt.to_str().expect("text"), trust.to_str().expect("text"));
    text(&house, &alice, &["receipt", "get", &task, "-o", receipt]);
    let verify = ["receipt", "verify", receipt, "--trust", trust];
    let refused = house.run(&verify);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    let allowed = [&verify[..], &["--allow-simulated"]].concat();
    let said = house.run(&allowed).good();
    assert!(said.text().starts_with("SIMULATED"), "{}", said.text());
    assert!(said.text().contains("whoever had bob's key approved exactly this manifest"), "{}", said.text());

    let good = fs::read_to_string(receipt).expect("a receipt");
    let at = good.find("\"payload\":\"").expect("a payload") + 100;
    let swapped = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
    fs::write(receipt, format!("{}{swapped}{}", &good[..at], &good[at + 1..])).expect("written");
    assert_eq!(house.run(&allowed).code, Some(5));
}

#[test]
fn whoever_withdraws_has_it_in_writing() {
    let house = House::open();
    let (alice, bob) = (house.user("alice"), house.user("bob"));
    let (task, _) = task(&house, &alice, &bob);
    let statement = house.path("withdrawal.json");
    text(&house, &bob, &["task", "withdraw", &task, "--save", statement.to_str().expect("text")]);
    let statement: serde_json::Value = serde_json::from_slice(&fs::read(statement).expect("saved")).expect("JSON");
    assert_eq!(statement["payloadType"], "application/vnd.teehouse.withdrawal+json");
    assert!(text(&house, &alice, &["task", "explain", &task]).contains("bob withdrew from it"));
    let refused = run(&house, &alice, &["task", "run", &task]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}
