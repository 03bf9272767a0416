//! The store does what a `BTreeMap` does, over random transactions, failures and restarts.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use crypto::SealingKey;
use proptest::{collection::vec, prelude::*};
use store::{Options, Range, Records, Store, StoreError, Table, Transaction};

const TABLE: Table<(String, u64), String> = Table::new("model");

type Key = (String, u64);
type Model = BTreeMap<Key, String>;

#[derive(Debug, Clone)]
enum Op {
    Insert(Key, String),
    Remove(Key),
    Append(Key, String),
    Get(Key),
    Scan { from: Key, limit: usize },
    ScanOwner { owner: String, after: Key, limit: usize },
}

#[derive(Debug, Clone)]
enum Step {
    Write { ops: Vec<Op>, fails: bool },
    Read(Vec<Op>),
    Reopen,
}

fn key() -> impl Strategy<Value = Key> {
    ("[ab]{0,2}", 0..4_u64)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (key(), "[x-z]{0,3}").prop_map(|(key, value)| Op::Insert(key, value)),
        2 => key().prop_map(Op::Remove),
        2 => (key(), "[x-z]{1}").prop_map(|(key, value)| Op::Append(key, value)),
        1 => key().prop_map(Op::Get),
        1 => (key(), 0..6_usize).prop_map(|(from, limit)| Op::Scan { from, limit }),
        1 => ("[ab]{0,2}", key(), 0..6_usize)
            .prop_map(|(owner, after, limit)| Op::ScanOwner { owner, after, limit }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (vec(op(), 0..12), prop::bool::weighted(0.3)).prop_map(|(ops, fails)| Step::Write { ops, fails }),
        2 => vec(op(), 0..4).prop_map(Step::Read),
        1 => Just(Step::Reopen),
    ]
}

/// What an operation returned, from the store and from the model.
#[derive(Debug, PartialEq)]
enum Returned {
    Value(Option<String>),
    Page(Vec<(Key, String)>),
}

fn look_up(records: &impl Records, op: &Op) -> Result<Returned, StoreError> {
    Ok(match op {
        Op::Scan { from, limit } => {
            let range = Range::between(from.clone()..);
            Returned::Page(records.scan(&TABLE, range, *limit)?)
        }
        Op::ScanOwner { owner, after, limit } => {
            let range = Range::starting_with(owner).after(after);
            Returned::Page(records.scan(&TABLE, range, *limit)?)
        }
        Op::Insert(key, _) | Op::Remove(key) | Op::Append(key, _) | Op::Get(key) => {
            let value = records.get(&TABLE, key)?;
            assert_eq!(records.contains(&TABLE, key)?, value.is_some());
            Returned::Value(value)
        }
    })
}

fn change(tx: &mut Transaction<'_>, op: &Op) -> Result<Returned, StoreError> {
    Ok(Returned::Value(match op {
        Op::Insert(key, value) => {
            tx.insert(&TABLE, key, value)?;
            None
        }
        Op::Remove(key) => tx.remove(&TABLE, key)?,
        Op::Append(key, more) => tx.update(&TABLE, key, |value| {
            value.push_str(more);
            value.clone()
        })?,
        _ => return look_up(tx, op),
    }))
}

fn look_up_model(model: &Model, op: &Op) -> Returned {
    let page = |within: &dyn Fn(&Key) -> bool, limit: usize| {
        let entries = model.iter().filter(|(key, _)| within(key)).take(limit);
        Returned::Page(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    match op {
        Op::Scan { from, limit } => page(&|key| key >= from, *limit),
        Op::ScanOwner { owner, after, limit } => page(&|key| key.0 == *owner && key > after, *limit),
        Op::Insert(key, _) | Op::Remove(key) | Op::Append(key, _) | Op::Get(key) => {
            Returned::Value(model.get(key).cloned())
        }
    }
}

fn change_model(model: &mut Model, op: &Op) -> Returned {
    Returned::Value(match op {
        Op::Insert(key, value) => {
            model.insert(key.clone(), value.clone());
            None
        }
        Op::Remove(key) => model.remove(key),
        Op::Append(key, more) => model.get_mut(key).map(|value| {
            value.push_str(more);
            value.clone()
        }),
        _ => return look_up_model(model, op),
    })
}

/// Runs the operations in one write that may fail at its end.
fn write(store: &Store, ops: &[Op], fails: bool) -> Vec<Returned> {
    let (sender, returned) = std::sync::mpsc::channel();
    let ops = ops.to_vec();
    let written = store.write_blocking::<(), StoreError, _>(move |tx| {
        let returned: Result<Vec<_>, _> = ops.iter().map(|op| change(tx, op)).collect();
        sender.send(returned?).unwrap();
        if fails { Err(StoreError::Closed) } else { Ok(()) }
    });
    assert_eq!(written.is_err(), fails);
    returned.recv().unwrap()
}

fn check(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.redb");
    let open = || Store::open(&path, &SealingKey::from_bytes([7; 32]), Options::default()).unwrap();
    let (mut store, mut model) = (open(), Model::new());
    for step in steps {
        match step {
            Step::Write { ops, fails } => {
                let mut after = model.clone();
                let expected: Vec<_> = ops.iter().map(|op| change_model(&mut after, op)).collect();
                assert_eq!(write(&store, &ops, fails), expected);
                if !fails {
                    model = after;
                }
            }
            Step::Read(ops) => {
                let expected: Vec<_> = ops.iter().map(|op| look_up_model(&model, op)).collect();
                let read = |snapshot: &_| ops.iter().map(|op| look_up(snapshot, op)).collect();
                let found: Result<Vec<_>, StoreError> = store.read_blocking(read);
                assert_eq!(found.unwrap(), expected);
            }
            Step::Reopen => {
                store.close_blocking();
                store = open();
            }
        }
    }
    let all: Result<Vec<_>, StoreError> = store.read_blocking(|snapshot| snapshot.scan(&TABLE, .., usize::MAX));
    assert_eq!(all.unwrap(), model.into_iter().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn store_and_map_agree(steps in vec(step(), 0..24)) {
        check(steps);
    }
}
