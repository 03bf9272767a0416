//! A sealed record as a hostile disk gives it back: exactly what was sealed there, or refused.
#![no_main]

use std::sync::LazyLock;

use crypto::{Label, RecordKey, SealingKey};
use libfuzzer_sys::fuzz_target;
use store::record::{open, seal};

static KEY: LazyLock<RecordKey> =
    LazyLock::new(|| SealingKey::from_bytes([7; 32]).derive(Label::StoreRecords, b"tasks"));

/// Bytes that nobody sealed, then a sealed record with one change: where, what, and how much is cut off.
type Input<'a> = (u64, u16, u8, u16, &'a [u8], &'a [u8]);

fuzz_target!(|input: Input<'_>| {
    let (version, at, change, cut, id, value) = input;
    assert!(open(&KEY, "tasks", id, value).is_err(), "a record was forged");

    let mut stored = seal(&KEY, "tasks", id, version, value);
    stored.truncate(stored.len() - usize::from(cut).min(stored.len()));
    let hit = stored.get_mut(usize::from(at)).map(|byte| *byte ^= change).is_some();
    let intact = cut == 0 && !(hit && change != 0);
    match open(&KEY, "tasks", id, &stored) {
        Ok(record) => {
            assert!(intact, "a changed record was opened");
            assert_eq!((record.version, &record.value[..]), (version, value));
        }
        Err(_) => assert!(!intact, "an intact record was refused"),
    }
    assert!(open(&KEY, "task", id, &stored).is_err(), "a record opened in another table");
});
