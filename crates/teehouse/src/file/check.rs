//! What a table should look like, checked on this machine before a byte of it is sent.

mod columns;
mod footer;
mod rows;
mod value;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use self::columns::{BadColumns, Columns, Type};
use crate::exit::Complaint;

/// How a table's columns are named.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(super) struct Flags {
    /// Before anything is sent, check that the file is a table (CSV with a header row, or Parquet) of these columns in
    /// this order. Types: int, float, text, bool, date (2024-12-31), timestamp (RFC 3339); with ? values may be missing
    #[arg(long, value_name = "NAME:TYPE,…", conflicts_with = "lines")]
    columns: Option<Columns>,
    /// As --columns, with those of another table
    #[arg(long, value_name = "TABLE", conflicts_with = "lines")]
    like: Option<PathBuf>,
    /// As --columns, with those in a JSON file: [{"name": "id", "type": "int"}, …]
    #[arg(long, value_name = "PATH", conflicts_with = "lines")]
    schema: Option<PathBuf>,
}

/// A table is not what it should be, or can't be looked at.
#[derive(Debug, thiserror::Error)]
enum Mismatch {
    #[error("{file} can't be read")]
    Read { file: String, source: io::Error },
    #[error("{file} has no header row")]
    NoHeader { file: String },
    #[error("{file} is named as Parquet, but is not Parquet")]
    NotParquet { file: String },
    #[error("the schema of {file} can't be read")]
    Footer { file: String, source: parquet::errors::ParquetError },
    #[error("{file} has {found} columns, expected {expected}")]
    Count { file: String, expected: usize, found: usize },
    #[error("{file}, {place}column {column}: expected a column `{expected}`, found {found}")]
    Name { file: String, place: &'static str, column: usize, expected: String, found: String },
    #[error("{file}, column {column} ({name}): expected {expected}, found {found}")]
    Column { file: String, column: usize, name: String, expected: Type, found: String },
    #[error("{file}, line {line}, column {column} ({name}): expected {expected}, found {found}")]
    Value { file: String, line: u64, column: usize, name: String, expected: Type, found: String },
    #[error("{file}, line {line}: the row has {found} fields, the header {expected}")]
    Width { file: String, line: u64, expected: usize, found: usize },
    #[error("{file}, line {line}: the row is longer than 16 MiB")]
    TooLong { file: String, line: u64 },
    #[error("{file}, column {column} ({name}) is {found}")]
    Unknown { file: String, column: usize, name: String, found: String },
    #[error("{file} is no model for a table")]
    Model { file: String, source: BadColumns },
}

impl Mismatch {
    fn help(&self) -> Option<&'static str> {
        let help = match self {
            Mismatch::Read { .. } => return None,
            Mismatch::NotParquet { .. } => "nothing was sent: if it is CSV, give it another name",
            Mismatch::Footer { .. } => "nothing was sent: see that the file is whole and its footer is not encrypted",
            Mismatch::TooLong { .. } => "nothing was sent: most likely a quote is opened there and never closed",
            Mismatch::Unknown { .. } | Mismatch::Model { .. } => "name the columns yourself: --columns NAME:TYPE,…",
            Mismatch::Value { found, .. } if found == "nothing" => {
                "nothing was sent: where values may be missing, put a ? after the type"
            }
            Mismatch::Column { found, .. } if found.ends_with('?') => {
                "nothing was sent: where values may be missing, put a ? after the type"
            }
            _ => "nothing was sent: mend the file, or what is expected of it",
        };
        Some(help)
    }

    fn complain(self) -> Complaint {
        let complaint = Complaint::new(self.to_string());
        let complaint = match self.help() {
            Some(help) => complaint.help(help),
            None => complaint,
        };
        complaint.because(self)
    }
}

/// What every table that is put should look like.
#[derive(Clone, Debug)]
pub(super) struct Check(Columns);

impl Check {
    /// The check that flags ask for, if they do.
    pub(super) fn new(flags: Flags) -> anyhow::Result<Option<Self>> {
        let Flags { columns, like, schema } = flags;
        match (columns, like, schema) {
            (Some(columns), _, _) => Ok(Some(Check(columns))),
            (None, Some(model), _) => Ok(Some(Check(columns_of(&model).map_err(Mismatch::complain)?))),
            (None, None, Some(path)) => Ok(Some(Check(read(&path)?))),
            (None, None, None) => Ok(None),
        }
    }

