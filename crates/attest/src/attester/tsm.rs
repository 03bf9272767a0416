//! Evidence of TDX and SEV-SNP machines from Linux: the configfs-tsm report interface, which is files alone.
//!
//! ```text
//! mkdir ROOT/NAME → write 64 bytes to inblob → read provider, outblob, auxblob → compare generation → rmdir
//! ```
//!
//! Source: Linux, `Documentation/ABI/testing/configfs-tsm-report`, since version 6.7.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fs, str};

use types::time::UnixMillis;

use crate::attester::{AttestError, Attester, Operation};
use crate::dcap::layout::without_padding;
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::snp::layout::REPORT_BYTES;
use crate::snp::table;

/// Where Linux mounts the interface.
pub const TSM_REPORT: &str = "/sys/kernel/config/tsm/report";

/// The longest file that is read, in bytes: a table of certificates has a few pages.
const MAX_BLOB_BYTES: u64 = 256 * 1024;

/// How directories are made and removed: in configfs the kernel fills a new one with the interface's files.
#[derive(Clone, Copy, Debug)]
pub struct Directories {
    /// `mkdir`.
    pub make: fn(&Path) -> io::Result<()>,
    /// `rmdir`.
    pub remove: fn(&Path) -> io::Result<()>,
}

impl Default for Directories {
    fn default() -> Self {
        Directories { make: |path| fs::create_dir(path), remove: |path| fs::remove_dir(path) }
    }
}

/// Makes evidence of a TDX or SEV-SNP machine.
#[derive(Clone, Debug)]
pub struct TsmAttester {
    root: PathBuf,
    platform: Platform,
    directories: Directories,
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum TsmError {
    /// A file could not be read or written.
    #[error("use {0}")]
    File(&'static str, #[source] io::Error),
    /// The kernel has another provider of evidence than the platform's.
    #[error("the kernel's provider is `{0}`")]
    Provider(String),
    /// Somebody else wrote to the same report.
    #[error("the report's generation is {found}, not {expected}")]
    Generation {
        /// What the kernel counted.
        found: u64,
        /// What was written.
        expected: u64,
    },
    /// The evidence is not of the platform's form.
    #[error("the evidence is not what the platform makes")]
    Form(#[from] Refusal),
}

impl TsmAttester {
    /// An attester of this platform, [`Platform::Tdx`] or [`Platform::SevSnp`], under [`TSM_REPORT`] or wherever the
    /// interface is mounted.
    pub fn new(root: impl Into<PathBuf>, platform: Platform) -> Self {
        TsmAttester { root: root.into(), platform, directories: Directories::default() }
    }

    /// The same where a test plays the kernel.
    pub fn with_directories(self, directories: Directories) -> Self {
        TsmAttester { directories, ..self }
    }

    fn evidence(&self, report_data: &ReportData) -> Result<Evidence, TsmError> {
        let entry = Entry::make(&self.root, self.directories)?;
        if entry.platform()? != Some(self.platform) {
            return Err(TsmError::Provider(entry.provider()?));
        }
        let expected = entry.generation()? + 1;
        entry.write("inblob", &report_data.0)?;
        let (blob, certificates) = (entry.read("outblob")?, entry.read_if_any("auxblob")?);
        let found = entry.generation()?;
        if found != expected {
            return Err(TsmError::Generation { found, expected });
        }
        Ok(match self.platform {
            Platform::SevSnp => Evidence::new(self.platform, snp(&blob, &certificates)?)?,
            _ => Evidence::new(self.platform, without_padding(&blob)?.to_vec())?,
        })
    }
}

impl Attester for TsmAttester {
    fn platform(&self) -> Platform {
        self.platform
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        self.evidence(report_data).map_err(|source| AttestError {
            platform: self.platform,
            operation: Operation::Attest,
            source: Box::new(source),
        })
    }
}

/// A report, and its certificates in the one form that evidence has.
fn snp(report: &[u8], certificates: &[u8]) -> Result<Vec<u8>, Refusal> {
    let report = report.first_chunk::<REPORT_BYTES>().filter(|_| report.len() == REPORT_BYTES);
    let report = report.ok_or(crate::refusal::Fault::Expected("1184 bytes").of("SEV-SNP report"))?;
    Ok([&report[..], &table::canonical(certificates)?].concat())
}

/// Which platform the kernel's provider is for; none for one that is not known here.
pub(super) fn platform(root: &Path, directories: Directories) -> Result<Option<Platform>, TsmError> {
    Entry::make(root, directories)?.platform()
}

/// One report of the interface, removed when it is dropped.
struct Entry {
    path: PathBuf,
    directories: Directories,
}

impl Entry {
    fn make(root: &Path, directories: Directories) -> Result<Self, TsmError> {
        let name = format!("teehouse-{}", crypto::hash::hex(&crypto::random::bytes::<8>()));
        let entry = Entry { path: root.join(name), directories };
        (directories.make)(&entry.path).map_err(|error| TsmError::File("the report's directory", error))?;
        Ok(entry)
    }

    fn provider(&self) -> Result<String, TsmError> {
        Ok(String::from_utf8_lossy(&self.read("provider")?).trim().to_owned())
    }

    fn platform(&self) -> Result<Option<Platform>, TsmError> {
        Ok(match &*self.provider()? {
            "tdx_guest" => Some(Platform::Tdx),
            "sev_guest" => Some(Platform::SevSnp),
            _ => None,
        })
    }

    fn generation(&self) -> Result<u64, TsmError> {
        let bytes = self.read("generation")?;
        let number = str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| TsmError::File("generation", io::ErrorKind::InvalidData.into()))
    }

    /// In one call, as the kernel wants it.
    fn write(&self, name: &'static str, bytes: &[u8]) -> Result<(), TsmError> {
        let written =
            fs::OpenOptions::new().write(true).open(self.path.join(name)).and_then(|mut file| file.write(bytes));
        match written {
            Ok(length) if length == bytes.len() => Ok(()),
            Ok(_) => Err(TsmError::File(name, io::ErrorKind::WriteZero.into())),
            Err(error) => Err(TsmError::File(name, error)),
        }
    }

    fn read(&self, name: &'static str) -> Result<Vec<u8>, TsmError> {
        super::read_file(&self.path.join(name), MAX_BLOB_BYTES).map_err(|error| TsmError::File(name, error))
    }

    /// Nothing, where the kernel has no such file.
    fn read_if_any(&self, name: &'static str) -> Result<Vec<u8>, TsmError> {
        match self.read(name) {
            Err(TsmError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // A directory that stays behind is a few bytes of the kernel's memory; evidence is worth more than an error.
        let _ = (self.directories.remove)(&self.path);
    }
}
