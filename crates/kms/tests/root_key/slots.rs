//! Each kind of slot alone, their order, and what is said when none of them does.

use attest::attester::PlatformSealer;
use kms::root_key::{Kind, Lockout, Means, RecoveryKey, RecoverySecret, Root, RootError, list, share_files};

use crate::fakes::{LATER, NOW, create, dir, gramine, holders, keys, open, replica, simulated, snp, tpm};

#[tokio::test]
async fn each_platform_alone_unseals_what_it_sealed() {
    for sealer in [simulated(), snp("chip", "v1"), gramine("v1"), tpm("chip", "pcrs")] {
        let dir = dir();
        let made = keys(&create(dir.path(), &sealer));
        let root = open(dir.path(), &sealer).await.unwrap();
        assert_eq!((keys(&root), root.opened_by()), (made, (0, Kind::Platform)), "{}", sealer.platform());
    }
}

/// Makes a root sealed by `made`; unsealing by `here` must fail for that reason.
async fn check_refused(made: PlatformSealer, here: PlatformSealer, why: &str) {
    let dir = dir();
    drop(create(dir.path(), &made));
    let error = open(dir.path(), &here).await.unwrap_err().to_string();
    let path = dir.path().join("root.json");
    assert_eq!(
        error,
        format!("no slot of {} can be unsealed: slot 0 (platform {}): {why}", path.display(), made.platform())
    );
}

#[tokio::test]
async fn another_machine_other_code_and_another_platform_are_refused() {
    let other_key = "the platform's key does not open it: another machine or other code made it, or it was changed";
    check_refused(snp("chip", "v1"), snp("chip", "v2"), other_key).await;
    check_refused(snp("chip", "v1"), snp("other chip", "v1"), other_key).await;
    check_refused(gramine("v1"), gramine("v2"), other_key).await;
    let policy = "the tpm platform could not unseal a key: TPM_RC_POLICY_FAIL";
    check_refused(tpm("chip", "pcrs"), tpm("chip", "other pcrs"), policy).await;
    check_refused(tpm("chip", "pcrs"), tpm("other chip", "pcrs"), policy).await;
    check_refused(gramine("v1"), simulated(), "this machine's platform is simulated").await;
    check_refused(
        snp("chip", "v1"),
        snp("chip", ""),
        "the sev-snp platform could not give its sealing key: no such device",
    )
    .await;
}

#[tokio::test]
async fn a_peer_alone_unseals() {
    let (dir, made, peer_root) = dir_with_a_peer().await;
    let peers = replica("kms-1", Some(&peer_root));
    let root = Root::open(dir.path(), &Means { peers: &peers, ..Means::default() }).await.unwrap();
    assert_eq!((keys(&root), root.opened_by()), (made, (1, Kind::Peer)));
}

/// A replica with slots for its platform and for `kms-1`; and the root of `kms-1`.
async fn dir_with_a_peer() -> (tempfile::TempDir, Vec<[u8; 32]>, Root) {
    let (first, second) = (dir(), dir());
    let peer = create(first.path(), &snp("chip 1", "v1"));
    let seeds = kms::root_key::Seeds::from_bytes(peer.seeds().danger_to_bytes().expose()).unwrap();
    let mut root = Root::create(second.path(), seeds, &snp("chip 2", "v1"), NOW).unwrap();
    root.add_peer("kms-1", LATER).unwrap();
    assert_eq!(keys(&root), keys(&peer));
    (second, keys(&root), peer)
}

fn publics(secrets: &[RecoverySecret]) -> Vec<RecoveryKey> {
    secrets.iter().map(RecoverySecret::public).collect()
}

