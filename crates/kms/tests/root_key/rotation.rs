//! Rotation: what changes, what stays readable, and who is shut out.

use kms::root_key::{Means, RecoverySecret, Root, RootError, Seeds, share_files};
use types::service::Role;

use crate::fakes::{LATER, NOW, create, dir, holders, keys, open, replica, simulated, snp};

#[tokio::test]
async fn a_new_generation_keeps_what_was_sealed_and_seals_anew() {
    let dir = dir();
    let sealer = snp("chip", "v1");
    let mut root = create(dir.path(), &sealer);
    let (store, role) = (*root.store_key().danger_expose(), *root.role_key(Role::Tdfs).danger_expose());
    let authority = root.seal_authority_key(b"ca");
    for generation in 2..5 {
        root.rotate(&sealer, LATER).unwrap();
        drop(root);
        root = open(dir.path(), &sealer).await.unwrap();
        assert_eq!((root.seeds().generation(), root.seeds().store_generation()), (generation, 1));
        assert_eq!(*root.store_key().danger_expose(), store);
        assert_eq!(*root.role_key(Role::Tdfs).danger_expose(), role);
        assert_ne!(*root.role_key_of(Role::Tdfs, generation).unwrap().danger_expose(), role);
        assert_eq!(*root.role_key_of(Role::Tdfs, 1).unwrap().danger_expose(), role);
        assert_eq!(root.open_authority_key(&authority).unwrap().expose(), b"ca");
    }
}

#[tokio::test]
async fn a_rotation_shuts_out_other_platforms_and_old_shares() {
    let dir = dir();
    let (here, elsewhere) = (snp("chip 1", "v1"), snp("chip 2", "v1"));
    let mut root = create(dir.path(), &here);
    root.add_platform(&elsewhere, NOW).unwrap();
    let secrets = holders(&["alice", "bob"]);
    let publics: Vec<_> = secrets.iter().map(RecoverySecret::public).collect();
    root.set_recovery(2, &publics, NOW).unwrap();
    let opened = |at: usize| share_files(dir.path()).unwrap().unwrap()[at].open(&secrets[at]).unwrap();
    let old = [opened(0), opened(1)];
    root.rotate(&here, LATER).unwrap();
    let made = keys(&root);
    drop(root);
    assert!(open(dir.path(), &elsewhere).await.is_err());
    let error = Root::open(dir.path(), &Means { shares: &old, ..Means::default() }).await.unwrap_err().to_string();
    assert!(error.contains("the share of alice is of set") && error.contains("generation 1"), "{error}");
    let new = [opened(0), opened(1)];
    let root = Root::open(dir.path(), &Means { shares: &new, ..Means::default() }).await.unwrap();
    assert_eq!(keys(&root), made);
}

#[tokio::test]
async fn a_replica_follows_a_rotation_and_only_its_own_roots() {
    let (first, second, third) = (dir(), dir(), dir());
    let (here, there) = (snp("chip 1", "v1"), snp("chip 2", "v1"));
    let mut leader = create(first.path(), &here);
    let seeds = |root: &Root| Seeds::from_bytes(root.seeds().danger_to_bytes().expose()).unwrap();
    let mut follower = Root::create(second.path(), seeds(&leader), &there, NOW).unwrap();
    follower.add_peer("kms-1", NOW).unwrap();
    leader.rotate(&here, LATER).unwrap();
    // Until it follows, the leader still gives it the generation that its file is of.
    drop(follower);
    let peers = replica("kms-1", Some(&leader));
    let mut follower = Root::open(second.path(), &Means { peers: &peers, ..Means::default() }).await.unwrap();
    assert_eq!(follower.seeds().generation(), 1);
    follower.follow(seeds(&leader), &there, LATER).unwrap();
    assert_eq!(keys(&follower), keys(&leader));
    assert!(
        matches!(follower.follow(seeds(&leader), &there, LATER), Err(RootError::OtherSeeds)),
        "no newer generation"
    );
    let mut stranger = create(third.path(), &simulated());
    stranger.rotate(&simulated(), NOW).unwrap();
    stranger.rotate(&simulated(), NOW).unwrap();
    assert!(matches!(follower.follow(seeds(&stranger), &there, LATER), Err(RootError::OtherSeeds)));
    drop(follower);
    assert_eq!(keys(&open(second.path(), &there).await.unwrap()), keys(&leader));
    // A leader that never had the follower's generation is of no help.
    let peers = replica("kms-1", Some(&stranger));
    assert!(Root::open(second.path(), &Means { peers: &peers, ..Means::default() }).await.is_err());
}

#[tokio::test]
async fn sixty_four_earlier_generations_are_carried_and_no_more() {
    let dir = dir();
    let sealer = simulated();
    let mut root = create(dir.path(), &sealer);
    for _ in 0..64 {
        root.rotate(&sealer, LATER).unwrap();
    }
    assert!(matches!(root.rotate(&sealer, LATER), Err(RootError::TooManyGenerations)));
    drop(root);
    assert_eq!(open(dir.path(), &sealer).await.unwrap().seeds().generation(), 65);
}
