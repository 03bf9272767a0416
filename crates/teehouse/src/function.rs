//! `teehouse function`: the functions that tasks can run, and how users add their own.

mod code;
mod described;
mod engine;
mod register;
mod test;

use anyhow::Context as _;
use clap::Subcommand;
use client::Teehouse;
use executor::Registry;
use serde::Serialize;

use self::described::Described;
use crate::exit::Complaint;
use crate::output::Output;
use crate::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  teehouse function list
  teehouse function show psi
  teehouse function test count.wasm --input letter.txt
  teehouse function register count_words --wasm count.wasm --inputs 1 --public

Without a user (--user, TEEHOUSE_USER) list and show tell of this program's own functions alone.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Flags,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the functions that you may use.
    #[command(after_help = "Example:\n  teehouse function list --json")]
    List,
    /// Show what a function takes and gives, and what its code is.
    #[command(after_help = "Examples:\n  teehouse function show psi\n  teehouse function show count_words@1")]
    Show {
        /// The function: NAME, for its newest version, or NAME@VERSION
        name: String,
    },
    /// Run code on files of this machine, in the sandbox that a function node runs it in.
    Test(test::Args),
    /// Register a function, or a new version of one: its code is put like any other file.
    Register(register::Args),
    /// Take a function of yours out of use. Tasks that were created with it keep it.
    #[command(after_help = "Examples:\n  teehouse function disable count_words\n  \
                            teehouse function disable count_words@1")]
    Disable {
        /// The function: NAME, for all its versions, or NAME@VERSION
        name: String,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    match verb {
        Verb::List => match connection.connect_if_named()? {
            Some(user) => list(described::of_user(&user).await?, output),
            None => list(built_ins()?.list().map(Described::from).collect(), output),
        },
        Verb::Show { name } => match connection.connect_if_named()? {
            Some(user) => show(&Described::from(user.function(&name).await?), output),
            None => show_built_in(&name, output),
        },
        Verb::Test(args) => test::run(args, output).await,
        Verb::Register(args) => register::run(args, &connection.connect()?, output).await,
        Verb::Disable { name } => disable(&connection.connect()?, &name, output).await,
    }
}

fn built_ins() -> anyhow::Result<Registry> {
    Registry::new(fns::builtins()).context("the built-in functions")
}

/// What `list` answers.
#[derive(Serialize)]
struct List {
    functions: Vec<Described>,
}

fn list(functions: Vec<Described>, output: &Output) -> anyhow::Result<()> {
    let answer = List { functions };
    output.result(&answer, |out| {
        answer.functions.iter().try_for_each(|function| {
            let parties = format!("{:?}", function.function_type);
            let name = match function.author {
                Some(_) => format!("{}@{}", function.name, function.version),
                None => function.name.clone(),
            };
            writeln!(out, "{name:<30} {parties:<11} {}", function.summary)
        })
    })?;
    Ok(())
}

fn show(function: &Described, output: &Output) -> anyhow::Result<()> {
    output.result(function, |out| function.print(out))?;
    Ok(())
}

fn show_built_in(name: &str, output: &Output) -> anyhow::Result<()> {
    match built_ins()?.get(name) {
        Some(function) => show(&Described::from(function.interface()), output),
        None => {
            let complaint = Complaint::new(format!("there is no function `{name}`"));
            Err(complaint.help("`teehouse function list` shows the functions").into())
        }
    }
}

/// What `disable` answers.
#[derive(Serialize)]
struct Disabled {
    name: String,
    versions: Vec<u32>,
}

async fn disable(user: &Teehouse, name: &str, output: &Output) -> anyhow::Result<()> {
    let versions = user.disable_function(name).await?;
    let answer = Disabled { name: name.split('@').next().unwrap_or(name).to_owned(), versions };
    output.result(&answer, |out| {
        answer.versions.iter().try_for_each(|version| writeln!(out, "{}@{version}", answer.name))
    })?;
    Ok(())
}
