//! URLs that carry leave: one file, one operation, one part, until a time; signed, so that nobody makes them up.
//!
//! ```text
//! https://HOST:PORT/files/FILE?operation=upload|download[&part=N]&expires=MILLISECONDS&signature=BASE64URL
//! signature = HMAC-SHA-256(key of the deployment's tdfs, "teehouse file url v1" ‖ operation ‖ file ‖ part ‖ expires)
//! ```
//!
//! Whoever has such a URL may do what it says, once or many times, while it holds and while the file is in the state for
//! it: nothing is uploaded over a finished file.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::kdf::Label;
use crypto::mac::{mac, verify};
use crypto::{MacKey, SealingKey};
use types::file::MAX_PARTS;
use types::id::FileId;
use types::time::UnixMillis;

use crate::Error;

/// What a URL lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Upload,
    Download,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Operation::Upload => "upload",
            Operation::Download => "download",
        }
    }
}

/// What a URL is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub(crate) operation: Operation,
    pub(crate) file: FileId,
    /// One part of the file; the whole when absent.
    pub(crate) part: Option<u32>,
    pub(crate) expires: UnixMillis,
}

/// Makes and checks URLs.
pub(crate) struct Urls {
    key: MacKey,
    base: String,
    lifetime: Duration,
}

/// The longest query that is looked at, in bytes.
const MAX_QUERY: usize = 256;

