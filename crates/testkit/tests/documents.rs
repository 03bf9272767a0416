//! The documents say what is true: the annotated configuration, the OpenAPI files, the README, the promises.

use std::fs;
use std::path::{Path, PathBuf};

use rpc::config::Config;
use rpc::{openapi, protocol};

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_annotated_configuration_is_the_default() {
    let config = Config::load(&root().join("docs/teehouse.toml")).expect("it is understood");
    assert_eq!(config, Config::default());
}

/// Every key is there, the optional ones in comments.
#[test]
fn the_annotated_configuration_has_every_key() {
    let set = |line: &str| line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key.to_owned());
    let keys: Vec<String> = read("docs/teehouse.toml").lines().filter_map(set).collect();
    for key in [
        "metrics",
        "connect",
        "files",
        "advertise",
        "concurrency",
        "data_dir",
        "hosts",
        "queue",
        "folder",
        "intel_url",
        "intel_root_crl_url",
        "amd_url",
        "ca_file",
        "refresh_before_hours",
        "machines",
    ] {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
}

/// `UPDATE_DOCS=1 cargo test -p testkit --test documents` writes them anew.
fn check_openapi(name: &str, generated: &str) {
    let path = root().join(format!("docs/openapi/{name}.json"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{generated}\n")).expect("written");
    }
    let kept = fs::read_to_string(&path).expect("the document is kept");
    assert!(kept.trim_end() == generated, "docs/openapi/{name}.json is not what the types say: UPDATE_DOCS=1");
}

#[test]
fn the_openapi_documents_are_those_that_are_served() {
    check_openapi("kms", &openapi::json::<protocol::Kms>());
    check_openapi("tdfs", &openapi::json::<protocol::TdfsExternal>());
    check_openapi("tdfs-internal", &openapi::json::<protocol::TdfsInternal>());
    check_openapi("tms", &openapi::json::<protocol::TmsExternal>());
    check_openapi("tms-internal", &openapi::json::<protocol::TmsInternal>());
    check_openapi("fns", &openapi::json::<protocol::FnsExternal>());
}

#[test]
fn the_readme_names_every_function() {
    let readme = read("README.md");
    let reference = read("docs/functions.md");
    for function in fns::builtins() {
        let name = &function.interface().name;
        assert!(readme.contains(&format!("`{name}`")), "{name}");
        assert!(reference.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// SECURITY.md names tests as `path::test_name`; each must exist in the file that it names.
#[test]
fn every_promise_names_tests_that_exist() {
    let security = read("SECURITY.md");
    let named: Vec<(&str, &str)> = security
        .split('`')
        .filter_map(|code| code.split_once(".rs::"))
        .filter(|(_, name)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    assert!(named.len() > 20, "the promises name their tests");
    for (file, name) in named {
        let source = read(&format!("crates/{file}.rs"));
        assert!(source.contains(&format!("fn {name}(")), "{file}.rs has no test {name}");
    }
}
