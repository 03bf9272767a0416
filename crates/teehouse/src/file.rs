//! `teehouse file`: a user's files, encrypted and decrypted on this machine.
//!
//! ```text
//! put    what it is (input) ─▶ check ─▶ sealed and sent ─▶ batch: several at once
//!                             └ pack: a folder as an archive
//! get    to a file or a pipe; unpack: an archive as a folder
//! list   what there is
//! ```

mod batch;
mod check;
pub mod fuzz;
mod get;
mod input;
mod links;
mod list;
mod pack;
mod policy;
mod put;
mod unpack;

use clap::Subcommand;
use types::id::FileId;

pub(crate) use self::list::Record;
use crate::output::Output;
use crate::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  teehouse file put report.pdf
  teehouse file put photos                      a folder, as one tar archive
  teehouse file put customers.txt --lines       hash each line, for psi
  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 -o report.pdf
  teehouse file list --long";

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
    /// Encrypt files, put them, and print their ids, one per line in the order given.
    Put(put::Args),
    /// Fetch a file and decrypt it. What differs from what its owner declared is refused, and nothing of it is kept.
    Get(get::Args),
    /// Show a file's record.
    #[command(after_help = "Example:\n  teehouse file info 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 --json")]
    Info {
        /// The file
        id: FileId,
    },
    /// Show or set what tasks may do with a file.
    Policy(policy::Args),
    /// List your files, newest first.
    #[command(after_help = "Examples:\n  teehouse file list --long\n  teehouse file list --long --sort size")]
    List {
        /// Show each file's size, date and name too
        #[arg(short, long)]
        long: bool,
        /// In which order
        #[arg(long, value_enum, value_name = "BY", default_value_t = list::Sort::Date)]
        sort: list::Sort,
    },
    /// Show how much you keep, and how much you may keep.
    #[command(after_help = "Example:\n  teehouse file usage")]
    Usage,
    /// Delete a file: its record, its key and its ciphertext.
    #[command(after_help = "Example:\n  teehouse file rm 0a9ca5ac-2150-4bdd-ab63-c2c12252e747")]
    Rm {
        /// The file
        id: FileId,
    },
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let Args { connection, verb } = args;
    match verb {
        Verb::Put(args) => {
            let work = args.prepare()?;
            work.run(&connection.connect()?, output).await
        }
        Verb::Get(args) => {
            args.check(output)?;
            get::get(&connection.connect()?, args, output).await
        }
        Verb::Info { id } => {
            let info = connection.connect()?.file_info(&id).await?;
            list::show(&Record::new(&id, &info), output)
        }
        Verb::Policy(args) => {
            let work = args.prepare()?;
            work.run(&connection.connect()?, output).await
        }
        Verb::List { long, sort } => list::list(&connection.connect()?, long, sort, output).await,
        Verb::Usage => list::usage(&connection.connect()?, output).await,
        Verb::Rm { id } => {
            let deleted = connection.connect()?.delete_file(&id).await?;
            list::removed(&id, &deleted, output)
        }
    }
}