impl Urls {
    /// URLs below `base` (`https://host:port`) that hold for `lifetime`.
    pub(crate) fn new(sealing_key: &SealingKey, base: String, lifetime: Duration) -> Self {
        Urls { key: sealing_key.derive(Label::FileUrls, &[]), base, lifetime }
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A URL for this operation, from now on.
    pub(crate) fn make(&self, operation: Operation, file: &FileId, part: Option<u32>, now: UnixMillis) -> String {
        self.write(&Leave { operation, file: file.clone(), part, expires: now.plus(self.lifetime) })
    }

    fn write(&self, leave: &Leave) -> String {
        let signature = URL_SAFE_NO_PAD.encode(mac(&self.key, &signed(leave).each_ref().map(Vec::as_slice)));
        let operation = leave.operation.as_str();
        let mut url = format!("{}{}{}?operation={operation}", self.base, rpc::bodies::PREFIX, leave.file);
        if let Some(part) = leave.part {
            let _ = write!(url, "&part={part}");
        }
        let _ = write!(url, "&expires={}&signature={signature}", leave.expires.0);
        url
    }

    /// Reads a URL's path and query, and refuses what this key did not sign, or what is over.
    pub(crate) fn check(&self, name: &str, query: &str, now: UnixMillis) -> Result<Leave, Error> {
        let (leave, signature) = read(name, query).ok_or(Error::BadUrl)?;
        let parts = signed(&leave);
        verify(&self.key, &parts.each_ref().map(Vec::as_slice), &signature).map_err(|_| Error::BadUrl)?;
        match now > leave.expires {
            true => Err(Error::UrlExpired),
            false => Ok(leave),
        }
    }
}

/// What is signed, in order.
fn signed(leave: &Leave) -> [Vec<u8>; 5] {
    let part = leave.part.map(|part| part.to_be_bytes().to_vec()).unwrap_or_default();
    [
        b"teehouse file url v1".to_vec(),
        leave.operation.as_str().into(),
        leave.file.as_str().into(),
        part,
        leave.expires.0.to_be_bytes().to_vec(),
    ]
}

/// The fields of a URL, each once, and nothing else.
fn read(name: &str, query: &str) -> Option<(Leave, Vec<u8>)> {
    if query.len() > MAX_QUERY {
        return None;
    }
    let (mut operation, mut part, mut expires, mut signature) = (None, None, None, None);
    for (key, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        let fresh = match key {
            "operation" => operation.replace(parse_operation(value)?).is_none(),
            "part" => part.replace(canonical(value).filter(|part| *part < u64::from(MAX_PARTS))?).is_none(),
            "expires" => expires.replace(canonical(value)?).is_none(),
            "signature" => signature.replace(URL_SAFE_NO_PAD.decode(value).ok()?).is_none(),
            _ => false,
        };
        if !fresh {
            return None;
        }
    }
    let part = part.map(u32::try_from).transpose().ok()?;
    let leave = Leave { operation: operation?, file: name.parse().ok()?, part, expires: UnixMillis(expires?) };
    Some((leave, signature?))
}

fn parse_operation(text: &str) -> Option<Operation> {
    [Operation::Upload, Operation::Download].into_iter().find(|operation| operation.as_str() == text)
}

/// A number in its one spelling.
fn canonical(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Reads a stranger's URL for the fuzzer, which can sign nothing: it is accepted just where it has the one signature and
/// is not over, and what it says is accepted once it is signed.
pub(crate) fn check_reading(urls: &Urls, name: &str, query: &str, now: UnixMillis) {
    let checked = urls.check(name, query, now);
    let Some((leave, signature)) = read(name, query) else {
        return assert!(matches!(checked, Err(Error::BadUrl)), "accepted without being read");
    };
    let ours = urls.write(&leave);
    let query = ours.rsplit_once('?').expect("a query").1;
    assert_eq!(urls.check(name, query, UnixMillis(0)).expect("just signed"), leave);
    let is_signed = query.ends_with(&format!("&signature={}", URL_SAFE_NO_PAD.encode(signature)));
    assert_eq!(checked.is_ok(), is_signed && now <= leave.expires, "accepted unsigned, late, or refused signed");
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn urls(fill: u8) -> Urls {
        Urls::new(&SealingKey::from_bytes([fill; 32]), "https://localhost:5065".to_owned(), Duration::from_secs(900))
    }

    fn split(url: &str) -> (&str, &str) {
        let rest = url.strip_prefix("https://localhost:5065/files/").expect("below the base");
        rest.split_once('?').expect("a query")
    }

    fn file(name: &str) -> FileId {
        name.parse().expect("an id")
    }

    #[test]
    fn what_was_made_is_accepted_until_it_is_over() {
        for (operation, part) in [
            (Operation::Upload, None),
            (Operation::Upload, Some(0)),
            (Operation::Upload, Some(7)),
            (Operation::Download, None),
        ] {
            let url = urls(1).make(operation, &file("a"), part, NOW);
            let (name, query) = split(&url);
            let expires = NOW.plus(Duration::from_secs(900));
            let leave = Leave { operation, file: file("a"), part, expires };
            assert_eq!(urls(1).check(name, query, NOW).expect(&url), leave);
            assert_eq!(urls(1).check(name, query, expires).expect(&url), leave);
            let over = urls(1).check(name, query, UnixMillis(expires.0 + 1));
            assert!(matches!(over, Err(Error::UrlExpired)), "{url}");
        }
    }

    #[test]
    fn another_file_operation_part_time_or_key_is_refused() {
        let url = urls(1).make(Operation::Upload, &file("a"), Some(3), NOW);
        let (name, query) = split(&url);
        assert!(urls(1).check(name, query, NOW).is_ok());
        assert!(matches!(urls(2).check(name, query, NOW), Err(Error::BadUrl)));
        for (from, to) in [
            ("operation=upload", "operation=download"),
            ("part=3", "part=4"),
            ("part=3&", ""),
            ("part=3", "part=03"),
            ("part=3", "part=3&part=3"),
            ("part=3", "part=4294967299"),
            ("expires=18", "expires=19"),
            ("signature=", "signature=A"),
            ("operation=upload&", ""),
            ("&signature", "&more=1&signature"),
        ] {
            let changed = query.replace(from, to);
            assert_ne!(changed, query);
            assert!(matches!(urls(1).check(name, &changed, NOW), Err(Error::BadUrl)), "{changed}");
        }
        assert!(matches!(urls(1).check("b", query, NOW), Err(Error::BadUrl)));
        for name in ["", "a/b", "..", &"a".repeat(65)] {
            assert!(urls(1).check(name, query, NOW).is_err(), "{name}");
        }
    }

    #[test]
    fn every_changed_character_is_refused() {
        let url = urls(1).make(Operation::Download, &file("a"), None, NOW);
        let (name, query) = split(&url);
        for at in 0..query.len() {
            let mut changed = query.as_bytes().to_vec();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(urls(1).check(name, &changed, NOW).is_err(), "{changed}");
        }
    }
}
