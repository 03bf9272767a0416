//! What `test` and `register` say of code: the file, its language, and what it takes and gives.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use executor::python::Python;
use executor::wasm::{Engine, Refused};
use types::digest::Digest;
use types::function::{Declaration, FunctionType, InputRule, Language, OutputUse, PayloadUse, RunLimits};

use crate::exit::Complaint;

/// What a function takes and gives.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "What it takes and gives")]
pub(super) struct Shape {
    /// Whether one user runs it alone, or every party approves: `single` or `multiparty`
    #[arg(long = "type", value_name = "TYPE", default_value = "single", value_parser = function_type)]
    function_type: FunctionType,
    /// How many files it reads: N, N..M or N..
    #[arg(long, value_name = "COUNT", default_value = "0..")]
    inputs: Count,
    /// Every party brings at least one of them
    #[arg(long)]
    from_every_party: bool,
    /// Who may get outputs of it: `creator`, `shared`, `owner`; all of them when absent
    #[arg(long, value_name = "WHO", value_delimiter = ',', value_parser = output)]
    outputs: Vec<OutputUse>,
    /// Give it real random numbers; two runs on the same files may then differ
    #[arg(long)]
    random: bool,
}

/// Limits of each run, where they are lower than the node's.
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits of each run, where they are lower than the node's")]
pub(super) struct Limits {
    /// Memory, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    memory: Option<u64>,
    /// Time that it computes, in milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    cpu: Option<u64>,
    /// Time from start to end, in milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    wall: Option<u64>,
    /// All outputs together, in bytes
    #[arg(long, value_name = "BYTES")]
    output_bytes: Option<u64>,
    /// How many outputs
    #[arg(long, value_name = "COUNT")]
    output_count: Option<u64>,
}

impl Limits {
    pub(super) fn declared(self) -> RunLimits {
        RunLimits {
            memory_bytes: self.memory,
            cpu_ms: self.cpu,
            wall_ms: self.wall,
            output_bytes: self.output_bytes,
            outputs: self.output_count,
        }
    }
}

impl Shape {
    pub(super) fn declaration(
        self,
        source: (Language, Option<Vec<String>>),
        payload: PayloadUse,
        limits: Limits,
    ) -> Declaration {
        let (language, imports) = source;
        let all = || vec![OutputUse::Creator, OutputUse::Shared, OutputUse::Owner];
        Declaration {
            language,
            function_type: self.function_type,
            payload,
            inputs: InputRule { min: self.inputs.min, max: self.inputs.max, from_every_party: self.from_every_party },
            outputs: if self.outputs.is_empty() { all() } else { self.outputs },
            random: self.random,
            limits: limits.declared(),
            imports,
        }
    }
}

/// A number of files: `2`, `1..3`, `1..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    min: usize,
    max: Option<usize>,
}

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected a number of files, as 2, 1..3 or 1..";
        let number = |text: &str| text.parse::<usize>().map_err(|_| EXPECTED);
        let count = match text.split_once("..") {
            None => Count { min: number(text)?, max: Some(number(text)?) },
            Some((min, "")) => Count { min: number(min)?, max: None },
            Some((min, max)) => Count { min: number(min)?, max: Some(number(max)?) },
        };
        if count.max.is_none_or(|max| count.min <= max) { Ok(count) } else { Err(EXPECTED) }
    }
}

fn function_type(text: &str) -> Result<FunctionType, &'static str> {
    match text {
        "single" => Ok(FunctionType::Single),
        "multiparty" => Ok(FunctionType::Multiparty),
        _ => Err("expected single or multiparty"),
    }
}

pub(super) fn payload(text: &str) -> Result<PayloadUse, &'static str> {
    match text {
        "yes" => Ok(PayloadUse::Required),
        "no" => Ok(PayloadUse::Refused),
        "optional" => Ok(PayloadUse::Optional),
        _ => Err("expected yes, no or optional"),
    }
}

fn output(text: &str) -> Result<OutputUse, &'static str> {
    match text {
        "creator" => Ok(OutputUse::Creator),
        "shared" => Ok(OutputUse::Shared),
        "owner" => Ok(OutputUse::Owner),
        _ => Err("expected creator, shared or owner"),
    }
}

/// The interpreter for Python on this machine.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Runtime {
    /// The interpreter for Python, which runtimes/python/build.sh makes
    #[arg(long = "python-runtime", env = "TEEHOUSE_PYTHON", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Runtime {
    /// Loads it, if it is named. That takes a while where it was not done before on this machine.
    pub(super) fn load(&self, engine: &Engine) -> anyhow::Result<Option<Python>> {
        let Some(path) = &self.path else { return Ok(None) };
        let runtime = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let digest = Digest::new(crypto::hash::Sha256::digest(&runtime));
        let refused = |error: Refused| Complaint::new(format!("{}: {error}", path.display()));
        Ok(Some(Python::load(engine, &runtime, digest).map_err(refused)?))
    }
}

/// Code as its file holds it.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) language: Language,
    pub(super) bytes: Vec<u8>,
}

impl Source {
    /// Reads code of a language; by the file's name where none is said.
    pub(super) fn read(path: &Path, language: Option<Language>) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let is_python = path.extension().is_some_and(|extension| extension == "py");
        let guessed = if is_python { Language::Python } else { Language::Wasm };
        Ok(Source { path: path.to_owned(), language: language.unwrap_or(guessed), bytes })
    }

    /// What the code imports, as a node sees it; refuses what no node would run.
    pub(super) fn imports(&self, engine: &Engine) -> anyhow::Result<Option<Vec<String>>> {
        match self.language {
            Language::Python => Ok(None),
            Language::Wasm => match engine.inspect(&self.bytes) {
                Ok(inspection) => Ok(Some(inspection.imports)),
                Err(refused) => {
                    Err(Complaint::new(format!("{} can't be a function: {refused}", self.path.display())).into())
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_a_number_or_a_range() {
        let count = |min, max| Ok(Count { min, max });
        for (text, expected) in
            [("0", count(0, Some(0))), ("2", count(2, Some(2))), ("1..3", count(1, Some(3))), ("1..", count(1, None))]
        {
            assert_eq!(text.parse::<Count>(), expected, "{text}");
        }
        for text in ["", "..", "..3", "3..1", "-1", "1...3", "a"] {
            assert!(text.parse::<Count>().is_err(), "{text}");
        }
    }
}
