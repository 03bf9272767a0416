//! The code is laid out as ARCHITECTURE.md says: its table of crates is compared with `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A file is one idea; more lines than this are several.
const FILE_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

type Names = BTreeSet<String>;

/// A row of the table of crates.
#[derive(Debug)]
struct Row {
    /// `None` for crates that only tests and developers run.
    level: Option<u32>,
    may_import: String,
    owns: Vec<String>,
}

/// The table of crates.
struct Plan(BTreeMap<String, Row>);

impl Plan {
    fn read() -> Self {
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
        let mut rows = BTreeMap::new();
        for line in text.lines().skip_while(|line| !line.starts_with("| level |")).skip(2) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let ["", level, crates, _, may_import, owns, ""] = cells[..] else { break };
            for name in crates.split_whitespace() {
                let owns = owns.split(", ").filter(|name| *name != "–").map(str::to_owned).collect();
                let row = Row { level: level.parse().ok(), may_import: may_import.to_owned(), owns };
                rows.insert(name.trim_matches('`').to_owned(), row);
            }
        }
        Plan(rows)
    }

    fn row(&self, name: &str) -> &Row {
        self.0.get(name).unwrap_or_else(|| panic!("crate {name} is not in the table of ARCHITECTURE.md"))
    }

    fn is_for_developers(&self, name: &str) -> bool {
        self.row(name).level.is_none()
    }

    /// What a crate may import, as its row says it in words.
    fn may_import(&self, name: &str) -> Names {
        let row = self.row(name);
        if row.may_import == "all" {
            return self.0.keys().filter(|other| *other != name).cloned().collect();
        }
        let (rule, exception) = row.may_import.split_once(" (").unwrap_or((&row.may_import, ""));
        let mut allowed = Names::new();
        for part in rule.split(", ").filter(|part| *part != "–") {
            match part.strip_prefix("levels 0–") {
                Some(top) => allowed.extend(self.up_to(top.parse().expect("a level"))),
                None => allowed.extend([part.to_owned()]),
            }
        }
        // "(executor and functions: fns alone)"
        if let Some((kept, whom)) = exception.trim_end_matches(')').split_once(": ")
            && whom != format!("{name} alone")
        {
            allowed.retain(|name| !kept.split(" and ").any(|kept| kept == name));
        }
        allowed
    }

    fn up_to(&self, top: u32) -> impl Iterator<Item = String> {
        self.0.iter().filter(move |(_, row)| row.level.is_some_and(|level| level <= top)).map(|(name, _)| name.clone())
    }
}

/// A crate of the workspace, as cargo sees it.
struct Package {
    name: String,
    links: Names,
    /// What its tests use besides.
    tests_use: Names,
    features: bool,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = |value: &Value| value.as_array().expect("a list").clone();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let named = |test: bool| {
                let all = list(&package["dependencies"]).into_iter();
                let kind = all.filter(|dependency| (dependency["kind"] == "dev") == test);
                kind.map(|dependency| dependency["name"].as_str().expect("a name").to_owned()).collect()
            };
            Package {
                name: package["name"].as_str().expect("a name").to_owned(),
                links: named(false),
                tests_use: named(true),
                features: package["features"].as_object().is_some_and(|features| !features.is_empty()),
            }
        })
        .collect()
}

#[test]
fn every_crate_is_in_the_table_and_every_row_is_a_crate() {
    let crates: Names = packages().into_iter().map(|package| package.name).collect();
    let rows: Names = Plan::read().0.into_keys().collect();
    assert_eq!(crates, rows);
}

#[test]
fn crates_import_what_their_row_allows() {
    let (plan, packages) = (Plan::read(), packages());
    let ours: Names = plan.0.keys().cloned().collect();
    for package in &packages {
        let allowed = plan.may_import(&package.name);
        let in_tests = allowed.iter().chain(ours.iter().filter(|name| plan.is_for_developers(name))).cloned().collect();
        for (used, allowed) in [(&package.links, &allowed), (&package.tests_use, &in_tests)] {
            let forbidden: Vec<_> = used.intersection(&ours).filter(|name| !allowed.contains(*name)).collect();
            assert!(forbidden.is_empty(), "{} may not import {forbidden:?}", package.name);
        }
    }
}

/// Whatever the table allows, an arrow leads to a lower level, and to nothing that is for developers.
#[test]
fn arrows_point_down() {
    let (plan, packages) = (Plan::read(), packages());
    for package in packages.iter().filter(|package| !plan.is_for_developers(&package.name)) {
        for used in package.links.iter().filter(|name| plan.0.contains_key(*name)) {
            let (from, to) = (plan.row(&package.name).level, plan.row(used).level);
            assert!(to.is_some() && to < from, "{} → {used} does not point down", package.name);
        }
    }
}

