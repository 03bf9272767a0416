//! An entry point for a fuzz target: what comes to the one door of the tdfs that asks for no token.

use std::time::Duration;

use crypto::SealingKey;
use types::time::UnixMillis;

use crate::url::{Urls, check_reading};

/// The path below `/files/` and the query of a file URL, as one text around `?`.
///
/// # Panics
/// When something is accepted that its key did not sign or that is over, or what was signed is refused: bugs, all three.
pub fn url(text: &str, now: UnixMillis) {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let urls = Urls::new(&SealingKey::from_bytes([7; 32]), "https://localhost:1".to_owned(), Duration::from_secs(900));
    check_reading(&urls, name, query, now);
}
