//! An entry point for a fuzz target: what a client finds of an upload that it did not finish.

use crate::file::resume::Unfinished;

/// A file of the upload journal: read or not, and if it is, written and read alike.
///
/// # Panics
/// When reading what was written gives something else, which would be a bug.
pub fn journal(bytes: &[u8]) {
    let Some(found) = Unfinished::from_json(bytes) else { return };
    let written = serde_json::to_vec(&found).expect("plain data");
    assert_eq!(Unfinished::from_json(&written).as_ref(), Some(&found), "what is written reads back");
    let Some(header) = found.header() else { return };
    assert_eq!(crypto::hash::hex(&header.encode()), found.header, "a header has one encoding");
}
