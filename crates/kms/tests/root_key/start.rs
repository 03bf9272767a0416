//! What a kms does at its start: makes a root, unseals one, or puts one beside a store that is older than roots.

use std::fs;
use std::path::Path;

use kms::Kms;
use kms::root_key::{Kind, Root, RootError, Seeds, at_start};

use crate::fakes::{LATER, NOW, create, dir, keys, open, replica, simulated, snp, tpm};
use attest::attester::PlatformSealer;
use attest::platform::Platform;
use crypto::SealingKey;
use types::service::Role;

fn platform_key(sealer: &PlatformSealer) -> SealingKey {
    match sealer {
        PlatformSealer::Key(sealer) => sealer.sealing_key(Role::Kms).unwrap(),
        PlatformSealer::Blob(_) | PlatformSealer::Nothing(_) => panic!("it has no key"),
    }
}

#[tokio::test]
async fn the_first_start_makes_a_root_and_the_next_unseals_it() {
    let dir = dir();
    let made = keys(&at_start(dir.path(), &simulated(), &[], NOW).await.unwrap());
    let root = at_start(dir.path(), &simulated(), &[], LATER).await.unwrap();
    assert_eq!((keys(&root), root.seeds().store_generation()), (made, 1));
    assert_ne!(root.store_key().danger_expose(), platform_key(&simulated()).danger_expose());
}

/// A store as every kms before this one made it: sealed with the platform's key itself.
async fn legacy_store(dir: &Path, sealer: &PlatformSealer) -> types::id::KeyId {
    let kms = Kms::open(dir, &platform_key(sealer)).unwrap();
    let (id, _) = kms.create(None).await.unwrap();
    kms.close().await;
    id
}

#[tokio::test]
async fn a_store_older_than_roots_opens_now_and_after_rotations() {
    let dir = dir();
    let id = legacy_store(dir.path(), &simulated()).await;
    for round in 0..3 {
        let mut root = at_start(dir.path(), &simulated(), &[], NOW).await.unwrap();
        assert_eq!((root.seeds().generation(), root.seeds().store_generation()), (1 + round, 0));
        let kms = Kms::open(dir.path(), &root.store_key()).unwrap();
        kms.describe(id.clone()).await.unwrap();
        kms.close().await;
        root.rotate(&simulated(), LATER).unwrap();
    }
}

#[tokio::test]
async fn an_old_store_that_does_not_open_leaves_everything_as_it_was() {
    let dir = dir();
    let id = legacy_store(dir.path(), &simulated()).await;
    let error = at_start(dir.path(), &snp("chip", "v1"), &[], NOW).await.unwrap_err();
    assert!(matches!(error, RootError::Legacy { .. }), "{error}");
    let error = at_start(dir.path(), &tpm("chip", "pcrs"), &[], NOW).await.unwrap_err();
    assert!(matches!(error, RootError::Orphaned { .. }), "{error}");
    assert!(!dir.path().join("root.json").exists());
    let root = at_start(dir.path(), &simulated(), &[], NOW).await.unwrap();
    let kms = Kms::open(dir.path(), &root.store_key()).unwrap();
    kms.describe(id).await.unwrap();
}

/// Without its root a store is lost; making a new root in silence would hide that.
#[tokio::test]
async fn a_store_whose_root_was_lost_is_not_given_a_new_one() {
    let dir = dir();
    let root = at_start(dir.path(), &simulated(), &[], NOW).await.unwrap();
    Kms::open(dir.path(), &root.store_key()).unwrap().close().await;
    drop(root);
    let copy = fs::read(dir.path().join("root.json")).unwrap();
    fs::remove_file(dir.path().join("root.json")).unwrap();
    assert!(matches!(at_start(dir.path(), &simulated(), &[], NOW).await, Err(RootError::Legacy { .. })));
    assert!(!dir.path().join("root.json").exists());
    fs::write(dir.path().join("root.json"), copy).unwrap();
    let root = at_start(dir.path(), &simulated(), &[], NOW).await.unwrap();
    Kms::open(dir.path(), &root.store_key()).unwrap().close().await;
}

#[tokio::test]
async fn what_a_peer_unsealed_the_platform_unseals_the_next_time() {
    let (first, second) = (dir(), dir());
    let leader = create(first.path(), &snp("chip 1", "v1"));
    let seeds = kms::root_key::Seeds::from_bytes(leader.seeds().danger_to_bytes().expose()).unwrap();
    let mut root = Root::create(second.path(), seeds, &snp("chip 2", "v1"), NOW).unwrap();
    root.add_peer("kms-1", NOW).unwrap();
    drop(root);
    // Its code was replaced: the platform's key is another one.
    let updated = snp("chip 2", "v2");
    let peers = replica("kms-1", Some(&leader));
    assert_eq!(at_start(second.path(), &updated, &peers, LATER).await.unwrap().opened_by().1, Kind::Peer);
    let root = open(second.path(), &updated).await.unwrap();
    assert_eq!((root.opened_by().1, keys(&root)), (Kind::Platform, keys(&leader)));
    drop(root);
    assert!(open(second.path(), &snp("chip 2", "v1")).await.is_err());
}

/// A platform without a sealing key, as TDX is: a kms can't begin there alone, and lives from its peers' word.
#[tokio::test]
async fn a_platform_that_keeps_nothing_gets_the_root_from_its_peers_at_every_start() {
    let (first, second) = (dir(), dir());
    let nothing = PlatformSealer::Nothing(Platform::Tdx);
    let alone = at_start(second.path(), &nothing, &[], NOW).await.unwrap_err();
    assert!(matches!(alone, RootError::NoSealer(Platform::Tdx)), "{alone}");
    assert!(alone.to_string().contains("kms.peers") && !second.path().join("root.json").exists());

    let mut leader = create(first.path(), &simulated());
    let seeds = |root: &Root| Seeds::from_bytes(root.seeds().danger_to_bytes().expose()).unwrap();
    drop(Root::replicate(second.path(), seeds(&leader), &nothing, "kms-1", NOW).unwrap());
    for _ in 0..2 {
        let peers = replica("kms-1", Some(&leader));
        let root = at_start(second.path(), &nothing, &peers, LATER).await.unwrap();
        assert_eq!((keys(&root), root.opened_by().1, root.slots().len()), (keys(&leader), Kind::Peer, 1));
    }
    let locked = at_start(second.path(), &nothing, &replica("kms-1", None), LATER).await.unwrap_err();
    assert!(matches!(locked, RootError::Sealed { .. }), "{locked}");

    // It follows a rotation, and can't begin one of its own without losing itself.
    leader.rotate(&simulated(), LATER).unwrap();
    let peers = replica("kms-1", Some(&leader));
    let mut root = at_start(second.path(), &nothing, &peers, LATER).await.unwrap();
    root.follow(seeds(&leader), &nothing, LATER).unwrap();
    assert_eq!(keys(&root), keys(&leader));
    assert!(matches!(root.rewrap(&nothing, LATER), Err(RootError::NoSealer(Platform::Tdx))));
}
