//! `teehouse fsck`: what records, keys and ciphertext have lost of each other, whether or not the services run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use identity::Users;
use indicatif::HumanBytes;
use kms::OperateError;
use rpc::Client;
use rpc::config::Config;
use rpc::deployment::DevDeployment;
use types::service::Role;
use types::time::UnixMillis;
use types::wire::tdfs_operator::{Check, CheckReport, Finding, Flaw, FlawCount};

use crate::exit::{Complaint, Exit};
use crate::output::Output;
use crate::settings::DATA_DIR_VARIABLE;

const EXAMPLES: &str = "\
Examples:
  teehouse fsck                                  look only
  teehouse fsck --repair                         remove keys and ciphertext of no file, and files
                                                 that were declared and never uploaded
  teehouse fsck --repair --delete-unreadable     and files that nobody can read any more
  teehouse fsck --json --data-dir /var/lib/teehouse

Look before you repair: of a file whose record a backup brought back late, or whose disk is not
mounted, nothing can be had again once it is removed. Inputs of tasks that go on are never removed.

Exit status: 0 nothing is wrong, or everything was removed; 6 something is still wrong.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The server's data directory; that of the configuration, or teehouse-data, when absent
    #[arg(long, value_name = "DIR", env = DATA_DIR_VARIABLE)]
    data_dir: Option<PathBuf>,
    /// The configuration file (teehouse.toml) of services that do not run: where their ciphertext is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove keys and ciphertext without a file, and files that were never uploaded
    #[arg(long)]
    repair: bool,
    /// Remove files too whose key or ciphertext is gone, or whose ciphertext is too short or too long
    #[arg(long, requires = "repair")]
    delete_unreadable: bool,
    /// From what age on a file should have its ciphertext; `tdfs.upload_hours` when absent
    #[arg(long, value_name = "HOURS")]
    older_than: Option<u64>,
    /// The ciphertext has really moved to another folder or bucket since the last start
    #[arg(long)]
    moved: bool,
}

pub(crate) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    config.data_dir = args.data_dir.unwrap_or(config.data_dir);
    let Args { repair, delete_unreadable, older_than, moved, .. } = args;
    let check = Check { repair, delete_unreadable, older_than_hours: older_than, moved };
    let spinner = output.spinner("comparing records, keys and ciphertext");
    let report = match tdfs::ask_running(&config.data_dir, check.clone()).await? {
        Some(report) => report,
        None => on_stores(&config, check).await?,
    };
    drop(spinner);
    output.result(&report, |out| write(out, &report))?;
    match report.left() {
        0 => Ok(()),
        left => Err(still_wrong(left, &report, repair)),
    }
}

fn still_wrong(left: u64, report: &CheckReport, repaired: bool) -> anyhow::Error {
    let unreadable = |count: &FlawCount| {
        matches!(count.flaw, Flaw::LostCiphertext | Flaw::WrongLength | Flaw::NoKey) && count.found > count.removed
    };
    let complaint = Complaint::new(format!("{left} flaws are left")).exit(Exit::Flawed);
    let help = match (repaired, report.flaws.iter().any(unreadable)) {
        (false, _) => "--repair removes keys and ciphertext of no file, and files that were never uploaded",
        (true, true) => "restore what is missing from a backup; --delete-unreadable removes such files for good",
        (true, false) => "tasks that have not ended need the rest; check again later",
    };
    complaint.help(help).into()
}

/// Checks a `--dev` deployment that is not running.
async fn on_stores(config: &Config, check: Check) -> anyhow::Result<CheckReport> {
    let data_dir = &config.data_dir;
    if !data_dir.join("dev").exists() {
        return Err(no_server(data_dir));
    }
    let key = DevDeployment::open(data_dir)?.sealing_key(Role::Tdfs)?;
    // The root's lock is the kms's, so nothing starts here before this ends.
    let (kms, root) = kms::open_stopped(data_dir).await.map_err(|error| match error {
        OperateError::Busy(_) => busy(data_dir),
        error => error.into(),
    })?;
    let (users, kms) = (Arc::new(Users::open(data_dir, &key)?), Arc::new(kms));
    let client = Client::local(kms::Api(kms.clone()).into(), Role::Tdfs);
    let tdfs = tdfs::open_stopped(config, &key, client, users.clone()).await?;
    let report = tdfs.check(check, UnixMillis::now()).await;
    tdfs.close().await;
    users.close().await;
    kms.close().await;
    drop(root);
    Ok(report?)
}

fn no_server(data_dir: &Path) -> anyhow::Error {
    Complaint::new(format!("no tdfs runs on {}, and it holds no --dev deployment", data_dir.display()))
        .help("start the services, whose keys no one else has; or name their data directory: --data-dir DIR")
        .into()
}

fn busy(data_dir: &Path) -> anyhow::Error {
    let what = format!("a service uses {}, but no tdfs answers there", data_dir.display());
    Complaint::new(what).help("wait until it has started or ended, and try again").into()
}

fn write(out: &mut dyn Write, report: &CheckReport) -> io::Result<()> {
    for Finding { flaw, name, owner, bytes, removed } in &report.findings {
        let owner = owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        let size = bytes.map(|bytes| format!(", {}", HumanBytes(bytes))).unwrap_or_default();
        let removed = if *removed { ": removed" } else { "" };
        writeln!(out, "{name}{owner}{size}: {}{removed}", words(*flaw))?;
    }
    let CheckReport { files, keys, ciphertexts, waiting, .. } = report;
    writeln!(out, "looked at {files} files, {keys} keys, {ciphertexts} ciphertexts")?;
    if *waiting > 0 {
        writeln!(out, "{waiting} files wait for their ciphertext")?;
    }
    for FlawCount { flaw, found, removed } in &report.flaws {
        writeln!(out, "{found} {}, {removed} removed", words(*flaw))?;
    }
    Ok(())
}

fn words(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::NeverUploaded => "declared and never uploaded",
        Flaw::LostCiphertext => "without the ciphertext that was there",
        Flaw::WrongLength => "with a ciphertext of another length",
        Flaw::NoKey => "without a key",
        Flaw::OrphanKey => "keys of no file",
        Flaw::OrphanCiphertext => "ciphertext of no file",
        Flaw::OrphanUpload => "uploads of no file",
        Flaw::Stray => "not the system's, and left alone",
    }
}
