//! The test vectors of `docs/consent.md`: other programs can hold their own formats to them.

use std::fs;
use std::path::Path;

use consent::approval::Statement;
use consent::key::KeyChange;
use consent::{canonical, manifest};
use crypto::hash::hex;
use crypto::sign::Ed25519KeyPair;
use types::bytes::Base64;
use types::consent::{ApprovalRule, ManifestLimits, ManifestOutput, PayloadTerms, TaskManifest};
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::{FunctionRef, OutputUse};
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;

fn user(name: &str) -> UserId {
    name.parse().expect("a good name")
}

fn input(owner: &str, file: &str, content: u8, size: u64) -> PinnedFile {
    let (file_id, sha256) = (file.parse().expect("an id"), Digest::new([content; 32]));
    PinnedFile { user_id: user(owner), file_id, sha256, file_size: size, from_task: None }
}

fn example() -> TaskManifest {
    TaskManifest {
        schema: 1,
        task_id: "5ef0cfc7-11e9-445a-8c46-23790ea86819".parse().expect("an id"),
        created_ms: UnixMillis(1_790_000_000_000),
        parties: vec![user("alice"), user("bob")],
        function: FunctionRef { name: "psi".to_owned(), version: 1, digest: Digest::new([0xaa; 32]) },
        code: None,
        inputs: vec![
            input("alice", "0a9ca5ac-2150-4bdd-ab63-c2c12252e747", 0x11, 128),
            input("bob", "b76f9ee2-63d2-43bd-a722-466792af7035", 0x22, 96),
        ],
        payload: PayloadTerms::Exactly(Digest::new([0x33; 32])),
        outputs: vec![ManifestOutput { output: OutputUse::Owner, recipients: vec![user("alice"), user("bob")] }],
        limits: ManifestLimits {
            time_ms: 300_000,
            runs: 1,
            not_before_ms: None,
            not_after_ms: Some(UnixMillis(1_800_000_000_000)),
        },
        approvers: vec![user("alice"), user("bob")],
        approval: ApprovalRule { exact: true, ..ApprovalRule::default() },
        minimum_trust: TrustLevel::Confidential,
        measurements: None,
        minimum_group: None,
        purpose: "compare customers".to_owned(),
    }
}

/// Holds the page to a value.
fn documented(value: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/consent.md");
    let page = fs::read_to_string(page).expect("the page");
    assert!(page.contains(value), "docs/consent.md lacks {value}");
}

#[test]
fn a_manifest_has_these_bytes_and_this_digest() {
    let bytes = manifest::to_bytes(&example()).expect("small numbers");
    documented(std::str::from_utf8(&bytes).expect("JSON is UTF-8"));
    documented(&manifest::digest(&example()).expect("small numbers").to_string());
    let read: TaskManifest = canonical::from_slice(&bytes).expect("what was written");
    assert_eq!(read, example());
}

#[test]
fn an_approval_is_signed_over_these_bytes() {
    let pair = Ed25519KeyPair::from_seed(&[7; 32]);
    let digest = manifest::digest(&example()).expect("small numbers");
    let statement = Statement::new(example().task_id, user("bob"), digest);
    documented(&hex(&pair.public_key()));
    documented(&String::from_utf8(statement.signed_bytes()).expect("text"));
    documented(&hex(&pair.sign(&statement.signed_bytes())));
}

#[test]
fn a_change_of_a_key_is_signed_over_these_bytes() {
    let pair = Ed25519KeyPair::from_seed(&[7; 32]);
    let change = KeyChange::new(user("bob"), Some(Base64(pair.public_key().to_vec())), true, 1);
    documented(&String::from_utf8(change.signed_bytes()).expect("text"));
    documented(&hex(&pair.sign(&change.signed_bytes())));
}
