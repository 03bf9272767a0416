//! `teehouse file get`: to a file, a folder, a pipe or a terminal.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use client::{FileError, Teehouse};
use indicatif::HumanBytes;
use types::id::FileId;

use super::list::Record;
use super::unpack::{self, Unpacked, unpack};
use crate::exit::Complaint;
use crate::output::{Output, named};

const EXAMPLES: &str = "\
Examples:
  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 -o report.pdf
  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 | wc -l
  teehouse file get 0a9ca5ac-2150-4bdd-ab63-c2c12252e747 -x -o photos    a folder again";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file
    id: FileId,
    /// Where it goes, readable by you alone; standard output when absent or -
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// It is a tar archive: make a new folder PATH of it. All of it is fetched and checked first, and nothing of it gets
    /// out of that folder
    #[arg(short = 'x', long, requires = "output")]
    extract: bool,
}

impl Args {
    /// The file or folder that it goes to.
    fn path(&self) -> Option<&Path> {
        if self.extract { self.output.as_deref() } else { named(self.output.as_deref()) }
    }

    /// Says what can't be done, before anything is.
    pub(super) fn check(&self, output: &Output) -> Result<(), Complaint> {
        match self.path() {
            None if output.is_json() => {
                let complaint = Complaint::usage("with --json a file's content has no place on standard output");
                Err(complaint.help("say where it goes: -o PATH"))
            }
            Some(path) if self.extract => check_new(path),
            _ => Ok(()),
        }
    }
}

/// A folder can be made there, and takes nothing's place.
fn check_new(path: &Path) -> Result<(), Complaint> {
    let complain = |what: String| Err(Complaint::usage(what).help("name a folder that is not there yet: -o PATH"));
    let found = fs::symlink_metadata(path);
    match (found, path.file_name()) {
        (_, None) => complain(format!("{} is no name for a new folder", path.display())),
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        (Err(error), _) => Err(Complaint::new(format!("{} can't be looked at", path.display())).because(error)),
        (Ok(found), _) if found.is_dir() && fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_none()) => {
            Ok(())
        }
        (Ok(_), _) => complain(format!("{} is there already", path.display())),
    }
}

pub(super) async fn get(user: &Teehouse, args: Args, output: &Output) -> anyhow::Result<()> {
    match (args.path(), args.extract) {
        (Some(path), true) => extract(user, &args.id, path.to_owned(), output).await,
        (Some(path), false) => save(user, &args.id, path, output).await,
        (None, _) => print(user, &args.id, output.bytes_bar("fetching")).await,
    }
}

async fn save(user: &Teehouse, id: &FileId, path: &Path, output: &Output) -> anyhow::Result<()> {
    let bar = output.bytes_bar("fetching");
    let info = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let complaint = Complaint::usage(format!("{} is a folder", path.display()));
            let help = "name the file that is to be written: -o PATH; a folder that was put comes back with --extract";
            return Err(complaint.help(help).into());
        }
        // Devices and pipes are written to; a file is replaced once the whole new one is there.
        Ok(found) if !found.is_file() => {
            user.stream_file(id, fs::OpenOptions::new().write(true).open(path)?, bar).await?
        }
        _ => user.save_file(id, path, bar).await?,
    };
    output.note(format_args!(
        "{} are in {}, as declared by {}",
        HumanBytes(info.file_size),
        path.display(),
        info.user_id
    ));
    output.result(&Record::new(id, &info), |_| Ok(()))?;
    Ok(())
}

/// Fetches an archive whole, to a file without a name beside the folder, and makes the folder of it once it is checked.
async fn extract(user: &Teehouse, id: &FileId, path: PathBuf, output: &Output) -> anyhow::Result<()> {
    let save = |source| FileError::Save { path: path.clone(), source };
    let mut archive = tempfile::tempfile_in(unpack::parent(&path)).map_err(save)?;
    let to = archive.try_clone().map_err(save)?;
    let fetched = user.stream_file(id, to, output.bytes_bar("fetching")).await;
    let info = fetched.map_err(|error| match error {
        FileError::Write { source } => save(source),
        other => other,
    })?;
    archive.rewind().map_err(save)?;
    let spinner = output.spinner("extracting");
    let Unpacked { files, bytes } = extracted(archive, path.clone()).await?;
    drop(spinner);
    let (size, owner) = (HumanBytes(bytes), &info.user_id);
    output.note(format_args!("{files} files ({size}) are in {}, as declared by {owner}", path.display()));
    output.result(&Record::new(id, &info), |_| Ok(()))?;
    Ok(())
}

async fn extracted(archive: File, path: PathBuf) -> anyhow::Result<Unpacked> {
    let what = format!("no folder {} was made", path.display());
    let unpacked = tokio::task::spawn_blocking(move || unpack(io::BufReader::new(archive), &path)).await?;
    Ok(unpacked.map_err(|error| Complaint::new(what).help(error.help()).because(error))?)
}

/// Writes a file to standard output: as it comes, unless people read it there.
async fn print(user: &Teehouse, id: &FileId, bar: impl FnMut(u64, u64) + Send + 'static) -> anyhow::Result<()> {
    if !io::stdout().is_terminal() {
        user.stream_file(id, io::stdout(), bar).await?;
        return Ok(io::stdout().flush()?);
    }
    let (_, plaintext) = user.get_file(id, bar).await?;
    if !is_text(&plaintext) {
        let complaint = Complaint::usage("the file is not text and would garble the terminal");
        return Err(complaint.help("say where it goes: -o PATH").into());
    }
    let mut out = io::stdout().lock();
    out.write_all(&plaintext)?;
    Ok(out.flush()?)
}

fn is_text(bytes: &[u8]) -> bool {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_harmless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_takes_nothings_place() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check_new(&dir.path().join("new")).is_ok());
        assert!(check_new(dir.path()).is_ok());
        fs::write(dir.path().join("file"), "x").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        for taken in ["", "file", "link", "file/below"] {
            assert!(check_new(&dir.path().join(taken)).is_err(), "{taken}");
        }
        assert!(check_new(Path::new(".")).is_err() && check_new(Path::new("/")).is_err());
    }

    #[test]
    fn only_harmless_text_goes_to_a_terminal() {
        for good in ["", "a\tb\r\n", "grün"] {
            assert!(is_text(good.as_bytes()), "{good:?}");
        }
        for bad in [&b"\xff"[..], b"\x1b[2J", b"a\0"] {
            assert!(!is_text(bad), "{bad:?}");
        }
    }
}
