//! The command line: which nouns and verbs there are.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::Output;
use crate::{
    attestation, call, completions, demo, exit, file, fsck, function, key, kms, log, manifest, openapi, receipt, serve,
    task, user,
};

const EXAMPLES: &str = "\
Examples:
  teehouse demo                          the whole journey of two parties, in a temporary directory
  teehouse serve --dev                   all services on this machine, for development
  teehouse user add alice                a user; prints the token
  teehouse file put customers.txt --lines
  teehouse task create psi --with bob --file FILE_ID
  teehouse task run TASK_ID

Settings:
  Flags come first, then TEEHOUSE_* variables, then a client.toml: that of --client-config, else
  that in TEEHOUSE_DATA_DIR, else ~/.config/teehouse/client.toml. `serve --dev` writes the one in
  its data directory, so a laptop needs TEEHOUSE_DATA_DIR, TEEHOUSE_USER and TEEHOUSE_TOKEN only.

Exit status:
  0  done
  1  refused, or failed
  2  wrong usage or settings
  3  a service can't be reached
  4  bytes are not what was declared
  5  what answers is not to be trusted
  6  a check found what is still wrong";

/// Longest line of a help text, in characters; texts that are not flowed keep to it themselves.
const MAX_LINE_CHARS: usize = 100;

/// Confidential computing for parties who do not trust each other.
///
/// Several parties encrypt files on their own machines, agree on one function over them, and get only its results.
#[derive(Parser)]
#[command(name = "teehouse", version = crate::VERSION, after_help = EXAMPLES, max_term_width = MAX_LINE_CHARS)]
struct Cli {
    /// Print JSON, for machines: results and errors.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the whole journey: two parties, their files, psi, and what each of them learns.
    Demo(demo::Args),
    /// Start the services.
    Serve(serve::Args),
    /// Manage users, their tokens and quotas, on a data directory.
    User(user::Args),
    /// Put, get and manage your files.
    File(file::Args),
    /// Create, approve and run tasks, and fetch their results.
    Task(task::Args),
    /// Read and verify the log of what happened to your tasks.
    Log(log::Args),
    /// Make, register and show the key by which you sign approvals.
    Key(key::Args),
    /// Fetch, show and verify receipts of tasks.
    Receipt(receipt::Args),
    /// See and change what keeps the kms's root key.
    Kms(kms::Args),
    /// Compare records, keys and ciphertext, and remove what belongs to nothing.
    Fsck(fsck::Args),
    /// Show the functions that tasks can run; test, register and disable your own.
    Function(function::Args),
    /// Measure what runs.
    Attest(attestation::Args),
    /// Make, sign and check the auditors' manifest: what may run.
    Manifest(manifest::Args),
    /// Send one raw document to a service, for people who debug clients.
    Call(call::Args),
    /// Print an API's OpenAPI document.
    Openapi(openapi::Args),
    /// Print a shell's completion script.
    Completions(completions::Args),
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let Cli { json, command } = Cli::parse();
    let output = Output::new(json);
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(command, &output));
            // A blocked read of standard input must not hold up the end.
            runtime.shutdown_background();
            exit::status(&output, outcome)
        }
        Err(error) => exit::status(&output, Err(error.into())),
    }
}

async fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(args, output).await,
        Command::Serve(args) => serve::run(args, output).await,
        Command::User(args) => user::run(args, output).await,
        Command::File(args) => file::run(args, output).await,
        Command::Task(args) => task::run(args, output).await,
        Command::Log(args) => log::run(args, output).await,
        Command::Key(args) => key::run(args, output).await,
        Command::Receipt(args) => receipt::run(args, output).await,
        Command::Kms(args) => kms::run(args, output).await,
        Command::Fsck(args) => fsck::run(args, output).await,
        Command::Function(args) => function::run(args, output).await,
        Command::Attest(args) => attestation::run(args, output).await,
        Command::Manifest(args) => manifest::run(&args, output),
        Command::Call(args) => call::run(args).await,
        Command::Openapi(args) => openapi::run(&args),
        Command::Completions(args) => completions::run(&args, &mut <Cli as clap::CommandFactory>::command()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no description");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("Example"), "{name} shows no example");
            for line in examples.lines() {
                assert!(line.chars().count() <= MAX_LINE_CHARS, "{name}: {line}");
            }
            command.get_subcommands().filter(|verb| verb.get_name() != "help").for_each(check);
        }
        check(&Cli::command());
    }
}
