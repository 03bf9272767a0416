//! Help, version, completions, OpenAPI, functions: what needs no server.

use crate::house::{run, teehouse};

const VERBS: [&[&str]; 82] = [
    &[],
    &["demo"],
    &["serve"],
    &["user"],
    &["user", "add"],
    &["user", "list"],
    &["user", "rotate"],
    &["user", "disable"],
    &["user", "quota"],
    &["file"],
    &["file", "put"],
    &["file", "get"],
    &["file", "info"],
    &["file", "policy"],
    &["file", "list"],
    &["file", "usage"],
    &["file", "rm"],
    &["task"],
    &["task", "create"],
    &["task", "show"],
    &["task", "approve"],
    &["task", "list"],
    &["task", "run"],
    &["task", "results"],
    &["log"],
    &["log", "list"],
    &["log", "verify"],
    &["log", "watch"],
    &["user", "reset-key"],
    &["task", "plan"],
    &["task", "explain"],
    &["task", "bring"],
    &["task", "payload"],
    &["task", "withdraw"],
    &["task", "cancel"],
    &["key"],
    &["key", "new"],
    &["key", "use-agent"],
    &["key", "show"],
    &["key", "remove"],
    &["receipt"],
    &["receipt", "get"],
    &["receipt", "show"],
    &["receipt", "verify"],
    &["fsck"],
    &["function"],
    &["function", "list"],
    &["function", "show"],
    &["function", "test"],
    &["function", "register"],
    &["function", "disable"],
    &["attest"],
    &["attest", "show"],
    &["attest", "verify"],
    &["attest", "measure"],
    &["manifest"],
    &["manifest", "keygen"],
    &["manifest", "init"],
    &["manifest", "add"],
    &["manifest", "sign"],
    &["manifest", "verify"],
    &["manifest", "show"],
    &["manifest", "diff"],
    &["kms"],
    &["kms", "slots"],
    &["kms", "rotate"],
    &["kms", "follow"],
    &["kms", "reseal"],
    &["kms", "add-peer"],
    &["kms", "remove"],
    &["kms", "recovery"],
    &["kms", "recovery", "keygen"],
    &["kms", "recovery", "init"],
    &["kms", "recovery", "split"],
    &["kms", "recovery", "combine"],
    &["call"],
    &["openapi"],
    &["completions"],
    &["help"],
    &["help", "serve"],
    &["help", "file", "put"],
    &["help", "task"],
];

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in VERBS {
        let help = match verb {
            ["help", ..] => run(&mut teehouse(), verb),
            _ => run(&mut teehouse(), &[verb, &["--help"]].concat()),
        };
        let help = help.good();
        assert!(help.text().contains("Example"), "{verb:?}: {}", help.text());
        assert!(help.text().lines().all(|line| line.chars().count() <= 120), "{verb:?}: {}", help.text());
    }
}

#[test]
fn exit_statuses_are_documented() {
    let help = run(&mut teehouse(), &["--help"]).good();
    for line in [
        "  0  done",
        "  1  refused, or failed",
        "  2  wrong usage or settings",
        "  3  a service can't be reached",
        "  4  bytes are not what was declared",
        "  5  what answers is not to be trusted",
        "  6  a check found what is still wrong",
    ] {
        assert!(help.text().contains(line), "{line}");
    }
}

#[test]
fn a_token_on_the_command_line_comes_with_a_warning() {
    for verb in [&["file", "put", "--help"][..], &["task", "run", "--help"], &["user", "add", "--help"]] {
        let help = run(&mut teehouse(), verb).good().text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("Others on this machine can see a token on a command line"), "{help}");
    }
}

#[test]
fn the_version_names_a_commit() {
    let version = run(&mut teehouse(), &["--version"]).good();
    let text = version.text();
    assert!(text.starts_with(concat!("teehouse ", env!("CARGO_PKG_VERSION"), " (")) && text.ends_with(')'), "{text}");
}

#[test]
fn completions_know_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&mut teehouse(), &["completions", shell]).good().text().contains("teehouse"), "{shell}");
    }
}

#[test]
fn openapi_is_printed_for_each_api() {
    for api in ["tms", "tms-internal", "tdfs", "tdfs-internal", "kms", "fns"] {
        let document = run(&mut teehouse(), &["openapi", api]).good().json();
        assert_eq!(document["info"]["title"], format!("Teehouse {api}"));
    }
}

#[test]
fn functions_are_listed_and_shown() {
    let list = run(&mut teehouse(), &["function", "list", "--json"]).good().json();
    let names: Vec<_> = list["functions"].as_array().expect("a list").iter().map(|f| f["name"].clone()).collect();
    assert!(names.contains(&"psi".into()) && names.contains(&"echo".into()), "{names:?}");
    let shown = run(&mut teehouse(), &["function", "show", "psi"]).good();
    let (page, schema) = shown.text().split_once("\nschema     ").expect("a schema");
    assert_eq!(
        page,
        "function   psi, version 1\n\
         what       tells owners which of their 32-byte records all the others have too\n\
         parties    Multiparty\n\
         reads      2 or more input files, at least one from every party\n\
         payload    none\n\
         gives      a result text\n           \
         a private file for each input's owner\n\
         group      a task can have a minimum: `task create --minimum-group N`"
    );
    let schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
    assert_eq!(schema["outputs"]["owner"]["x-bytes"]["own"], 1.0 / 32.0);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = teehouse()
        .args(["openapi", "tms"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}
