//! The kms's root key on the command line: slots, rotation, recovery of a house that lost its machine's key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::house::{Ended, House, run, teehouse};

/// The data directory of a house that served and stopped, with a file that only its kms's keys open.
struct Stopped {
    house: House,
    file: String,
    token: String,
}

impl Stopped {
    fn open() -> Self {
        let mut house = House::open();
        let text = house.file("secret.txt", b"forty-two\n");
        let alice = house.user("alice");
        let (file, token) = (alice.get(&["file", "put", &text]), alice.token.clone());
        drop(alice);
        house.server().kill().expect("a child");
        house.ended();
        Stopped { house, file, token }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = teehouse();
        command.current_dir(self.house.path("")).env("TEEHOUSE_DATA_DIR", self.house.data_dir());
        run(&mut command, arguments)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.house.data_dir().join(name)
    }

    /// Serves the data directory again and fetches the file.
    fn check_serves(&mut self) {
        self.house.serve_again();
        let mut command = teehouse();
        command.env("TEEHOUSE_DATA_DIR", self.house.data_dir());
        command.env("TEEHOUSE_USER", "alice").env("TEEHOUSE_TOKEN", &self.token);
        let got = run(&mut command, &["file", "get", &self.file]).good();
        assert_eq!(got.out, b"forty-two\n");
        self.house.server().kill().expect("a child");
        self.house.ended();
    }

