//! `teehouse kms recovery`: keys for holders, a set of them, their shares, and the root out of enough of those.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ::kms::root_key::{
    HolderName, MAX_KEY_TEXT_LEN, MAX_SHARE_FILE_LEN, Means, OpenShare, RecoveryKey, RecoverySecret, Root, RootError,
    ShareFile, share_files,
};
use ::kms::sealer_here;
use anyhow::Context as _;
use clap::Subcommand;
use rpc::config::Config;
use serde::Serialize;
use types::secret::Secret;
use types::time::UnixMillis;
use types::wire::kms_operator::SetRecovery;

use crate::exit::Complaint;
use crate::kms::{change, show};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse kms recovery keygen alice           each holder, at home: alice.key stays there
  teehouse kms recovery init --threshold 2 --holder alice.pub --holder bob.pub --holder carol.pub
  teehouse kms recovery split -o shares        alice.share, bob.share, carol.share, for them
  teehouse kms recovery combine --share alice.share --share bob.share --key alice.key --key bob.key";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a holder's recovery key: NAME.key, which the holder keeps, and NAME.pub for `init`. Needs no data directory.
    #[command(after_help = "Example:\n  teehouse kms recovery keygen alice -o /media/usb-stick")]
    Keygen {
        /// The holder: 1 to 64 of A-Z a-z 0-9 . _ - @
        #[arg(value_name = "NAME")]
        holder: HolderName,
        /// The folder for both files
        #[arg(short, long, value_name = "DIR", default_value = ".")]
        output: PathBuf,
    },
    /// Split the root among holders, so that THRESHOLD of them can recover it. Replaces an earlier set.
    #[command(after_help = "Example:\n  teehouse kms recovery init --threshold 2 --holder alice.pub --holder bob.pub")]
    Init {
        /// How many holders it takes; with 1, each of them alone can
        #[arg(long, value_name = "K")]
        threshold: u8,
        /// A holder's public key file
        #[arg(long = "holder", value_name = "FILE", required = true)]
        holders: Vec<PathBuf>,
    },
    /// Write each holder's share as NAME.share, which that holder's key alone opens. Needs no secret.
    #[command(after_help = "Example:\n  teehouse kms recovery split -o shares")]
    Split {
        /// The folder for the files; made if it is not there
        #[arg(short, long, value_name = "DIR", default_value = ".")]
        output: PathBuf,
    },
    /// Recover the root with enough holders' shares and keys, and seal it to this machine in place of earlier ones:
    /// where the kms will run, and while it does not. Whoever controls this machine meanwhile can read the keys, and
    /// the root with them.
    #[command(after_help = "Example:\n  teehouse kms recovery combine --share alice.share --share bob.share \\\n    \
                            --key alice.key --key bob.key")]
    Combine {
        /// A holder's share file
        #[arg(long = "share", value_name = "FILE", required = true)]
        shares: Vec<PathBuf>,
        /// A holder's private key file
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// The kms's configuration file, where it names the platform or the TPM to seal to
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(crate) async fn run(args: Args, data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Keygen { holder, output: folder } => keygen(holder, &folder, output),
        Verb::Init { threshold, holders } => init(threshold, &holders, data_dir, output).await,
        Verb::Split { output: folder } => split(&folder, data_dir, output),
        Verb::Combine { shares, keys, config } => {
            let config = config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
            combine(&shares, &keys, (data_dir, &config), output).await
        }
    }
}

/// Files that were written.
#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

impl Written {
    fn tell(&self, output: &Output) -> anyhow::Result<()> {
        output.result(self, |out| self.files.iter().try_for_each(|file| writeln!(out, "{}", file.display())))?;
        Ok(())
    }
}

fn keygen(holder: HolderName, folder: &Path, output: &Output) -> anyhow::Result<()> {
    let files = ["key", "pub"].map(|kind| folder.join(format!("{holder}.{kind}")));
    let secret = RecoverySecret::generate(holder);
    write_new(&files[0], 0o600, secret.danger_to_text().expose().as_bytes())?;
    write_new(&files[1], 0o644, secret.public().to_text().as_bytes())?;
    output.note(format_args!(
        "{} is the secret: its holder keeps it, away from the kms; {} is for `teehouse kms recovery init`",
        files[0].display(),
        files[1].display()
    ));
    Written { files: files.to_vec() }.tell(output)
}

