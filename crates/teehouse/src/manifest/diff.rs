//! `teehouse manifest diff`: what changed between two manifests, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::manifest::files::Opened;
use crate::output::Output;

const EXAMPLES: &str = "\
Example:
  teehouse manifest diff house.json house-2.json";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The manifest before
    old: PathBuf,
    /// The manifest after
    new: PathBuf,
}

#[derive(Serialize)]
struct Diff {
    changes: Vec<Change>,
}

/// One field, or one element of a list.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<String>,
}

pub(super) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let read = |path| -> anyhow::Result<Value> {
        serde_json::from_slice(Opened::read(path)?.envelope.payload()).context("a payload that was just read")
    };
    let diff = Diff { changes: changes(&read(&args.old)?, &read(&args.new)?) };
    output.result(&diff, |out| diff.changes.iter().try_for_each(|change| change.print(out)))?;
    if diff.changes.is_empty() {
        output.note("they say the same");
    }
    Ok(())
}

/// Every field that differs; lists are compared as the sets that they are.
fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (old, new) = (Flat::of(old), Flat::of(new));
    let names: BTreeSet<&String> = old.fields.keys().chain(new.fields.keys()).collect();
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| Change {
            field: name.clone(),
            old: old.fields.get(name).cloned(),
            new: new.fields.get(name).cloned(),
        })
        .filter(|change| change.old != change.new)
        .collect();
    let gone = old.elements.difference(&new.elements).cloned();
    changes.extend(gone.map(|(field, element)| Change { field, old: Some(element), new: None }));
    let come = new.elements.difference(&old.elements).cloned();
    changes.extend(come.map(|(field, element)| Change { field, old: None, new: Some(element) }));
    changes.sort_by(|one, other| one.field.cmp(&other.field));
    changes
}

/// A document as fields by path, and elements of lists with the list's path.
#[derive(Default)]
struct Flat {
    fields: BTreeMap<String, String>,
    elements: BTreeSet<(String, String)>,
}

impl Flat {
    fn of(document: &Value) -> Self {
        let mut flat = Flat::default();
        flat.add(String::new(), document);
        flat
    }

    fn add(&mut self, path: String, value: &Value) {
        match value {
            Value::Object(fields) => {
                let dot = if path.is_empty() { "" } else { "." };
                fields.iter().for_each(|(name, value)| self.add(format!("{path}{dot}{name}"), value));
            }
            Value::Array(elements) => self.elements.extend(elements.iter().map(|one| (path.clone(), text(one)))),
            value => {
                self.fields.insert(path, text(value));
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Change {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let field = &self.field;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => writeln!(out, "~ {field}: {old} -> {new}"),
            (None, Some(new)) => writeln!(out, "+ {field}: {new}"),
            (Some(old), None) => writeln!(out, "- {field}: {old}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_and_elements_are_compared() {
        let old = json!({"version": 1, "roles": {"kms": {"list": ["a", "b"]}}, "gone": "x"});
        let new = json!({"version": 2, "roles": {"kms": {"list": ["b", {"c": [1]}]}, "fns": {"n": 1}}});
        let change = |field: &str, old: Option<&str>, new: Option<&str>| Change {
            field: field.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        assert_eq!(
            changes(&old, &new),
            [
                change("gone", Some("x"), None),
                change("roles.fns.n", None, Some("1")),
                change("roles.kms.list", Some("a"), None),
                change("roles.kms.list", None, Some(r#"{"c":[1]}"#)),
                change("version", Some("1"), Some("2")),
            ]
        );
        assert_eq!(changes(&old, &old), []);
    }
}
