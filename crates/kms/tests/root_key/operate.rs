//! What an operator may do to the slots, on an unsealed root: the same whether a kms runs or not.

use attest::attester::PlatformSealer;
use kms::root_key::{Kind, Root, RootError, list, share_files};
use kms::{OperatorError, change};
use rpc::Fault as _;
use types::error::ErrorCode;
use types::wire::kms_operator::{AddPeer, Follow, InForce, RemoveSlot, Request, Reseal, Response, Rotate, SetRecovery};

use crate::fakes::{LATER, create, dir, holders, keys, open, snp, tpm};

fn act(root: &mut Root, sealer: &PlatformSealer, request: impl Into<Request>) -> Result<Response, OperatorError> {
    change(root, sealer, request.into(), LATER)
}

fn refused(root: &mut Root, sealer: &PlatformSealer, request: impl Into<Request>) -> (ErrorCode, String) {
    let before = format!("{:?}", root.slots());
    let error = act(root, sealer, request).unwrap_err();
    assert_eq!(format!("{:?}", root.slots()), before, "what is refused changes nothing");
    (error.code(), error.message())
}

fn kinds(root: &Root) -> Vec<(u32, Kind)> {
    root.slots().iter().map(|slot| (slot.id, slot.content.kind())).collect()
}

fn remove(slot: u32) -> RemoveSlot {
    RemoveSlot { slot, leave_locked: false }
}

fn recovery(names: &[&str], threshold: u8) -> SetRecovery {
    SetRecovery { threshold, keys: holders(names).iter().map(|holder| holder.public().to_text()).collect() }
}

#[tokio::test]
async fn every_request_is_carried_out_and_written() {
    let (dir, sealer) = (dir(), snp("chip", "v1"));
    let mut root = create(dir.path(), &sealer);
    let first = Response::AddPeer(InForce { generation: 1 });
    assert_eq!(act(&mut root, &sealer, AddPeer { peer: "kms-2:6017".into() }).unwrap(), first);
    act(&mut root, &sealer, recovery(&["alice", "bob"], 2)).unwrap();
    act(&mut root, &sealer, Reseal { keep: true }).unwrap();
    let all = [(0, Kind::Platform), (1, Kind::Peer), (2, Kind::Recovery), (3, Kind::Platform)];
    assert_eq!(kinds(&root), all);
    assert_eq!(share_files(dir.path()).unwrap().unwrap().len(), 2);
    act(&mut root, &sealer, Reseal { keep: false }).unwrap();
    assert_eq!(kinds(&root), [(1, Kind::Peer), (2, Kind::Recovery), (4, Kind::Platform)]);
    let second = Response::Rotate(InForce { generation: 2 });
    assert_eq!(act(&mut root, &sealer, Rotate {}).unwrap(), second);
    act(&mut root, &sealer, remove(1)).unwrap();
    let (made, slots) = (keys(&root), kinds(&root));
    assert_eq!(slots, [(2, Kind::Recovery), (5, Kind::Platform)]);
    drop(root);
    let root = open(dir.path(), &sealer).await.unwrap();
    assert_eq!((keys(&root), kinds(&root)), (made, slots));
    assert_eq!(list(dir.path()).unwrap().generation, 2);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let (dir, sealer) = (dir(), snp("chip", "v1"));
    let mut root = create(dir.path(), &sealer);
    act(&mut root, &sealer, AddPeer { peer: "kms-2:6017".into() }).unwrap();
    let mut check = |request: Request, code: ErrorCode, message: &str| {
        assert_eq!(refused(&mut root, &sealer, request), (code, message.to_owned()));
    };
    check(AddPeer { peer: "kms-2:6017".into() }.into(), ErrorCode::Conflict, "the peer kms-2:6017 has a slot already");
    check(
        AddPeer { peer: "kms 2".into() }.into(),
        ErrorCode::InvalidRequest,
        "a peer's name is 1 to 255 visible ASCII characters",
    );
    check(recovery(&["alice"], 2).into(), ErrorCode::InvalidRequest, "recovery set: 2 of 1 holders is no threshold");
    check(
        SetRecovery { threshold: 1, keys: vec!["mallory".into()] }.into(),
        ErrorCode::InvalidRequest,
        "field `keys`: key 1: not one line `teehouse-recovery-public-1 NAME HEX64 CHECK8`",
    );
    check(
        Follow {}.into(),
        ErrorCode::PreconditionFailed,
        "only a running kms can follow, and it follows those that its configuration names as `kms.peers`",
    );
    check(remove(7).into(), ErrorCode::NotFound, "there is no slot 7");
}

/// The one slot without which nothing could be unsealed stays, whatever is agreed to.
#[test]
fn the_last_slot_that_needs_no_peer_stays() {
    let (dir, sealer) = (dir(), snp("chip", "v1"));
    let mut root = create(dir.path(), &sealer);
    act(&mut root, &sealer, AddPeer { peer: "kms-2:6017".into() }).unwrap();
    for leave_locked in [false, true] {
        let error = act(&mut root, &sealer, RemoveSlot { slot: 0, leave_locked }).unwrap_err();
        assert!(matches!(error, OperatorError::Root(RootError::LastSlot(0))), "{error}");
        assert_eq!(error.code(), ErrorCode::PreconditionFailed);
    }
}

#[tokio::test]
async fn a_machine_is_locked_out_only_if_somebody_means_it() {
    for (sealer, other) in [(snp("chip", "v1"), snp("chip", "v2")), (tpm("chip", "pcrs"), tpm("chip", "other"))] {
        let dir = dir();
        let mut root = create(dir.path(), &sealer);
        // Slots of other code and of holders are none that this machine opens by itself.
        root.add_platform(&other, LATER).unwrap();
        act(&mut root, &sealer, recovery(&["alice"], 1)).unwrap();
        let (code, message) = refused(&mut root, &sealer, remove(0));
        assert_eq!(code, ErrorCode::PreconditionFailed);
        assert!(message.starts_with("slot 0 is the last that this machine opens by itself"), "{message}");
        // What it does not open may go, and with another of its own so may the first.
        act(&mut root, &sealer, remove(1)).unwrap();
        act(&mut root, &sealer, Reseal { keep: true }).unwrap();
        act(&mut root, &sealer, remove(0)).unwrap();
        let last = root.slots().iter().find(|slot| slot.content.kind() == Kind::Platform).unwrap().id;
        refused(&mut root, &sealer, remove(last));
        act(&mut root, &sealer, RemoveSlot { slot: last, leave_locked: true }).unwrap();
        assert_eq!(kinds(&root).len(), 1);
        drop(root);
        assert!(open(dir.path(), &sealer).await.is_err());
    }
}

/// A platform that refuses leaves everything as it was, and the operator reads why.
#[test]
fn a_platform_that_refuses_changes_nothing() {
    let dir = dir();
    let mut root = create(dir.path(), &snp("chip", "v1"));
    for request in [Request::Rotate(Rotate {}), Request::Reseal(Reseal { keep: true })] {
        let refused = refused(&mut root, &snp("chip", ""), request);
        let why = "the root can't be sealed: the sev-snp platform could not give its sealing key: no such device";
        assert_eq!(refused, (ErrorCode::Unavailable, why.to_owned()));
    }
    assert_eq!(root.seeds().generation(), 1);
}