async fn init(threshold: u8, holders: &[PathBuf], data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    let keys = holders.iter().map(|path| read_public(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let request = SetRecovery { threshold, keys: keys.iter().map(RecoveryKey::to_text).collect() };
    let note = "the recovery set is in place; `teehouse kms recovery split` writes the holders' shares";
    change(data_dir, request.into(), note, output).await
}

fn split(folder: &Path, data_dir: &Path, output: &Output) -> anyhow::Result<()> {
    let Some(shares) = share_files(data_dir)? else {
        let help = "`teehouse kms recovery init` makes one";
        return Err(Complaint::new("the root has no recovery set").help(help).into());
    };
    fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let write = |share: &ShareFile| {
        let path = folder.join(format!("{}.share", share.holder));
        write_new(&path, 0o644, &share.to_bytes())?;
        Ok(path)
    };
    let files = shares.iter().map(write).collect::<anyhow::Result<Vec<_>>>()?;
    Written { files }.tell(output)
}

async fn combine(
    shares: &[PathBuf],
    keys: &[PathBuf],
    (data_dir, config): (&Path, &Config),
    output: &Output,
) -> anyhow::Result<()> {
    let keys = keys.iter().map(|path| read_secret(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let shares = shares.iter().map(|path| open_share(path, &keys)).collect::<anyhow::Result<Vec<_>>>()?;
    let opened = Root::open(data_dir, &Means { shares: &shares, ..Means::default() }).await;
    let mut root = opened.map_err(|error| match error {
        RootError::Busy { .. } => {
            let help = "to seal it to this machine anew, use `teehouse kms reseal`; no holder's key is needed";
            Complaint::new(format!("a kms runs on {}, so it has its root", data_dir.display())).help(help).into()
        }
        error => anyhow::Error::from(error),
    })?;
    root.rewrap(&sealer_here(data_dir, &config.attestation)?, UnixMillis::now())?;
    drop(root);
    output.note("the root is recovered and sealed to this machine; the kms can start");
    show(data_dir, output)
}

fn open_share(path: &Path, keys: &[RecoverySecret]) -> anyhow::Result<OpenShare> {
    let bytes = read_limited(path, MAX_SHARE_FILE_LEN)?;
    let share = ShareFile::from_bytes(&bytes).with_context(|| path.display().to_string())?;
    if let Some(opened) = keys.iter().find_map(|key| share.open(key).ok()) {
        return Ok(opened);
    }
    match keys.iter().find(|key| key.holder == share.holder) {
        Some(key) => share.open(key).with_context(|| path.display().to_string()),
        None => {
            let what = format!("{}: no key of {} is given", path.display(), share.holder);
            Err(Complaint::usage(what).help(format!("say --key {}.key too", share.holder)).into())
        }
    }
}

fn read_public(path: &Path) -> anyhow::Result<RecoveryKey> {
    let text = read_text(path)?;
    RecoveryKey::from_text(text.expose()).with_context(|| path.display().to_string())
}

fn read_secret(path: &Path) -> anyhow::Result<RecoverySecret> {
    let text = read_text(path)?;
    RecoverySecret::from_text(text.expose()).with_context(|| path.display().to_string())
}

/// As a secret, since which half of a key it is shows only when it is read.
fn read_text(path: &Path) -> anyhow::Result<Secret> {
    let bytes = read_limited(path, MAX_KEY_TEXT_LEN)?;
    let text = String::from_utf8(bytes).map_err(|_| Complaint::new(format!("{} is no text", path.display())))?;
    Ok(Secret::new(text))
}

/// One byte more than the limit, so that what reads it can tell.
fn read_limited(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit + 1);
    let read = File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{} can't be read", path.display()))?;
    Ok(bytes)
}

/// Writes a file that was not there.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        let complaint = Complaint::new(format!("{} can't be written", path.display()));
        match error.kind() {
            io::ErrorKind::AlreadyExists => complaint.help("move it away, or name another folder: -o DIR"),
            _ => complaint,
        }
        .because(error)
        .into()
    })
}