    /// Looks at a table: all of it if it is CSV; how many rows it has.
    pub(super) fn table(&self, path: &Path) -> anyhow::Result<Looked> {
        Ok(self.try_table(path).map_err(Mismatch::complain)?)
    }

    fn try_table(&self, path: &Path) -> Result<Looked, Mismatch> {
        let name = path.display().to_string();
        let file = open(path)?;
        let stamp = Stamp::of(&file).map_err(|source| Mismatch::Read { file: name.clone(), source })?;
        let rows = match is_parquet(path, &file)? {
            true => footer::check(&name, &file, &self.0)?,
            false => rows::check(&name, &file, &self.0)?,
        };
        Ok(Looked { rows, stamp })
    }
}

/// A table that was looked at.
pub(super) struct Looked {
    pub(super) rows: u64,
    stamp: Stamp,
}

impl Looked {
    /// Whether the file there is still the one that was looked at.
    pub(super) fn is_current(&self, path: &Path) -> bool {
        File::open(path).and_then(|file| Stamp::of(&file)).is_ok_and(|stamp| stamp == self.stamp)
    }
}

/// What changes when a file does.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let found = file.metadata()?;
        let changed = (found.ctime(), found.ctime_nsec());
        Ok(Stamp { file: (found.dev(), found.ino()), len: found.len(), changed })
    }
}

fn columns_of(model: &Path) -> Result<Columns, Mismatch> {
    let (name, file) = (model.display().to_string(), open(model)?);
    match is_parquet(model, &file)? {
        true => footer::columns(&name, &file),
        false => rows::columns(&name, &file),
    }
}

fn open(path: &Path) -> Result<File, Mismatch> {
    let opened = fs::metadata(path).and_then(|found| match found.is_file() {
        true => File::open(path),
        // A pipe would be empty after it was looked at.
        false => Err(io::Error::other("only a file can be looked at before it is sent")),
    });
    opened.map_err(|source| Mismatch::Read { file: path.display().to_string(), source })
}

/// Decided by what is in the file; its name can only make it an error.
fn is_parquet(path: &Path, file: &File) -> Result<bool, Mismatch> {
    let name = || path.display().to_string();
    let is_named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    match footer::is_parquet(file).map_err(|source| Mismatch::Read { file: name(), source })? {
        false if is_named => Err(Mismatch::NotParquet { file: name() }),
        is => Ok(is),
    }
}

/// Looks at a stranger's table in every way there is; see [`super::fuzz::table`].
pub(super) fn fuzz(bytes: &[u8]) {
    use std::io::{Seek as _, Write as _};
    if let Some(columns) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Columns>().ok()) {
        assert_eq!(columns.to_string().parse().as_ref(), Ok(&columns), "columns are read as they are written");
    }
    drop(std::hint::black_box(serde_json::from_slice::<Columns>(bytes)));
    let mut file = tempfile::tempfile().expect("room");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("room");
    let is_parquet = footer::is_parquet(&file).expect("it can be read");
    let (found, text) = match is_parquet {
        true => (footer::columns("t", &file), true),
        false => (rows::columns("t", bytes), std::str::from_utf8(bytes).is_ok()),
    };
    // Names and values that are no text are shown to people as well as they can be.
    let Some(own) = found.ok().filter(|_| text) else { return };
    let fits = if is_parquet { footer::check("t", &file, &own) } else { rows::check("t", bytes, &own) };
    assert!(fits.is_ok(), "a table fits its own columns {own}: {fits:?}");
}

fn read(path: &Path) -> anyhow::Result<Columns> {
    let text =
        fs::read(path).map_err(|source| Mismatch::Read { file: path.display().to_string(), source }.complain())?;
    let complain = |error| {
        let complaint = Complaint::usage(format!("{} names no columns", path.display())).because(error);
        complaint.help(r#"it should look like [{"name": "id", "type": "int"}, {"name": "note", "type": "text?"}]"#)
    };
    Ok(serde_json::from_slice(&text).map_err(complain)?)
}
