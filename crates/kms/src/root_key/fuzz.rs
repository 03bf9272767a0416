//! Entry points for fuzz targets: what a hostile disk or a careless holder hands to whoever unseals a root.

use super::file;
use super::holder::{RecoveryKey, RecoverySecret};
use super::recovery::ShareFile;

/// A `root.json`, a share file, or a line of a recovery key. None may panic, and each has one encoding.
pub fn texts(bytes: &[u8]) {
    drop(std::hint::black_box(file::parse(bytes)));
    if let Ok(share) = ShareFile::from_bytes(bytes) {
        assert_eq!(share.to_bytes(), bytes, "a share file has one encoding");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = RecoveryKey::from_text(text) {
        assert_eq!(key.to_text().trim(), text.trim(), "a key's line has one encoding");
    }
    drop(std::hint::black_box(RecoverySecret::from_text(text)));
}
