//! What the platform knows of a function from outside: how many parties it serves and which code it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::Digest;
use crate::file::PinnedFile;

/// Whether one user runs the function alone or several parties agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum FunctionType {
    /// One user's function: the task is ready when it is created.
    Single,
    /// Several parties' function: every collaborator approves before it runs.
    Multiparty,
    /// Either, as the task says: one user's where it names no collaborators, else several parties'. Functions declare
    /// it, tasks never have it.
    Either,
}

impl FunctionType {
    /// What a task with so many collaborators is.
    pub fn with_collaborators(self, collaborators: usize) -> Self {
        match self {
            FunctionType::Either if collaborators == 0 => FunctionType::Single,
            FunctionType::Either => FunctionType::Multiparty,
            declared => declared,
        }
    }
}

/// One exact version of a function, pinned when a task is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionRef {
    /// The name that requests use.
    pub name: String,
    /// Rises by one with every change of what the function computes.
    pub version: u32,
    /// SHA-256 that identifies the code.
    pub digest: Digest,
}

/// What tasks must know of a function: who brings what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionInfo {
    /// Which code it is.
    pub function: FunctionRef,
    /// How many parties it serves.
    pub function_type: FunctionType,
    /// The fewest files that a task must bring.
    pub min_files: usize,
    /// The most; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_files: Option<usize>,
    /// Whether every party must bring at least one.
    pub from_every_party: bool,
    /// One line for people who choose a function.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Whether it takes a payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadUse>,
    /// Who may receive outputs of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputUse>,
    /// JSON Schemas of payload, inputs, outputs and result, by name, as one JSON text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Whether it counts what its results are about, so that a task can have a minimum group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

/// What a function does with the payload of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum PayloadUse {
    /// It takes none.
    Refused,
    /// It works with or without one.
    Optional,
    /// It needs one.
    Required,
    /// The payload may be the id of a file, which becomes the function's input.
    NamesInput,
}

/// Who receives an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum OutputUse {
    /// Each input's owner, a private file each.
    Owner,
    /// The task's creator, a private file.
    Creator,
    /// All participants, one file.
    Shared,
}

/// How many files a function reads, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InputRule {
    /// The fewest.
    #[serde(default)]
    pub min: usize,
    /// The most; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// Whether every party must bring at least one.
    #[serde(default)]
    pub from_every_party: bool,
}

/// What a user's function is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Language {
    /// WebAssembly: a WASI preview 1 command, or a component with `wasi:cli/run`.
    Wasm,
    /// Python, by an interpreter that is WebAssembly itself.
    Python,
}

/// Limits of one run that are lower than the node's. What is absent, the node says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunLimits {
    /// Memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Time that it computes, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Time from start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// All outputs together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Number of outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<u64>,
}

/// What a function's author declares. Function nodes hold the code to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FunctionDeclaration)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What the code is.
    pub language: Language,
    /// How many parties it serves.
    pub function_type: FunctionType,
    /// Whether it takes a payload.
    pub payload: PayloadUse,
    /// How many files it reads.
    pub inputs: InputRule,
    /// Who may receive outputs of it.
    pub outputs: Vec<OutputUse>,
    /// Whether it gets real randomness; without, every run on the same inputs is the same.
    #[serde(default)]
    pub random: bool,
    /// Its limits, where they are lower than the node's.
    #[serde(default)]
    pub limits: RunLimits,
    /// What the module imports, where the author says so: a node refuses code that imports anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<Vec<String>>,
}

/// The code of a user's function, as a task pins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FunctionCode)]
pub struct Code {
    /// The file that holds it.
    pub file: PinnedFile,
    /// SHA-256 of the interpreter that runs it, where it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Digest>,
    /// What its author declared.
    pub declaration: Declaration,
}

/// A language that a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Runtime {
    /// The language.
    pub language: Language,
    /// SHA-256 of the interpreter, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A name, with or without a version: `psi` or `psi@2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The version; the newest is meant when absent.
    pub version: Option<u32>,
}

/// Longest name of a function, in characters.
const MAX_NAME: usize = 64;

impl<'a> Named<'a> {
    /// Takes `name` and `name@version` apart; `None` for anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, version)) => {
                let number = version.parse::<u32>().ok().filter(|number| number.to_string() == version)?;
                (name, Some(number))
            }
        };
        is_name(name).then_some(Named { name, version })
    }

    /// Whether this exact version is meant, or could be.
    pub fn admits(&self, function: &FunctionRef) -> bool {
        self.name == function.name && self.version.is_none_or(|version| version == function.version)
    }
}

/// Whether a text is a function's name: 1 to 64 lower-case letters, digits and `_`.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_at_most_one_version_written_one_way() {
        let named = |name, version| Some(Named { name, version });
        for (text, expected) in [
            ("psi", named("psi", None)),
            ("psi@1", named("psi", Some(1))),
            ("a_1@4294967295", named("a_1", Some(u32::MAX))),
            ("psi@4294967296", None),
            ("psi@01", None),
            ("psi@+1", None),
            ("psi@", None),
            ("psi@1@1", None),
            ("@1", None),
            ("Psi", None),
            ("p-si", None),
            ("", None),
        ] {
            assert_eq!(Named::parse(text), expected, "{text:?}");
        }
        assert!(Named::parse(&"x".repeat(64)).is_some() && Named::parse(&"x".repeat(65)).is_none());
    }

    #[test]
    fn a_name_admits_every_version_and_a_version_itself() {
        let function = FunctionRef { name: "psi".into(), version: 2, digest: Digest::new([0; 32]) };
        for (text, admits) in [("psi", true), ("psi@2", true), ("psi@1", false), ("psi2", false)] {
            assert_eq!(Named::parse(text).is_some_and(|named| named.admits(&function)), admits, "{text}");
        }
    }
}
