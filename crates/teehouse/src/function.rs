//! `teehouse function`: the functions that this build's nodes run.

use std::io::{self, Write};

use anyhow::Context as _;
use clap::Subcommand;
use executor::{Inputs, Interface, OutputKind, PayloadRule, Registry};
use serde::Serialize;
use types::function::FunctionType;

use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse function list
  teehouse function show psi

They are those of this program's version; a server of another version may have others.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the functions.
    #[command(after_help = "Example:\n  teehouse function list --json")]
    List,
    /// Show what a function takes and gives.
    #[command(after_help = "Examples:\n  teehouse function show psi\n  teehouse function show psi@1")]
    Show {
        /// The function: NAME, or NAME@VERSION
        name: String,
    },
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let registry = Registry::new(functions::builtins()).context("the built-in functions")?;
    match &args.verb {
        Verb::List => list(&registry, output),
        Verb::Show { name } => show(&registry, name, output),
    }
}

/// A function, as a person chooses it.
#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    version: u32,
    summary: &'a str,
    function_type: FunctionType,
    inputs: String,
    payload: &'static str,
    outputs: Vec<&'static str>,
}

impl<'a> Described<'a> {
    fn new(interface: &'a Interface) -> Self {
        Described {
            name: &interface.name,
            version: interface.version,
            summary: &interface.summary,
            function_type: interface.function_type,
            inputs: inputs(&interface.inputs),
            payload: payload(interface.payload),
            outputs: interface.outputs.iter().map(|kind| receives(*kind)).collect(),
        }
    }
}

fn inputs(inputs: &Inputs) -> String {
    match inputs.from_every_party {
        true => format!("{inputs}, at least one from every party"),
        false => inputs.to_string(),
    }
}

fn payload(rule: PayloadRule) -> &'static str {
    match rule {
        PayloadRule::Refused => "none",
        PayloadRule::Optional => "optional",
        PayloadRule::Required => "required",
        PayloadRule::NamesInput => "optional: the id of a file to read",
    }
}

fn receives(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Owner => "a private file for each input's owner",
        OutputKind::Creator => "a private file for the task's creator",
        OutputKind::Shared => "a file for all participants",
    }
}

/// What `list` answers.
#[derive(Serialize)]
struct List<'a> {
    functions: Vec<Described<'a>>,
}

fn list(registry: &Registry, output: &Output) -> anyhow::Result<()> {
    let answer = List { functions: registry.list().map(Described::new).collect() };
    output.result(&answer, |out| {
        answer.functions.iter().try_for_each(|function| {
            let parties = format!("{:?}", function.function_type);
            writeln!(out, "{:<26} {parties:<11} {}", function.name, function.summary)
        })
    })?;
    Ok(())
}

fn show(registry: &Registry, name: &str, output: &Output) -> anyhow::Result<()> {
    let Some(function) = registry.get(name) else {
        let complaint = Complaint::new(format!("there is no function `{name}`"));
        return Err(complaint.help("`teehouse function list` shows the functions").into());
    };
    let described = Described::new(function.interface());
    output.result(&described, |out| print(out, &described))?;
    Ok(())
}

fn print(out: &mut dyn Write, function: &Described<'_>) -> io::Result<()> {
    writeln!(out, "function   {}, version {}", function.name, function.version)?;
    writeln!(out, "what       {}", function.summary)?;
    writeln!(out, "parties    {:?}", function.function_type)?;
    writeln!(out, "reads      {}", function.inputs)?;
    writeln!(out, "payload    {}", function.payload)?;
    writeln!(out, "gives      a result text")?;
    function.outputs.iter().try_for_each(|output| writeln!(out, "           {output}"))
}