#[tokio::test]
async fn slots_are_tried_platform_first_then_peers_then_recovery() {
    let (dir, made, peer_root) = dir_with_a_peer().await;
    let secrets = holders(&["alice", "bob", "carol"]);
    let sealer = snp("chip 2", "v1");
    let mut root = open(dir.path(), &sealer).await.unwrap();
    // Before the platform's slot is made anew, so that the numbers do not follow the order of trying.
    root.set_recovery(2, &publics(&secrets), LATER).unwrap();
    root.rewrap(&sealer, LATER).unwrap();
    assert_eq!(
        root.slots().iter().map(|slot| slot.content.kind()).collect::<Vec<_>>(),
        [Kind::Peer, Kind::Recovery, Kind::Platform]
    );
    drop(root);
    let files = share_files(dir.path()).unwrap().unwrap();
    let shares: Vec<_> = files.iter().zip(&secrets).map(|(file, secret)| file.open(secret).unwrap()).collect();
    let (here, away) = (replica("kms-1", Some(&peer_root)), replica("kms-1", None));
    let wrong = snp("chip 3", "v1");
    for (sealer, peers, expected) in
        [(&sealer, &here, (3, Kind::Platform)), (&wrong, &here, (1, Kind::Peer)), (&wrong, &away, (2, Kind::Recovery))]
    {
        let means = Means { sealer: Some(sealer), peers, shares: &shares };
        let root = Root::open(dir.path(), &means).await.unwrap();
        assert_eq!((keys(&root), root.opened_by()), (made.clone(), expected));
    }
    let error = Root::open(dir.path(), &Means { sealer: Some(&wrong), peers: &away, shares: &[] }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no slot of {} can be unsealed: \
             slot 3 (platform sev-snp): the platform's key does not open it: another machine or other code made it, or it \
             was changed; \
             slot 1 (peer kms-1): the peer did not give the seed: connection refused; \
             slot 2 (recovery, 2 of 3): it takes the recovery keys of 2 of its 3 holders: `teehouse kms recovery combine`",
            dir.path().join("root.json").display()
        )
    );
}

#[tokio::test]
async fn a_peer_of_another_root_or_name_is_no_help() {
    let (dir, _, _) = dir_with_a_peer().await;
    let stranger_dir = crate::fakes::dir();
    let stranger = create(stranger_dir.path(), &simulated());
    for (peers, why) in [
        (replica("kms-1", Some(&stranger)), "the seed in it is not the one that this file was made with"),
        (replica("kms-2", Some(&stranger)), "no peer of this name is configured"),
        (Vec::new(), "no peer of this name is configured"),
    ] {
        let error = Root::open(dir.path(), &Means { peers: &peers, ..Means::default() }).await.unwrap_err();
        assert!(error.to_string().contains(&format!("slot 1 (peer kms-1): {why}")), "{error}");
    }
}

#[tokio::test]
async fn slots_come_and_go_and_the_last_stays() {
    let dir = dir();
    let (old, new) = (snp("chip", "v1"), snp("chip", "v2"));
    let mut root = create(dir.path(), &old);
    root.add_platform(&new, LATER).unwrap();
    root.add_peer("kms-2:6016", LATER).unwrap();
    assert!(matches!(root.add_peer("", NOW), Err(RootError::PeerName)));
    assert!(matches!(root.add_peer("a b", NOW), Err(RootError::PeerName)));
    assert!(matches!(root.remove(7, Lockout::Accepted), Err(RootError::NoSuchSlot(7))));
    root.remove(0, Lockout::Refused(&new)).unwrap();
    assert!(matches!(root.remove(1, Lockout::Accepted), Err(RootError::LastSlot(1))));
    drop(root);
    assert!(open(dir.path(), &old).await.is_err());
    let mut root = open(dir.path(), &new).await.unwrap();
    let ids = |root: &Root| root.slots().iter().map(|slot| slot.id).collect::<Vec<_>>();
    assert_eq!(ids(&root), [1, 2]);
    // A new manifest: what ran before shall not unseal any more.
    root.rewrap(&snp("chip", "v3"), LATER).unwrap();
    assert_eq!(ids(&root), [2, 3]);
    drop(root);
    assert!(open(dir.path(), &new).await.is_err());
    open(dir.path(), &snp("chip", "v3")).await.unwrap();
}

#[tokio::test]
async fn there_is_room_for_16_slots() {
    let dir = dir();
    let mut root = create(dir.path(), &simulated());
    for number in 1..16 {
        root.add_peer(&format!("kms-{number}"), NOW).unwrap();
    }
    assert!(matches!(root.add_peer("kms", NOW), Err(RootError::Full)));
    drop(root);
    assert_eq!(open(dir.path(), &simulated()).await.unwrap().slots().len(), 16);
}

#[test]
fn a_list_needs_no_secret_and_shows_none() {
    let dir = dir();
    let root = create(dir.path(), &tpm("chip", "pcrs"));
    let listing = list(dir.path()).unwrap();
    assert_eq!((listing.generation, listing.store_generation, listing.made_ms), (1, 1, NOW));
    assert_eq!(listing.slots[0].content.describe(), "platform tpm");
    assert!(format!("{root:?}").contains("[redacted]"));
}
