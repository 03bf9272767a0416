//! The anchor: which store this is and how far it got, in one sealed record.
//!
//! Every commit raises the anchor's sequence in the same transaction. Whoever kept an [`Anchor`] (another service, a
//! log, a TPM counter) can tell by it that a whole old store was put back, which no seal on a record can show.

use std::fmt;

use crypto::{Label, RecordKey, SealingKey, hash};
use redb::{Database, ReadableDatabase, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::{error::StoreError, record, table::definition};

/// What this program writes; it reads nothing else.
pub(crate) const FORMAT: u32 = 1;

/// The store's own table; no [`crate::Table`] can have this name.
const TABLE: &str = "_store";
const KEY: &[u8] = b"anchor";

/// A store's id and the sequence of its last durable commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// 16 random bytes, drawn when the store was made.
    pub store_id: [u8; 16],
    /// The highest sequence that a committed write has used.
    pub sequence: u64,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", hash::hex(&self.store_id), self.sequence)
    }
}

/// What is in the sealed record; it also says how the rest of the store is to be read.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    #[serde(flatten)]
    anchor: Anchor,
}

/// What a database says about its anchor.
pub(crate) enum Found {
    /// No tables at all: a new file, or one whose making was interrupted.
    Empty,
    /// Tables without an anchor.
    Missing,
    /// Something that this key does not open.
    Refused,
    /// Sealed with this key, by a program of another format.
    Format(u32),
    /// The anchor.
    Valid(Anchor),
}

/// Reads and writes the anchor of one store.
#[derive(Debug)]
pub(crate) struct AnchorKey(RecordKey);

impl AnchorKey {
    pub(crate) fn new(key: &SealingKey) -> Self {
        Self(key.derive(Label::StoreAnchor, b""))
    }

    pub(crate) fn read(&self, database: &Database) -> Result<Found, StoreError> {
        let transaction = database.begin_read().map_err(StoreError::storage)?;
        let table = match transaction.open_table(definition(TABLE)) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => {
                let mut tables = transaction.list_tables().map_err(StoreError::storage)?;
                return Ok(if tables.next().is_none() { Found::Empty } else { Found::Missing });
            }
            Err(error) => return Err(StoreError::storage(error)),
        };
        let stored = table.get(KEY).map_err(StoreError::storage)?;
        Ok(stored.map_or(Found::Missing, |stored| self.open(stored.value())))
    }

    pub(crate) fn write(&self, transaction: &WriteTransaction, anchor: Anchor) -> Result<(), StoreError> {
        let stored = Stored { format: FORMAT, anchor };
        let json = record::to_json(&stored).ok_or(StoreError::Encode { table: TABLE })?;
        let sealed = record::seal(&self.0, TABLE, KEY, anchor.sequence, &json);
        let mut table = transaction.open_table(definition(TABLE)).map_err(StoreError::storage)?;
        table.insert(KEY, &*sealed).map_err(StoreError::storage)?;
        Ok(())
    }

    fn open(&self, stored: &[u8]) -> Found {
        /// Only what every format has, so that another one can be told from damage.
        #[derive(Deserialize)]
        struct AnyFormat {
            format: u32,
        }
        let Ok(record) = record::open(&self.0, TABLE, KEY, stored) else {
            return Found::Refused;
        };
        match record::from_json::<AnyFormat>(&record.value) {
            Some(AnyFormat { format: FORMAT }) => {
                record::from_json::<Stored>(&record.value).map_or(Found::Refused, |stored| Found::Valid(stored.anchor))
            }
            Some(AnyFormat { format }) => Found::Format(format),
            None => Found::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(json: &[u8]) -> (AnchorKey, Vec<u8>) {
        let key = AnchorKey::new(&SealingKey::from_bytes([7; 32]));
        let sealed = record::seal(&key.0, TABLE, KEY, 1, json);
        (key, sealed)
    }

    #[test]
    fn another_format_is_told_from_damage() {
        let (key, stored) = sealed(br#"{"format":2,"root":"somewhere else"}"#);
        assert!(matches!(key.open(&stored), Found::Format(2)));
        let (key, stored) = sealed(br#"{"format":1,"root":"somewhere else"}"#);
        assert!(matches!(key.open(&stored), Found::Refused));
        assert!(matches!(key.open(b"anything"), Found::Refused));
    }

    #[test]
    fn display_is_id_and_sequence() {
        let anchor = Anchor { store_id: [0xab; 16], sequence: 42 };
        assert_eq!(anchor.to_string(), "abababababababababababababababab@42");
    }
}
