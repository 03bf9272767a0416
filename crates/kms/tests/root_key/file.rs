//! `root.json` on a disk that nobody trusts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use attest::attester::PlatformSealer;
use kms::root_key::{FormatError, MAX_FILE_LEN, Means, RecoverySecret, Root, RootError, Seeds, list, share_files};

use crate::fakes::{LATER, NOW, create, dir, holders, open, replica, simulated, tpm};

/// Everything at once: a key slot, a blob slot, a peer, a recovery set, an earlier generation and a legacy store key.
fn full(dir: &std::path::Path) -> (Root, Vec<RecoverySecret>) {
    let seeds = Seeds::generate_beside(crypto::SealingKey::from_bytes([3; 32]));
    let mut root = Root::create(dir, seeds, &simulated(), NOW).unwrap();
    root.rotate(&simulated(), LATER).unwrap();
    root.add_platform(&tpm("chip", "pcrs"), LATER).unwrap();
    root.add_peer("kms-1", LATER).unwrap();
    let secrets = holders(&["alice", "bob"]);
    root.set_recovery(2, &secrets.iter().map(RecoverySecret::public).collect::<Vec<_>>(), LATER).unwrap();
    (root, secrets)
}

#[tokio::test]
async fn every_changed_byte_is_refused_whatever_there_is_to_unseal_with() {
    let dir = dir();
    let (root, secrets) = full(dir.path());
    let peers = replica("kms-1", Some(&root));
    drop(root);
    let files = share_files(dir.path()).unwrap().unwrap();
    let shares: Vec<_> = files.iter().zip(&secrets).map(|(file, secret)| file.open(secret).unwrap()).collect();
    let path = dir.path().join("root.json");
    let intact = fs::read(&path).unwrap();
    let sealers: [PlatformSealer; 2] = [simulated(), tpm("chip", "pcrs")];
    for sealer in &sealers {
        let means = Means { sealer: Some(sealer), peers: &peers, shares: &shares };
        Root::open(dir.path(), &means).await.unwrap();
        for at in 0..intact.len() {
            for flip in [0x01, 0x20, 0xff] {
                let mut changed = intact.clone();
                changed[at] ^= flip;
                fs::write(&path, &changed).unwrap();
                assert!(Root::open(dir.path(), &means).await.is_err(), "byte {at} ^ {flip:#x}");
            }
        }
        fs::write(&path, &intact).unwrap();
    }
}

#[tokio::test]
async fn truncations_and_additions_are_refused() {
    let dir = dir();
    drop(full(dir.path()));
    let path = dir.path().join("root.json");
    let intact = fs::read(&path).unwrap();
    let cut = (0..intact.len()).map(|len| intact[..len].to_vec());
    for changed in cut.chain([[&intact[..], b"\n"].concat(), [&intact[..], b"{}"].concat()]) {
        fs::write(&path, &changed).unwrap();
        assert!(matches!(open(dir.path(), &simulated()).await, Err(RootError::Malformed { .. })));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let dir = dir();
    drop(full(dir.path()));
    let path = dir.path().join("root.json");
    let intact = fs::read_to_string(&path).unwrap();
    let check = |text: String, expected: FormatError| {
        assert_ne!(text, intact);
        fs::write(&path, text).unwrap();
        match list(dir.path()) {
            Err(RootError::Malformed { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
    };
    check(" ".repeat(MAX_FILE_LEN + 1), FormatError::TooLong);
    check(intact.replacen("\"version\": 1", "\"version\": 2", 1), FormatError::Version(2));
    check(intact.replacen("  ", " ", 1), FormatError::Encoding);
    check(intact.replacen("\"slots\"", "\"slits\"", 1), FormatError::Shape { line: 19 });
    let range = FormatError::Range;
    check(intact.replacen("\"generation\": 2", "\"generation\": 1", 1), range("chain of generations"));
    check(intact.replacen("\"store_generation\": 0", "\"store_generation\": 3", 1), range("chain of generations"));
    check(intact.replacen("\"id\": 1", "\"id\": 9", 1), range("order of slots"));
    check(intact.replacen("\"threshold\": 2", "\"threshold\": 3", 1), range("slot"));
    check(intact.replacen("\"threshold\": 2", "\"threshold\": 0", 1), range("slot"));
    check(intact.replacen("\"bob\"", "\"alice\"", 1), range("slot"));
    check(intact.replacen("\"name\": \"kms-1\"", "\"name\": \"\"", 1), range("slot"));
}

#[test]
fn nobody_else_can_read_it_and_no_draft_is_left() {
    let dir = dir();
    // A leftover of a process that was killed.
    fs::write(dir.path().join("root.json.new"), "half").unwrap();
    drop(full(dir.path()));
    for name in ["root.json", "root.lock"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!dir.path().join("root.json.new").exists());
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = dir();
    let root = create(dir.path(), &simulated());
    let error = open(dir.path(), &simulated()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("a kms runs on {}: stop it first", dir.path().display()));
    assert_eq!(list(dir.path()).unwrap().generation, 1);
    drop(root);
    open(dir.path(), &simulated()).await.unwrap();
}

#[test]
fn an_existing_root_is_not_overwritten() {
    let dir = dir();
    drop(create(dir.path(), &simulated()));
    let before = fs::read(dir.path().join("root.json")).unwrap();
    let error = Root::create(dir.path(), Seeds::generate(), &simulated(), NOW).unwrap_err();
    assert!(matches!(error, RootError::Exists { .. }));
    assert_eq!(fs::read(dir.path().join("root.json")).unwrap(), before);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = list(std::path::Path::new("/nowhere")).unwrap_err();
    assert_eq!(error.to_string(), "there is no /nowhere/root.json");
}
