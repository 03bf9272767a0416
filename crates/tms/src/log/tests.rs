//! The log in a store: what is appended is proven, and what somebody removes or puts back shows.

use attest::identity::Deployment;
use consent::log::chain::Walk;
use consent::log::entry;
use crypto::SealingKey;
use store::{Options, Store, Transaction};
use types::log::{Event, UserChange};
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_log::ProvenEntry;

use super::*;
use crate::Error;

struct Scene {
    store: Store,
    _dir: tempfile::TempDir,
}

fn user(number: u64) -> UserId {
    format!("user{number}").parse().expect("a name")
}

/// The entry of a task that concerns its user and everybody's friend.
fn pending(number: u64) -> Pending {
    let task_id: TaskId = format!("task{}", number % 7).parse().expect("an id");
    let event = Event::Ready { task_id, manifest: None };
    Pending::new(UnixMillis(number), vec![user(number % 5), "friend".parse().expect("a name")], event)
}

impl Scene {
    fn of(entries: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let key = SealingKey::from_bytes([7; 32]);
        let store = Store::open(&dir.path().join("store"), &key, Options::default()).expect("a store");
        let scene = Scene { store, _dir: dir };
        scene.append(0..entries);
        scene
    }

    /// Some in one transaction, others in their own.
    fn append(&self, numbers: std::ops::Range<u64>) {
        let numbers: Vec<u64> = numbers.collect();
        for group in numbers.chunks(3) {
            let group = group.to_vec();
            self.change(move |tx| {
                for number in &group {
                    assert_eq!(append(tx, &pending(*number))?, *number);
                }
                Ok(())
            })
            .expect("appended");
        }
    }

