//! What parties agree on, and what services state of it: refused or read, never a panic; each document has one form.
#![no_main]

use consent::approval::{self, Statement};
use consent::key::KeyChange;
use consent::{agreement, canonical, manifest, statement};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::consent::{ApprovalSignature, FilePolicy, SignedStatement, TaskManifest};
use types::receipt::{RECEIPT, RUN, Receipt, RunStatement, WITHDRAWAL, Withdrawal};

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = one_form::<TaskManifest>(bytes) {
        manifest::digest(&found).expect("it was canonical");
        let _ = agreement::check(&found, &[]);
    }
    if let Some(found) = one_form::<Receipt>(bytes) {
        let _ = agreement::check(&found.manifest, &found.approvals);
    }
    one_form::<Statement>(bytes);
    one_form::<KeyChange>(bytes);
    one_form::<FilePolicy>(bytes);
    one_form::<RunStatement>(bytes);
    one_form::<Withdrawal>(bytes);
    if let Ok(by) = serde_json::from_slice::<ApprovalSignature>(bytes) {
        let statement = Statement::new("t".parse().expect("short"), "u".parse().expect("a name"), ZERO);
        assert!(statement.verify(&by).is_err(), "an approval was forged");
    }
    if let Ok(signed) = serde_json::from_slice::<SignedStatement>(bytes) {
        drop(statement::open::<RunStatement>(&signed, RUN));
        drop(statement::open::<Receipt>(&signed, RECEIPT));
        drop(statement::open::<Withdrawal>(&signed, WITHDRAWAL));
    }
    let encoded = statement::pae(approval::PAYLOAD_TYPE, bytes);
    assert!(encoded.ends_with(bytes));
});

/// Of no manifest.
const ZERO: types::digest::Digest = types::digest::Digest::new([0; 32]);

/// What is read is written as the same bytes.
fn one_form<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read = canonical::from_slice(bytes).ok()?;
    assert_eq!(canonical::to_vec(&read).expect("it was canonical"), bytes);
    Some(read)
}
