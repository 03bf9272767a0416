//! An entry's canonical bytes, and reading them strictly.

use serde_json::Value;
use types::digest::Digest;
use types::log::{Concern, Entry, Event, Salt};
use types::time::UnixMillis;
use types::user::UserId;

use crate::canonical::{self, NotCanonical};

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// The longest entry, in bytes. A task of hundreds of files and tens of parties stays far below.
pub const MAX_BYTES: usize = 256 << 10;

/// Bytes that are no entry of a log.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// More than [`MAX_BYTES`].
    #[error("an entry of {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not canonical, or not an entry.
    #[error("an entry: {0}")]
    Canonical(#[from] NotCanonical),
    /// Made by a later version.
    #[error("an entry of schema {0}; this version reads {SCHEMA}")]
    Schema(u32),
    /// A user twice, or out of order.
    #[error("an entry whose users are not in order")]
    Concerns,
    /// Its event has no type.
    #[error("an entry whose event has no type")]
    Event,
}

/// An entry for some users, each with the link of the entry before it that concerns them. Who is named twice counts once.
pub fn new(
    at_ms: UnixMillis,
    salt: Salt,
    concerns: impl IntoIterator<Item = (UserId, Option<Digest>)>,
    event: Event,
) -> Entry {
    let mut concerns: Vec<_> = concerns.into_iter().map(|(user_id, after)| Concern { user_id, after }).collect();
    concerns.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    concerns.dedup_by(|one, other| one.user_id == other.user_id);
    Entry { schema: SCHEMA, at_ms, salt, concerns, event }
}

