//! `teehouse completions`: what a shell needs to complete our commands.

use std::io::Write as _;

use clap_complete::Shell;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  teehouse completions bash > ~/.local/share/bash-completion/completions/teehouse\n  \
                        teehouse completions zsh > ~/.zfunc/_teehouse"
)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, command: &mut clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "teehouse", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(())
}
