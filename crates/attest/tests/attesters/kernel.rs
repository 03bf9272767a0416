//! The kernel's side of configfs-tsm and of Gramine's files.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use attest::attester::Directories;
use attest::evidence::ReportData;
use attest::snp::SnpProduct;
use forge::snp::{Chip, Encoding, Guest, SnpForge};
use forge::{Domain, Forge, Machine};
use rustix::fs::{CWD, Mode};
use types::time::UnixMillis;

pub(crate) const NOW: UnixMillis = UnixMillis(1_780_272_000_000);

/// A pipe with a name: whoever opens it waits for the other side.
pub(crate) fn pipe(path: &Path) {
    rustix::fs::mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// What a provider makes of 64 bytes: outblob and auxblob.
type Provider = fn(ReportData) -> (Vec<u8>, Option<Vec<u8>>);

/// A new report's directory, as the kernel fills it, and a thread that answers one write.
fn fill(path: &Path, name: &str, written: u64, provider: Provider) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::write(path.join("provider"), format!("{name}\n"))?;
    fs::write(path.join("generation"), "0\n")?;
    pipe(&path.join("inblob"));
    pipe(&path.join("outblob"));
    let path = path.to_owned();
    thread::spawn(move || {
        let Ok(data) = fs::read(path.join("inblob")) else { return };
        let (report, certificates) = provider(ReportData(data.try_into().unwrap()));
        fs::write(path.join("generation"), format!("{written}\n")).unwrap();
        if let Some(certificates) = certificates {
            fs::write(path.join("auxblob"), certificates).unwrap();
        }
        fs::write(path.join("outblob"), report).unwrap();
    });
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    // Wakes the thread of a report that nobody wrote to.
    let _ = fs::OpenOptions::new().read(true).write(true).open(path.join("inblob"));
    fs::remove_dir_all(path)
}

/// A trust domain's quote in a buffer with zeros after it, as Linux hands it out.
pub(crate) fn tdx_blob(report_data: ReportData) -> (Vec<u8>, Option<Vec<u8>>) {
    let forge = Forge::new(NOW);
    let quote = forge.install(Machine::default()).tdx_quote(&Domain::new(report_data));
    ([quote, vec![0; 500]].concat(), None)
}

/// A report, and the host's table with its padding.
pub(crate) fn snp_blob(report_data: ReportData) -> (Vec<u8>, Option<Vec<u8>>) {
    let forge = SnpForge::new(SnpProduct::Milan, Encoding::Older, NOW);
    let chip = forge.install(Chip::default());
    let report = chip.report(&Guest { report_data, ..Guest::default() });
    (report.to_vec(), Some([chip.table(), vec![0; 4096]].concat()))
}

fn snp_alone(report_data: ReportData) -> (Vec<u8>, Option<Vec<u8>>) {
    (snp_blob(report_data).0, None)
}

fn nonsense(_: ReportData) -> (Vec<u8>, Option<Vec<u8>>) {
    (vec![7; 100], None)
}

pub(crate) const TDX: Directories = Directories { make: |path| fill(path, "tdx_guest", 1, tdx_blob), remove };
pub(crate) const SNP: Directories = Directories { make: |path| fill(path, "sev_guest", 1, snp_blob), remove };
pub(crate) const SNP_ALONE: Directories = Directories { make: |path| fill(path, "sev_guest", 1, snp_alone), remove };
pub(crate) const DISTURBED: Directories = Directories { make: |path| fill(path, "sev_guest", 2, snp_blob), remove };
pub(crate) const OTHER: Directories = Directories { make: |path| fill(path, "cca_guest", 1, nonsense), remove };
pub(crate) const NONSENSE: Directories = Directories { make: |path| fill(path, "tdx_guest", 1, nonsense), remove };