/// The bytes of an entry: its canonical form (RFC 8785).
///
/// # Errors
/// [`BadEntry::TooLong`], and [`BadEntry::Canonical`] for numbers above 2⁵³ − 1.
pub fn to_bytes(entry: &Entry) -> Result<Vec<u8>, BadEntry> {
    let bytes = canonical::to_vec(entry)?;
    if bytes.len() > MAX_BYTES { Err(BadEntry::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// Reads an entry. Its event may be of a kind that this version does not know.
///
/// # Errors
/// [`BadEntry`] for everything that no log has.
pub fn open(bytes: &[u8]) -> Result<Entry<Value>, BadEntry> {
    if bytes.len() > MAX_BYTES {
        return Err(BadEntry::TooLong(bytes.len()));
    }
    let entry: Entry<Value> = canonical::from_slice(bytes)?;
    if entry.schema != SCHEMA {
        return Err(BadEntry::Schema(entry.schema));
    }
    if !entry.concerns.is_sorted_by(|one, other| one.user_id < other.user_id) {
        return Err(BadEntry::Concerns);
    }
    entry.event.get("type").and_then(Value::as_str).ok_or(BadEntry::Event)?;
    Ok(entry)
}

/// The event of an entry, where this version knows its kind.
pub fn event(entry: &Entry<Value>) -> Option<Event> {
    serde_json::from_value(entry.event.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tree;

    fn created() -> Entry {
        let user = |name: &str| name.parse::<UserId>().expect("a name");
        let event = Event::Created {
            task_id: "5ef0cfc7-11e9-445a-8c46-23790ea86819".parse().expect("an id"),
            manifest: Some(Digest::new([0xab; 32])),
            user_id: user("alice"),
            approved: true,
            function_name: "psi".to_owned(),
        };
        let concerns = [(user("bob"), None), (user("alice"), Some(Digest::new([0xcd; 32]))), (user("bob"), None)];
        new(UnixMillis(1_790_000_000_000), Salt([1; 16]), concerns, event)
    }

    /// `docs/consent-log.md` has these bytes and hashes; they were computed with Python's `json` and `hashlib`.
    #[test]
    fn the_documented_entry() {
        let bytes = to_bytes(&created()).expect("canonical");
        let text = concat!(
            r#"{"at_ms":1790000000000,"concerns":[{"after":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","#,
            r#""user_id":"alice"},{"user_id":"bob"}],"event":{"approved":true,"function_name":"psi","#,
            r#""manifest":"abababababababababababababababababababababababababababababababab","#,
            r#""task_id":"5ef0cfc7-11e9-445a-8c46-23790ea86819","type":"Created","user_id":"alice"},"#,
            r#""salt":"01010101010101010101010101010101","schema":1}"#,
        );
        assert_eq!(String::from_utf8_lossy(&bytes), text);
        assert_eq!(
            crypto::hash::hex(&tree::leaf(&bytes)),
            "52e66351053f1c1c034292c878740d4e74b0bff645f1d93880b120ea4d201e61"
        );
        assert_eq!(
            crate::log::chain::link(&bytes).to_string(),
            "89e85e2f4ad66285782e39fd0910748c23bb4b2fc05fbf65bad56aae232802a3"
        );
    }

    #[test]
    fn an_entry_reads_back_and_unknown_events_are_kept() {
        let bytes = to_bytes(&created()).expect("canonical");
        let read = open(&bytes).expect("an entry");
        assert_eq!(event(&read), Some(created().event));
        let later = String::from_utf8(bytes).expect("JSON").replace("Created", "Later");
        let read = open(later.as_bytes()).expect("an entry of a later version");
        assert_eq!((event(&read), read.event["type"].as_str()), (None, Some("Later")));
    }

    #[test]
    fn what_no_log_has_is_refused() {
        let text = String::from_utf8(to_bytes(&created()).expect("canonical")).expect("JSON");
        let check = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            assert!(open(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        };
        check(r#""schema":1"#, r#""schema":2"#);
        check(r#""schema":1"#, r#""schema":1,"x":1"#);
        check(r#""schema":1"#, r#""schema": 1"#);
        check(r#""type":"Created""#, r#""type":1"#);
        check(r#","type":"Created""#, "");
        check("bob", "alice");
        check("bob", "aaron");
        check("bob", "b b");
        check("0101", "01");
        check("{", "[");
        assert!(open(&vec![b' '; MAX_BYTES + 1]).is_err());
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            assert!(open(&bytes[..at]).is_err());
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x20;
            // Some changes make another entry; none makes this one, and none a panic.
            assert_ne!(open(&changed).ok(), open(bytes).ok());
        }
    }

    #[test]
    fn every_kind_of_event_reads_back() {
        let (task_id, user_id) = (|| "t".parse().expect("an id"), || "u".parse().expect("a name"));
        let file = || "f".parse().expect("an id");
        let manifest = Some(Digest::new([1; 32]));
        let by = types::consent::ApprovedBy::Token;
        let events = [
            Event::Approved { task_id: task_id(), manifest, user_id: user_id(), by, exact: true },
            Event::Changed { task_id: task_id(), manifest },
            Event::ApprovalDropped { task_id: task_id(), manifest, user_id: user_id() },
            Event::Ready { task_id: task_id(), manifest: None },
            Event::Released {
                task_id: task_id(),
                manifest,
                lease_id: None,
                node: None,
                trust: types::trust::TrustLevel::Simulated,
                files: vec![file()],
            },
            Event::Finished { task_id: task_id(), manifest, outputs: vec![file()], run_sha256: None },
            Event::Failed {
                task_id: task_id(),
                manifest,
                code: types::error::ErrorCode::Unavailable,
                run_sha256: manifest,
            },
            Event::Withdrawn { task_id: task_id(), manifest, user_id: user_id() },
            Event::Cancelled { task_id: task_id(), manifest, user_id: user_id() },
            Event::FilePolicy { file_id: file(), user_id: user_id(), digest: manifest },
            Event::FileErased { file_id: file(), user_id: user_id() },
            Event::UserKey { user_id: user_id(), key: Some(types::bytes::Base64(vec![7; 32])), required: true },
            Event::User { user_id: user_id(), change: types::log::UserChange::Added },
        ];
        for event_in in events {
            let entry = new(UnixMillis(0), Salt([0; 16]), [(user_id(), None)], event_in.clone());
            let read = open(&to_bytes(&entry).expect("canonical")).expect("an entry");
            assert_eq!(event(&read), Some(event_in));
        }
    }
}