    /// Three holders, two of whom are enough, with their shares.
    fn with_holders(&self) {
        for name in ["alice", "bob", "carol"] {
            self.run(&["kms", "recovery", "keygen", name]).good();
        }
        let holders = ["--holder", "alice.pub", "--holder", "bob.pub", "--holder", "carol.pub"];
        self.run(&[&["kms", "recovery", "init", "--threshold", "2"], &holders[..]].concat()).good();
        let split = self.run(&["kms", "recovery", "split", "-o", "shares"]).good();
        assert_eq!(split.text(), "shares/alice.share\nshares/bob.share\nshares/carol.share");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_house_that_lost_its_machines_key_is_recovered_by_two_of_three() {
    let mut stopped = Stopped::open();
    stopped.with_holders();
    assert_eq!(mode(&stopped.house.path("alice.key")), 0o600);
    fs::remove_file(stopped.data("sealing/kms.key")).expect("a file");
    let refused = stopped.run(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert_eq!(
        (refused.code, refused.err.lines().last().expect("a line")),
        (
            Some(1),
            format!(
                "error: the kms has no root key and serves nothing: no slot of {} can be unsealed: \
                 slot 0 (platform simulated): the platform's key does not open it: another machine or other code made \
                 it, or it was changed; \
                 slot 1 (recovery, 2 of 3): it takes the recovery keys of 2 of its 3 holders: \
                 `teehouse kms recovery combine`",
                stopped.data("root.json").display()
            )
            .as_str()
        )
    );
    let combine = ["kms", "recovery", "combine", "--share", "shares/carol.share"];
    let too_few = stopped.run(&[&combine[..], &["--key", "carol.key"]].concat());
    assert_eq!(too_few.code, Some(1));
    assert!(too_few.err.contains("1 of the 2 shares that it takes are there"), "{}", too_few.err);
    let other_key = stopped.run(&[&combine[..], &["--key", "alice.key"]].concat());
    assert_eq!(
        (other_key.code, other_key.err.as_str()),
        (Some(2), "error: shares/carol.share: no key of carol is given\nhelp: say --key carol.key too\n")
    );
    let both = ["--share", "shares/alice.share", "--key", "carol.key", "--key", "alice.key"];
    let combined = stopped.run(&[&combine[..], &both].concat()).good();
    assert!(combined.text().contains("platform simulated"), "{}", combined.text());
    stopped.check_serves();
}

#[test]
fn a_rotation_keeps_what_is_there_and_makes_old_shares_useless() {
    let mut stopped = Stopped::open();
    stopped.with_holders();
    let rotated = stopped.run(&["kms", "rotate", "--json"]).good().json();
    assert_eq!((&rotated["generation"], &rotated["store_generation"]), (&2.into(), &1.into()));
    stopped.check_serves();
    let files = ["--share", "shares/alice.share", "--share", "shares/bob.share"];
    let keys = ["--key", "alice.key", "--key", "bob.key"];
    let old = stopped.run(&[&["kms", "recovery", "combine"], &files[..], &keys].concat());
    assert_eq!(old.code, Some(1));
    assert!(old.err.contains("the share of alice is of set"), "{}", old.err);
    let again = stopped.run(&["kms", "recovery", "split", "-o", "shares"]);
    assert!(again.err.ends_with("help: move it away, or name another folder: -o DIR\n"), "{}", again.err);
    stopped.run(&["kms", "recovery", "split", "-o", "new", "--json"]).good();
    let files = ["--share", "new/alice.share", "--share", "new/bob.share"];
    stopped.run(&[&["kms", "recovery", "combine"], &files[..], &keys].concat()).good();
    stopped.check_serves();
}

/// Before there were roots, the key in `sealing/kms.key` sealed the store itself. Such a data directory is one without
/// `root.json` whose store was made with that key, which is what is put together here.
#[tokio::test]
async fn a_house_of_an_earlier_version_serves_on() {
    let mut stopped = Stopped::open();
    let listing = stopped.run(&["kms", "slots", "--json"]).good().json();
    assert_eq!(listing["store_generation"], 1);
    let key = fs::read(stopped.data("sealing/kms.key")).expect("a key").try_into().expect("32 bytes");
    for name in ["root.json", "kms.redb"] {
        fs::remove_file(stopped.data(name)).expect("a file");
    }
    let kms = kms::Kms::open(&stopped.house.data_dir(), &crypto::SealingKey::from_bytes(key)).expect("a new store");
    kms.create(None).await.expect("a key");
    kms.close().await;
    // The file's own key went with the store; a new file shows that the house works.
    stopped.house.serve_again();
    let text = stopped.house.file("new.txt", b"forty-two\n");
    let mut command = teehouse();
    command.env("TEEHOUSE_DATA_DIR", stopped.house.data_dir());
    command.env("TEEHOUSE_USER", "alice").env("TEEHOUSE_TOKEN", &stopped.token);
    stopped.file = run(&mut command, &["file", "put", &text]).good().text().to_owned();
    stopped.house.server().kill().expect("a child");
    stopped.house.ended();
    let listing = stopped.run(&["kms", "slots", "--json"]).good().json();
    assert_eq!((&listing["generation"], &listing["store_generation"]), (&1.into(), &0.into()));
    assert_eq!(listing["previous"], serde_json::json!([0]));
    stopped.run(&["kms", "rotate"]).good();
    stopped.check_serves();
}

#[test]
fn slots_are_listed_and_changed_while_the_kms_runs() {
    let house = House::open();
    let slots = house.run(&["kms", "slots"]).good();
    assert!(slots.text().starts_with("generation  1, begun 2"), "{}", slots.text());
    assert!(slots.text().contains("slot 0      platform simulated, made 2"), "{}", slots.text());
    let listing = house.run(&["kms", "slots", "--json"]).good().json();
    let slot = &listing["slots"][0];
    assert_eq!(
        (&slot["id"], &slot["kind"], &slot["platform"], &slot["form"]),
        (&0.into(), &"platform".into(), &"simulated".into(), &"key".into())
    );
    assert_eq!(slot.as_object().expect("a slot").len(), 5, "nothing else is shown: {slot}");
    let rotated = house.run(&["kms", "rotate", "--json"]).good().json();
    assert_eq!((&rotated["generation"], &rotated["store_generation"]), (&2.into(), &1.into()));
    let added = house.run(&["kms", "add-peer", "kms-2:6017"]).good();
    assert!(added.err.contains("kms.peers"), "{}", added.err);
    assert!(added.text().contains("slot 2      peer kms-2:6017, made 2"), "{}", added.text());
    house.run(&["kms", "reseal", "--keep"]).good();
    house.run(&["kms", "remove", "2"]).good();
    let resealed = house.run(&["kms", "reseal", "--json"]).good().json();
    assert_eq!(resealed["slots"].as_array().expect("slots").len(), 1, "{resealed}");
    let check = |arguments: &[&str], expected: &str| {
        let ended = house.run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(1), expected), "{arguments:?}");
    };
    check(&["kms", "remove", "9"], "error: there is no slot 9\nhelp: `teehouse kms slots` shows the slots\n");
    check(
        &["kms", "follow"],
        "error: only a running kms can follow, and it follows those that its configuration names as `kms.peers`\n",
    );
}

#[test]
fn a_running_kms_needs_no_holders_and_locks_itself_out_only_when_told() {
    let house = House::open();
    let here = |arguments: &[&str]| {
        let mut command = teehouse();
        command.current_dir(house.path("")).env("TEEHOUSE_DATA_DIR", house.data_dir());
        run(&mut command, arguments)
    };
    here(&["kms", "recovery", "keygen", "alice"]).good();
    here(&["kms", "recovery", "init", "--threshold", "1", "--holder", "alice.pub"]).good();
    here(&["kms", "recovery", "split"]).good();
    let combined = here(&["kms", "recovery", "combine", "--share", "alice.share", "--key", "alice.key"]);
    let expected = format!(
        "error: a kms runs on {}, so it has its root\n\
         help: to seal it to this machine anew, use `teehouse kms reseal`; no holder's key is needed\n",
        house.data_dir().display()
    );
    assert_eq!((combined.code, combined.err), (Some(1), expected));
    let locked = here(&["kms", "remove", "0"]);
    let expected = "error: slot 0 is the last that this machine opens by itself: without it the next start takes a peer or \
                    the holders of shares; `--leave-locked` removes it all the same\n";
    assert_eq!((locked.code, locked.err.as_str()), (Some(1), expected));
    let left = here(&["kms", "remove", "0", "--leave-locked", "--json"]).good().json();
    assert_eq!(left["slots"].as_array().expect("slots").len(), 1, "{left}");
    // It still has its root, and can undo that.
    here(&["kms", "reseal"]).good();
}

#[test]
fn what_a_person_does_wrong_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = |arguments: &[&str]| run(teehouse().current_dir(&dir), arguments);
    let check = |arguments: &[&str], expected: &str| {
        let ended = here(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(1), expected), "{arguments:?}");
    };
    check(&["kms", "slots", "--data-dir", "nowhere"], "error: there is no nowhere/root.json\n");
    check(
        &["kms", "rotate", "--data-dir", "nowhere"],
        "error: no kms runs on nowhere, and only the root of a --dev deployment can be unsealed without one\n\
         help: name the data directory of a kms that runs here, or of a `teehouse serve --dev`: --data-dir DIR\n",
    );
    let made = here(&["kms", "recovery", "keygen", "alice", "--json"]).good().json();
    assert_eq!(made, serde_json::json!({"files": ["./alice.key", "./alice.pub"]}));
    check(
        &["kms", "recovery", "keygen", "alice"],
        "error: ./alice.key can't be written: File exists (os error 17)\n\
         help: move it away, or name another folder: -o DIR\n",
    );
    check(
        &["kms", "recovery", "init", "--threshold", "1", "--holder", "alice.key"],
        "error: alice.key: this is a `teehouse-recovery-secret-1`; a `teehouse-recovery-public-1` is needed\n",
    );
}
