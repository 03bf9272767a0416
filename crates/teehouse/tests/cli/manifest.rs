//! `teehouse manifest`: auditors make, sign and check what may run; exact words, and exit statuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::house::{Ended, run, teehouse};

const TRUST: [&str; 6] = ["--auditor", "ada.pub", "--auditor", "ben.pub", "--threshold", "2"];

/// A folder with the keys of two auditors.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Desk(tempfile::tempdir().expect("a folder"));
        desk.good(&["manifest", "keygen", "ada"]);
        desk.good(&["manifest", "keygen", "ben"]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(teehouse().current_dir(&self.0), arguments)
    }

    fn good(&self, arguments: &[&str]) -> Ended {
        self.run(arguments).good()
    }

    /// Compares everything on standard error.
    fn check(&self, arguments: &[&str], code: i32, expected: &str) {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.err.as_str(), ended.text()), (Some(code), expected, ""), "{arguments:?}");
    }

    /// An unsigned manifest that allows one measurement.
    fn init(&self, file: &str) {
        self.good(&[&["manifest", "init", file, "--deployment", "bank"], &TRUST[..]].concat());
        let digest = "07".repeat(48);
        self.write(
            "kms.json",
            &format!(
                r#"{{"role":"kms","platform":"sev-snp","measurement":{{"sev-snp":{{"launch_digest":"{digest}"}}}}}}"#
            ),
        );
        self.good(&["manifest", "add", file, "kms.json"]);
    }

    fn sign(&self, file: &str, key: &str) {
        self.good(&["manifest", "sign", file, "--key", key]);
    }

    fn verify(&self, files: &[&str]) -> Ended {
        self.run(&[&["manifest", "verify"], files, &TRUST].concat())
    }
}

#[test]
fn two_auditors_sign_what_may_run() {
    let desk = Desk::new();
    desk.init("house.json");
    let state = desk.good(&["manifest", "sign", "house.json", "--key", "ada.key", "--json"]).json();
    assert_eq!((&state["signed_by"], &state["threshold"]), (&serde_json::json!(["ada"]), &2.into()));
    desk.sign("house.json", "ben.key");
    let verdict = desk.verify(&["house.json", "--json"]).good().json();
    assert_eq!(verdict["verdict"], "believed");
    assert_eq!((&verdict["deployment"], &verdict["version"]), (&"bank".into(), &1.into()));
    assert_eq!(verdict["simulated"], false);
    assert_eq!(verdict["digest"], state["digest"]);
    let page = desk.good(&["manifest", "show", "house.json"]);
    for line in [
        "deployment  bank",
        "auditors    2 of 2 must sign, 2 did",
        "kms         may run on sev-snp",
        "fns         may not run",
    ] {
        assert!(page.text().contains(line), "{line}: {}", page.text());
    }
    let shown = desk.good(&["manifest", "show", "house.json", "--json"]).json();
    assert_eq!(shown["manifest"]["roles"]["kms"]["measurements"][0]["sev-snp"]["launch_digest"], "07".repeat(48));
}

