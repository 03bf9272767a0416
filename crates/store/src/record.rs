//! One stored record: a version in the clear and a sealed value that belongs to one place only.
//!
//! ```text
//! stored          = version (u64, big-endian) ‖ crypto::seal(key of the table, associated data, JSON of the value)
//! associated data = table name ‖ key bytes ‖ version, each after its length as 8 bytes big-endian
//! ```
//!
//! The version starts at 1 and rises with every write of the key. Because name, key and version are associated data and
//! the record key is the table's own in this store, bytes that verify are bytes that were written exactly here.

use std::io;

use crypto::{RecordKey, Refused};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// The longest value, in bytes of JSON: the largest request a service takes is 16 MiB (`FNS`).
pub(crate) const MAX_VALUE_LEN: usize = 16 << 20;

const VERSION_LEN: usize = 8;

/// A record that verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// How many times the key was written since it was last absent.
    pub version: u64,
    /// The value as JSON; wiped when dropped.
    pub value: Zeroizing<Vec<u8>>,
}

/// Seals the `version`-th value of `key` in `table`.
pub fn seal(record_key: &RecordKey, table: &str, key: &[u8], version: u64, value: &[u8]) -> Vec<u8> {
    let sealed = crypto::seal::seal(record_key, &associated_data(table, key, version), value);
    [&version.to_be_bytes()[..], &sealed].concat()
}

/// Opens what [`seal`] made for the same table and key. Never panics: `stored` is whatever the disk has.
///
/// # Errors
/// [`Refused`] for anything else.
pub fn open(record_key: &RecordKey, table: &str, key: &[u8], stored: &[u8]) -> Result<Record, Refused> {
    let (version, sealed) = stored.split_first_chunk::<VERSION_LEN>().ok_or(Refused)?;
    let version = u64::from_be_bytes(*version);
    let value = crypto::seal::open(record_key, &associated_data(table, key, version), sealed)?;
    Ok(Record { version, value })
}

fn associated_data(table: &str, key: &[u8], version: u64) -> Vec<u8> {
    let version = version.to_be_bytes();
    let mut data = Vec::with_capacity(3 * 8 + table.len() + key.len() + version.len());
    for part in [table.as_bytes(), key, &version] {
        data.extend((part.len() as u64).to_be_bytes());
        data.extend(part);
    }
    data
}

/// A value as JSON, with no copy left behind; `None` when it has no JSON form.
pub(crate) fn to_json(value: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut json = WipedBuffer(Zeroizing::new(Vec::with_capacity(512)));
    serde_json::to_writer(&mut json, value).ok()?;
    Some(json.0)
}

/// A value from JSON; `None` when it has another shape.
pub(crate) fn from_json<V: DeserializeOwned>(json: &[u8]) -> Option<V> {
    serde_json::from_slice(json).ok()
}

/// Grows by copying itself to a larger buffer and wiping the old one.
struct WipedBuffer(Zeroizing<Vec<u8>>);

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crypto::{Label, SealingKey};

    use super::*;

    fn record_key(context: &[u8]) -> RecordKey {
        SealingKey::from_bytes([7; 32]).derive(Label::StoreRecords, context)
    }

    #[test]
    fn a_record_opens_only_where_it_was_sealed() {
        let key = record_key(b"tasks");
        let stored = seal(&key, "tasks", b"id", 3, b"value");
        let record = open(&key, "tasks", b"id", &stored).unwrap();
        assert_eq!((record.version, &record.value[..]), (3, &b"value"[..]));
        assert_eq!(open(&record_key(b"files"), "tasks", b"id", &stored), Err(Refused));
        assert_eq!(open(&key, "files", b"id", &stored), Err(Refused));
        assert_eq!(open(&key, "tasks", b"ie", &stored), Err(Refused));
        assert_eq!(open(&key, "task", b"sid", &stored), Err(Refused));
    }

    #[test]
    fn every_changed_byte_truncation_and_other_version_is_refused() {
        let key = record_key(b"tasks");
        let stored = seal(&key, "tasks", b"id", 3, b"value");
        for i in 0..stored.len() {
            let mut changed = stored.clone();
            changed[i] ^= 0x20;
            assert_eq!(open(&key, "tasks", b"id", &changed), Err(Refused), "byte {i}");
            assert_eq!(open(&key, "tasks", b"id", &stored[..i]), Err(Refused));
        }
        for version in (0..10_u64).filter(|version| *version != 3) {
            let relabelled = [&version.to_be_bytes(), &stored[VERSION_LEN..]].concat();
            assert_eq!(open(&key, "tasks", b"id", &relabelled), Err(Refused));
        }
    }

    #[test]
    fn json_survives_growing() {
        let value: Vec<String> = (0..200).map(|i| format!("item {i}")).collect();
        let json = to_json(&value).unwrap();
        assert_eq!(*json, serde_json::to_vec(&value).unwrap());
        assert_eq!(from_json::<Vec<String>>(&json), Some(value));
        assert_eq!(from_json::<Vec<u8>>(&json), None);
        assert!(to_json(&BTreeMap::from([((1, 2), 3)])).is_none());
    }
}