    fn change(
        &self,
        change: impl Fn(&mut Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.store.write_blocking(change)
    }

    fn prove(&self, index: u64) -> Result<ProvenEntry, Error> {
        self.store.read_blocking(|snapshot| read::proven(snapshot, &read::head(snapshot)?, index))
    }

    fn consistency(&self, from: u64) -> Result<Option<Vec<Digest>>, Error> {
        self.store.read_blocking(|snapshot| read::consistency(snapshot, &read::head(snapshot)?, from))
    }

    fn head(&self) -> Head {
        self.store.read_blocking(read::head).expect("a head")
    }

    fn listed(&self, user: &str, task: Option<&str>, limit: usize) -> Vec<u64> {
        let (user, task): (UserId, Option<TaskId>) =
            (user.parse().expect("a name"), task.map(|id| id.parse().expect("an id")));
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page =
                self.store.read_blocking(|snapshot| read::concerning(snapshot, &user, task.as_ref(), after, limit));
            let (page, next): (Vec<u64>, _) = page.unwrap_or_else(|error: StoreError| panic!("{error}"));
            assert!(page.len() <= limit);
            all.extend(page);
            match next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
    }
}

const SIZE: u64 = 77;

#[test]
fn everything_appended_is_proven_and_chained() {
    let scene = Scene::of(SIZE);
    assert_eq!(scene.head().size, SIZE);
    let mut walk = Walk::new("friend".parse().expect("a name"));
    for index in 0..SIZE {
        let proven = scene.prove(index).expect("in the log");
        let entry = entry::open(&proven.entry.0).expect("an entry");
        assert_eq!(entry.at_ms, UnixMillis(index));
        walk.step(&entry, &proven.entry.0).expect("the next one");
        let leaf = tree::leaf(&proven.entry.0);
        let proof: Vec<Hash> = proven.proof.iter().map(|hash| *hash.as_bytes()).collect();
        tree::verify_inclusion(&leaf, index, SIZE, &proof, &scene.head().root()).expect("proven");
        assert!(scene.consistency(index).expect("grown").is_some());
    }
    assert!(matches!(scene.prove(SIZE), Err(Error::LogDamaged)));
    assert!(scene.consistency(SIZE + 1).expect("read").is_none());
}

#[test]
fn everybody_sees_what_concerns_them_page_by_page() {
    let scene = Scene::of(SIZE);
    for limit in [1, 4, 7, 100] {
        assert_eq!(scene.listed("friend", None, limit), (0..SIZE).collect::<Vec<_>>());
        assert_eq!(scene.listed("user3", None, limit), (3..SIZE).step_by(5).collect::<Vec<_>>());
        assert_eq!(scene.listed("friend", Some("task2"), limit), (2..SIZE).step_by(7).collect::<Vec<_>>());
        assert!(scene.listed("user1", Some("another"), limit).is_empty());
        assert!(scene.listed("stranger", None, limit).is_empty());
        assert!(scene.listed("user", None, limit).is_empty());
    }
}

/// A task's last entries, found past everything that a request looks through at once, are not lost.
#[test]
fn a_page_that_finds_nothing_goes_on() {
    let scene = Scene::of(0);
    scene
        .change(|tx| {
            for index in 0..5000_u64 {
                let task: TaskId = if index == 4999 { "wanted" } else { "other" }.parse().expect("an id");
                tx.insert(&READERS, ("friend", index), &Some(task))?;
            }
            Ok(())
        })
        .expect("written");
    assert_eq!(scene.listed("friend", Some("wanted"), 10), [4999]);
}

#[test]
fn a_node_that_was_removed_or_changed_shows() {
    let other = Digest::new([9; 32]);
    for node in [None, Some(other)] {
        let scene = Scene::of(SIZE);
        scene
            .change(move |tx| match node {
                None => tx.remove(&NODES, (2_u64, 1_u64)).map(|_| ()),
                Some(other) => tx.insert(&NODES, (2_u64, 1_u64), &other),
            })
            .expect("written");
        // It is over leaves 4 to 7: beside leaves 0 to 3, and below what is beside leaves 8 to 15.
        for beside in [3, 12] {
            assert!(matches!(scene.prove(beside), Err(Error::LogDamaged)), "{beside}");
        }
        assert!(matches!(scene.consistency(8), Err(Error::LogDamaged)));
        for elsewhere in [5, 40] {
            assert!(scene.prove(elsewhere).is_ok(), "{elsewhere}");
        }
    }
}

#[test]
fn an_entry_that_was_removed_changed_or_swapped_shows() {
    let scene = Scene::of(SIZE);
    let another = String::from_utf8(scene.prove(6).expect("in the log").entry.0).expect("JSON");
    scene
        .change(move |tx| {
            tx.remove(&ENTRIES, 4)?;
            tx.insert(&ENTRIES, 5, &another)
        })
        .expect("written");
    for index in [4, 5] {
        assert!(matches!(scene.prove(index), Err(Error::LogDamaged)), "{index}");
    }
}

#[test]
fn a_head_that_was_put_back_takes_no_more_entries_and_proves_no_later_ones() {
    let scene = Scene::of(20);
    let before = scene.head();
    scene.append(20..30);
    scene.change(move |tx| tx.insert(&HEAD, 0, &before)).expect("written");
    assert!(matches!(scene.prove(25), Err(Error::LogDamaged)));
    let refused = scene.change(|tx| append(tx, &pending(20)).map(|_| ()));
    assert!(matches!(refused, Err(StoreError::Refused { table: HEAD_NAME })), "{refused:?}");
    scene.change(|tx| tx.remove(&HEAD, 0).map(|_| ())).expect("written");
    let refused = scene.change(|tx| append(tx, &pending(0)).map(|_| ()));
    assert!(matches!(refused, Err(StoreError::Refused { table: HEAD_NAME })), "{refused:?}");
}

#[test]
fn a_failed_change_leaves_no_entry() {
    let scene = Scene::of(3);
    let failed = scene.change(|tx| {
        append(tx, &pending(3))?;
        Err(StoreError::Closed)
    });
    assert!(failed.is_err());
    assert_eq!((scene.head().size, scene.listed("friend", None, 10).len()), (3, 3));
    scene.append(3..4);
}

/// Whoever sends an event of its own repeats it until it is answered.
#[test]
fn an_event_that_is_sent_twice_is_one_entry() {
    let scene = Scene::of(2);
    let send = |id: &'static str| {
        let write = move |tx: &mut Transaction<'_>| record::once(tx, id, &pending(9));
        scene.store.write_blocking(write).unwrap_or_else(|error: StoreError| panic!("{error}"))
    };
    assert_eq!([send("a"), send("a"), send("b"), send("a"), send("b")], [2, 2, 3, 2, 3]);
    assert_eq!(scene.head().size, 4);
}

#[test]
fn an_entry_over_the_limit_is_refused() {
    let scene = Scene::of(0);
    let refused = scene.change(|tx| {
        let event = Event::Created {
            task_id: "t".parse().expect("an id"),
            manifest: None,
            user_id: user(1),
            approved: true,
            function_name: "x".repeat(entry::MAX_BYTES),
        };
        append(tx, &Pending::new(UnixMillis(0), vec![user(1)], event)).map(|_| ())
    });
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn a_user_who_is_named_twice_has_one_entry() {
    let scene = Scene::of(0);
    scene
        .change(|tx| {
            let event = Event::User { user_id: user(1), change: UserChange::Added };
            append(tx, &Pending::new(UnixMillis(0), vec![user(1), user(1)], event)).map(|_| ())
        })
        .expect("appended");
    assert_eq!(scene.listed("user1", None, 10), [0]);
}

#[test]
fn a_deployments_name_fits_into_a_notes() {
    let longest: Deployment = "x".repeat(Deployment::MAX_LEN).parse().expect("a name");
    assert!(!consent::log::checkpoint::origin(&longest).contains([' ', '+']));
}
