//! The `teehouse` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    teehouse::cli::main()
}