#[test]
fn keys_are_kept_from_others() {
    let desk = Desk::new();
    let mode = |name: &str| fs::metadata(desk.path(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode("ada.key"), 0o600);
    desk.check(
        &["manifest", "keygen", "ada"],
        2,
        "error: ada.key is there already\nhelp: name another file, or remove that one\n",
    );
    desk.init("house.json");
    fs::set_permissions(desk.path("ada.key"), fs::Permissions::from_mode(0o640)).expect("permissions");
    let ended = desk.run(&["manifest", "sign", "house.json", "--key", "ada.key"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.ends_with(
            "error: others on this machine may read ada.key (mode 640)\n\
             help: chmod 600 ada.key, and think about who may have read it\n"
        ),
        "{}",
        ended.err
    );
}

#[test]
fn refusals_say_what_to_do() {
    let desk = Desk::new();
    desk.init("house.json");
    let verify = [&["manifest", "verify", "house.json"], &TRUST[..]].concat();
    desk.check(
        &verify,
        5,
        "error: house.json is not to be believed: nobody has signed the manifest\n\
         help: the auditors who agree sign it: teehouse manifest sign FILE --key KEY\n",
    );
    desk.sign("house.json", "ada.key");
    desk.check(
        &verify,
        5,
        "error: house.json is not to be believed: 1 of the trusted auditors signed the manifest, 2 must\n\
         help: the auditors who agree sign it: teehouse manifest sign FILE --key KEY\n",
    );
    let again = desk.run(&["manifest", "sign", "house.json", "--key", "ada.key"]);
    assert!(again.code == Some(1) && again.err.ends_with("error: `ada` has signed it already\n"), "{again:?}");
    desk.good(&["manifest", "keygen", "eve"]);
    let eve = desk.run(&["manifest", "sign", "house.json", "--key", "eve.key"]);
    assert_eq!(eve.code, Some(1));
    assert!(eve.err.contains("is of no auditor that the manifest names\nhelp: it names "), "{}", eve.err);
    desk.check(
        &["manifest", "add", "house.json", "kms.json"],
        1,
        "error: house.json is signed, and what is signed does not change\n\
         help: make the next version: teehouse manifest init NEXT.json --previous house.json\n",
    );
    desk.sign("house.json", "ben.key");
    desk.verify(&["house.json", "--at", "2100-01-01"]).refused("the manifest expired at ");
    desk.verify(&["house.json", "--at", "2020-01-01"]).refused("the manifest is valid only from ");
    let envelope = fs::read_to_string(desk.path("house.json")).expect("a file");
    desk.write("other.json", &envelope.replace("vnd.teehouse.manifest+json", "vnd.in-toto+json"));
    desk.verify(&["other.json"]).refused("the payload's type is `application/vnd.in-toto+json`");
    desk.check(
        &["manifest", "verify", "house.json", "--auditor", "ada.pub", "--threshold", "0"],
        2,
        "error: these can't be the auditors: the threshold is 0: at least one auditor must sign\n\
         help: name each with --auditor, and with --threshold how many of them must sign\n",
    );
    desk.check(
        &["manifest", "verify", "house.json", "--auditor", "ada.key", "--threshold", "1"],
        2,
        "error: an auditor's key can't be used: ada.key is no auditor's key: expected a public key: PEM with an \
         Ed25519 key, or one line as in an OpenSSH .pub file\n\
         help: name the public key: a .pub file of `teehouse manifest keygen` or of ssh-keygen\n",
    );
}

impl Ended {
    fn refused(self, words: &str) {
        assert_eq!(self.code, Some(5), "{self:?}");
        assert!(self.err.contains(words) && self.err.contains("\nhelp: "), "{self:?}");
    }
}

#[test]
fn auditors_come_and_go() {
    let desk = Desk::new();
    desk.init("one.json");
    desk.sign("one.json", "ada.key");
    desk.sign("one.json", "ben.key");
    desk.good(&["manifest", "keygen", "cem"]);
    let changed = ["--auditor", "ada.pub", "--auditor", "cem.pub", "--threshold", "1"];
    desk.good(&[&["manifest", "init", "two.json", "--previous", "one.json"], &changed[..]].concat());
    desk.sign("two.json", "cem.key");
    desk.verify(&["two.json"]).refused("changes the auditors or their threshold, and 0 of those trusted until now");
    desk.sign("two.json", "ada.key");
    desk.sign("two.json", "ben.key");
    desk.verify(&["two.json"]).good();
    desk.good(&["manifest", "init", "three.json", "--previous", "two.json"]);
    desk.sign("three.json", "cem.key");
    desk.verify(&["three.json"]).refused("changes the auditors");
    desk.verify(&["two.json", "three.json"]).good();
    let remember = ["--remember", "seen.json"];
    desk.verify(&[&["one.json"], &remember[..]].concat()).good();
    desk.verify(&[&["two.json", "three.json"], &remember[..]].concat()).good();
    desk.verify(&[&["one.json"], &remember[..]].concat()).refused("version 1, but version 3 was seen before");
    let diff = desk.good(&["manifest", "diff", "one.json", "two.json"]);
    assert!(diff.text().contains("~ auditors.threshold: 2 -> 1"), "{}", diff.text());
    assert!(diff.text().contains("\"name\":\"cem\"}"), "{}", diff.text());
    let diff = desk.good(&["manifest", "diff", "one.json", "two.json", "--json"]).json();
    let fields: Vec<_> = diff["changes"].as_array().expect("a list").iter().map(|change| &change["field"]).collect();
    assert!(fields.contains(&&"version".into()) && fields.contains(&&"previous".into()), "{fields:?}");
}

#[test]
fn measurements_go_into_a_manifest() {
    let desk = Desk::new();
    let measure = ["attest", "measure", "--platform", "simulated", "--json"];
    let measured = desk.good(&measure);
    desk.write("sim.json", measured.text());
    let roles: Vec<_> = measured.json().as_array().expect("a list").iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, ["kms", "tdfs", "tms", "fns"]);
    desk.init("house.json");
    desk.check(
        &["manifest", "add", "house.json", "sim.json"],
        1,
        "error: the measurement is of a simulated platform, and the manifest allows none\n\
         help: simulation protects nothing; for development: teehouse manifest init … --danger-simulated-root FILE\n",
    );
    // Any Ed25519 key can be a root.
    let root = ["--danger-simulated-root", "ada.pub"];
    let made = desk.good(&[&["manifest", "init", "dev.json", "--deployment", "dev"], &TRUST[..], &root[..]].concat());
    assert!(made.err.contains("SIMULATED"), "{}", made.err);
    desk.good(&["manifest", "add", "dev.json", "sim.json"]);
    desk.sign("dev.json", "ada.key");
    desk.sign("dev.json", "ben.key");
    let verdict = desk.verify(&["dev.json", "--json"]).good().json();
    assert_eq!(verdict["simulated"], true);
    assert!(desk.verify(&["dev.json"]).good().err.contains("SIMULATED"));
    let page = desk.good(&["manifest", "show", "dev.json"]);
    assert!(page.text().contains("SIMULATED   accepts platforms that protect nothing"), "{}", page.text());
    desk.check(
        &["attest", "measure", "--platform", "tdx"],
        1,
        "error: there is no platform here to measure: the tdx platform could not make evidence: use the report's \
         directory: No such file or directory (os error 2)\n\
         help: measure where the service will run; on a laptop: --platform simulated\n",
    );
}

#[test]
fn what_else_holds_for_a_role_is_set_by_flags() {
    let desk = Desk::new();
    desk.init("house.json");
    let id = format!("ppid:{}", "ab".repeat(16));
    let flags = [
        "--minimum-security-version=3",
        "--config-id=00ff",
        "--platform-id",
        &id,
        "--minimum-tcb-date=2026-01-01",
        "--collateral-issued=2026-10-01T12:00:00Z",
        "--tcb-evaluation=17",
        "--minimum-snp-tcb=Turin:4,0,24,72,1",
        "--minimum-snp-tcb=Milan:4,0,24,219",
        "--snp-author=anonymous",
        "--snp-vmpl=2",
        "--allow=hardening-needed",
        "--allow=out-of-date",
    ];
    desk.good(&[&["manifest", "add", "house.json", "kms.json", "--replace"], &flags[..]].concat());
    let shown = desk.good(&["manifest", "show", "house.json", "--json"]).json();
    assert_eq!(
        shown["manifest"]["roles"]["kms"],
        serde_json::json!({
            "allowances": ["hardening-needed", "out-of-date"],
            "collateral_floor": {"issued": "2026-10-01T12:00:00Z", "tcb_evaluation": 17},
            "config_ids": ["00ff"],
            "measurements": [{"sev-snp": {"launch_digest": "07".repeat(48)}}],
            "minimum_security_version": 3,
            "minimum_snp_tcb": [
                {"boot_loader": 4, "fmc": 0, "microcode": 219, "product": "Milan", "snp": 24, "tee": 0},
                {"boot_loader": 4, "fmc": 1, "microcode": 72, "product": "Turin", "snp": 24, "tee": 0},
            ],
            "minimum_tcb_date": "2026-01-01T00:00:00Z",
            "platform_ids": [id],
            "snp_authors": ["anonymous"],
            "snp_vmpl": 2,
        })
    );
    let wrong = desk.run(&["manifest", "add", "house.json", "kms.json", "--allow", "everything"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("the name of an allowance"), "{wrong:?}");
}

/// With `ssh-keygen` where it is installed: a key file, and a key that an agent holds.
#[test]
fn openssh_keys_sign() {
    let desk = Desk::new();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(desk.path("cem"))
        .stdin(Stdio::null())
        .status();
    if made.is_err() {
        return;
    }
    let trust = ["--auditor", "cem.pub", "--auditor", "ada.pub", "--threshold", "2"];
    desk.good(&[&["manifest", "init", "house.json", "--deployment", "bank"], &trust[..]].concat());
    desk.sign("house.json", "cem");
    desk.sign("house.json", "ada.key");
    desk.good(&[&["manifest", "verify", "house.json"], &trust[..]].concat());
    desk.write("nothing", "no key\n");
    let wrong = desk.run(&["manifest", "sign", "house.json", "--key", "nothing"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("ssh-keygen did not sign with nothing"), "{wrong:?}");
}