#[test]
fn an_owned_crate_is_used_by_its_owner_alone() {
    let (plan, packages) = (Plan::read(), packages());
    for (owner, row) in &plan.0 {
        for owned in &row.owns {
            let users = packages.iter().filter(|package| package.links.contains(owned));
            let users: Vec<&str> =
                users.map(|package| package.name.as_str()).filter(|name| !plan.is_for_developers(name)).collect();
            assert_eq!(users, [owner], "{owned} belongs to {owner}");
        }
    }
}

/// What must not be in a binary can't be reached from it over any number of arrows.
#[test]
fn services_cannot_link_what_is_not_theirs() {
    let packages = packages();
    for (name, never) in [
        ("kms", &["blobs", "executor", "functions", "identity", "tdfs", "tms", "fns", "client"][..]),
        ("tms", &["blobs", "executor", "functions", "identity", "kms", "tdfs", "fns", "client"]),
        ("tdfs", &["executor", "functions", "kms", "tms", "fns", "client"]),
        ("fns", &["store", "blobs", "identity", "kms", "tdfs", "tms", "client"]),
        ("client", &["store", "blobs", "executor", "functions", "identity", "kms", "tdfs", "tms", "fns"]),
        ("executor", &["crypto", "attest", "store", "rpc"]),
        ("functions", &["attest", "store", "rpc"]),
    ] {
        let reached = reach(&packages, name);
        let linked: Vec<_> = never.iter().filter(|other| reached.contains(**other)).collect();
        assert!(linked.is_empty(), "{name} links {linked:?}");
    }
}

fn reach(packages: &[Package], from: &str) -> Names {
    let (mut reached, mut next) = (Names::new(), vec![from.to_owned()]);
    while let Some(name) = next.pop() {
        let links = packages.iter().filter(|package| package.name == name).flat_map(|package| &package.links);
        next.extend(links.filter(|link| reached.insert((*link).clone())).cloned());
    }
    reached
}

/// Tools of tests stay in tests.
#[test]
fn nothing_that_ships_links_what_is_for_tests() {
    let plan = Plan::read();
    for package in packages().iter().filter(|package| !plan.is_for_developers(&package.name)) {
        for tool in ["proptest", "insta", "forge", "s3", "s3s", "s3s-fs"] {
            assert!(!package.links.contains(tool), "{} links {tool}", package.name);
        }
    }
}

/// Simulation, tests and danger are values and names, never features that some build might have turned on.
#[test]
fn no_crate_has_features() {
    let with: Vec<String> = packages().into_iter().filter(|package| package.features).map(|p| p.name).collect();
    assert!(with.is_empty(), "{with:?}");
}

/// Every source file of ours with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join("crates")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            match entry.extension() {
                _ if entry.is_dir() => folders.push(entry),
                Some(extension) if extension == "rs" => {
                    let text = fs::read_to_string(&entry).expect("text");
                    found.push((entry, text));
                }
                _ => {}
            }
        }
    }
    assert!(found.len() > 100, "the sources are there");
    found
}

fn check_sources(rule: impl Fn(&Path, &str) -> Option<String>) {
    let broken: Vec<String> = sources()
        .iter()
        .filter_map(|(path, text)| Some(format!("{}: {}", path.display(), rule(path, text)?)))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is() {
    check_sources(|_, text| (!text.starts_with("//! ")).then(|| "does not begin with `//! `".to_owned()));
}

#[test]
fn no_file_is_too_long() {
    check_sources(|_, text| {
        let lines = text.lines().count();
        (lines > FILE_LINES).then(|| format!("{lines} lines"))
    });
}

/// Names that say nothing gather everything.
#[test]
fn no_module_is_called_utils() {
    check_sources(|path, _| {
        let stem = path.file_stem()?.to_str()?;
        ["utils", "util", "common", "helpers", "misc"].contains(&stem).then(|| "says nothing".to_owned())
    });
}

/// What only tests may use is not used by what ships.
#[test]
fn what_is_for_tests_is_used_in_tests() {
    const MARK: &str = "for_tests(";
    check_sources(|path, text| {
        let path = path.to_str()?;
        if path.contains("/tests/")
            || path.contains("/testkit/")
            || path.contains("/bench/")
            || path.ends_with("_tests.rs")
        {
            return None;
        }
        let code = text.split("#[cfg(test)]").next()?;
        let used = code.lines().find(|line| line.contains(MARK) && !line.contains("fn "))?;
        Some(used.trim().to_owned())
    });
}
