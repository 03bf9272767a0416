//! `teehouse attest`: who is there, live and from a file.

use crate::house::House;

/// Live, saved, checked offline; then as of a time at which nothing of it holds, and with a byte changed.
#[test]
fn what_is_shown_can_be_saved_and_checked() {
    let house = House::open();
    let tms = house.ready["addresses"]["tms"].as_str().expect("an address").to_owned();
    let saved = house.file("evidence.json", b"");
    let shown = house.run(&["attest", "show", &tms, "--save", &saved, "--json"]).good().json();
    assert_eq!((&shown["role"], &shown["platform"]), (&"tms".into(), &"simulated".into()), "{shown}");
    assert_eq!((&shown["simulated"], &shown["session_attested"]), (&true.into(), &true.into()), "{shown}");
    assert!(shown["verdict"].as_str().is_some_and(|verdict| verdict.starts_with("SIMULATED")), "{shown}");

    let verified = house.run(&["attest", "verify", &saved, "--json"]).good().json();
    assert_eq!(verified["measurement"], shown["measurement"]);
    let late = house.run(&["attest", "verify", &saved, "--at", "2099-01-01"]);
    assert_eq!(late.code, Some(5), "{late:?}");

    let mut document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&saved).expect("saved")).expect("a document");
    let bound = document["report_data"].as_str().expect("base64").to_owned();
    document["report_data"] = bound.replacen(&bound[..1], if bound.starts_with('A') { "B" } else { "A" }, 1).into();
    let changed = house.file("changed.json", document.to_string().as_bytes());
    let refused = house.run(&["attest", "verify", &changed]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.err.contains("not to be believed"), "{refused:?}");
}

/// A port at which nobody attests anything is no more than that.
#[test]
fn a_port_that_is_no_service_is_not_believed() {
    let house = House::open();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || drop(listener.accept()));
    let shown = house.run(&["attest", "show", &target]);
    assert!(shown.code != Some(0) && shown.err.contains("nobody attests anything"), "{shown:?}");
}
