//! Requests of all APIs: what decodes is stable when written and read again, and no error quotes a string value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde_json::Value;
use types::wire::{
    Request, admin, attestation, enrolment, fns, kms, kms_operator, tdfs_external, tdfs_internal, tdfs_operator,
    tms_external, tms_internal,
};

/// Stands in every string value of the second attempt. No message of ours has it.
const SECRET: &str = "§";

/// An error names a field and what is allowed there; the field's name may be the sender's and is cut.
const LONGEST_MESSAGE_BYTES: usize = 2048;

fuzz_target!(|bytes: &[u8]| {
    check(bytes, |_| ());
    let Ok(mut document) = serde_json::from_slice::<Value>(bytes) else { return };
    if document.to_string().contains(SECRET) {
        // In a name it would be quoted, and rightly.
        return;
    }
    // Nothing is secret about which kind of request it is; without it no other field would be looked at.
    let kind = document.as_object_mut().and_then(|fields| fields.remove("type"));
    mark(&mut document);
    if let (Some(kind), Some(fields)) = (kind, document.as_object_mut()) {
        fields.insert("type".to_owned(), kind);
    }
    let marked = serde_json::to_vec(&document).expect("it was JSON");
    check(&marked, |message| assert!(!message.contains(SECRET), "the error quotes a value: {message}"));
});

fn mark(value: &mut Value) {
    match value {
        Value::String(text) => *text = format!("{SECRET}{text}\"{SECRET}`{SECRET}"),
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(fields) => fields.values_mut().for_each(mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads the bytes as a request of every API.
fn check(bytes: &[u8], refused: impl Fn(&str)) {
    check_as::<admin::Request>(bytes, &refused);
    check_as::<attestation::Request>(bytes, &refused);
    check_as::<enrolment::Request>(bytes, &refused);
    check_as::<fns::Request>(bytes, &refused);
    check_as::<kms::Request>(bytes, &refused);
    check_as::<kms_operator::Request>(bytes, &refused);
    check_as::<tdfs_external::Request>(bytes, &refused);
    check_as::<tdfs_internal::Request>(bytes, &refused);
    check_as::<tdfs_operator::Request>(bytes, &refused);
    check_as::<tms_external::Request>(bytes, &refused);
    check_as::<tms_internal::Request>(bytes, &refused);
}

fn check_as<R: Request + Serialize>(bytes: &[u8], refused: &impl Fn(&str)) {
    match R::from_json(bytes) {
        Ok(request) => {
            let written = serde_json::to_vec(&request).expect("requests are plain data");
            let again = R::from_json(&written).unwrap_or_else(|error| panic!("what was written is refused: {error}"));
            assert_eq!(request.kind(), again.kind());
            assert_eq!(written, serde_json::to_vec(&again).expect("as before"), "reading it again changed it");
        }
        Err(error) => {
            let message = error.to_string();
            refused(&message);
            assert!(message.len() <= LONGEST_MESSAGE_BYTES, "the error is as long as the sender likes");
        }
    }
}
