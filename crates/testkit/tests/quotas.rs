//! Quotas: nobody keeps more than they may, and whoever is refused hears it before a byte is sent.

use client::{Contents, Put};
use serde_json::{Value, json};
use testkit::party::Party;
use testkit::{Cluster, Site};
use types::file::{Format, PART_BYTES};
use types::service::Api;
use types::user::Bound;
use types::wire::admin;

async fn cluster(user_files: u64, user_bytes: u64) -> Cluster {
    let cluster = Cluster::start_with(|config| {
        (config.quotas.user_files, config.quotas.user_bytes) = (user_files, user_bytes);
    })
    .await;
    cluster.add_example_users().await;
    cluster
}

fn declaration(size: u64) -> Value {
    json!({"type": "Create", "file_name": "f", "sha256": "0".repeat(64), "file_size": size})
}

async fn declare(party: &Party<'_>, size: u64) -> Value {
    party.ask(Api::TdfsExternal, declaration(size)).await
}

async fn check_refused(party: &Party<'_>, size: u64, words: &str) {
    let answer = declare(party, size).await;
    let said = answer["message"].as_str().unwrap_or_default();
    assert!(answer["code"] == "resource_exhausted" && said.contains(words), "{answer}");
    assert!(answer.get("retry_after_ms").is_none(), "waiting does not help: {answer}");
}

/// What a party keeps, as files and bytes.
async fn usage(party: &Party<'_>) -> (u64, u64) {
    let answer = party.ask(Api::TdfsExternal, json!({"type": "Usage"})).await;
    let number = |field: &str| answer[field].as_u64().unwrap_or_else(|| panic!("{answer}"));
    (number("files"), number("bytes"))
}

async fn set_quota(site: &Site, user: &str, files: Option<Bound>, bytes: Option<Bound>) {
    let set = admin::SetQuota { user_id: user.parse().expect("a name"), files, bytes };
    identity::operate(site.data_dir(), set.into()).await.expect("set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_too_many_or_too_large_is_refused_before_it_is_declared() {
    let mut cluster = cluster(2, 10).await;
    let site = cluster.clone();
    let [user1, user2, ..] = site.examples();
    check_refused(&user1, 11, "the quota of 10 bytes: 0 are used, and this takes 11 more").await;
    assert_eq!(usage(&user1).await, (0, 0), "what is refused counts for nothing");
    let first = user1.put(b"1234567890").await;
    check_refused(&user1, 1, "the quota of 10 bytes: 10 are used").await;
    assert_eq!(declare(&user1, 0).await["type"], "Create");
    check_refused(&user1, 0, "the quota of 2 files: 2 are used, and this takes 1 more").await;
    assert_eq!(usage(&user1).await, (2, 10));
    assert_eq!((declare(&user2, 10).await["type"].clone(), usage(&user2).await), (json!("Create"), (1, 10)));
    user1.delete(&first).await;
    assert_eq!(usage(&user1).await, (1, 0));
    cluster.restart().await;
    let user1 = cluster.party("user1", "token1");
    assert_eq!(usage(&user1).await, (1, 0));
    assert_eq!((declare(&user1, 10).await["type"].clone(), usage(&user1).await), (json!("Create"), (2, 10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gives_one_user_more_or_less() {
    let cluster = cluster(1, 0).await;
    let [user1, user2, ..] = cluster.examples();
    for party in [&user1, &user2] {
        assert_eq!(declare(party, 1 << 30).await["type"], "Create");
        check_refused(party, 0, "the quota of 1 files").await;
    }
    set_quota(&cluster, "user1", Some(Bound::Unbounded), Some(Bound::AtMost(1 << 30))).await;
    assert_eq!(declare(&user1, 0).await["type"], "Create");
    check_refused(&user1, 1, "the quota of 1073741824 bytes").await;
    check_refused(&user2, 0, "the quota of 1 files").await;
    let shown = user1.ask(Api::TdfsExternal, json!({"type": "Usage"})).await;
    assert_eq!((&shown["files_limit"], &shown["bytes_limit"]), (&json!(null), &json!(1 << 30)));
    set_quota(&cluster, "user1", Some(Bound::Default), None).await;
    check_refused(&user1, 0, "the quota of 1 files: 2 are used").await;
}

/// Of requests that arrive together, as many succeed as there is room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declarations_at_the_same_time_never_pass_the_quota() {
    const ROOM: usize = 7;
    let cluster = cluster(0, ROOM as u64 * 3).await;
    let site = cluster.clone();
    let all: Vec<_> = (0..40)
        .map(|_| {
            let site = site.clone();
            tokio::spawn(async move { declare(&site.party("user1", "token1"), 3).await["type"] == "Create" })
        })
        .collect();
    let mut declared = 0;
    for one in all {
        declared += usize::from(one.await.expect("no panic"));
    }
    let party = site.party("user1", "token1");
    assert_eq!((declared, usage(&party).await), (ROOM, (ROOM as u64, 3 * ROOM as u64)));
}

/// What a task makes counts and is never refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_given_to_whoever_has_no_room() {
    let cluster = cluster(1, 0).await;
    let [user1, user2, ..] = cluster.examples();
    let (input, other) = (user1.put(&[7; 32]).await, user2.put(&[7; 32]).await);
    let task = user1.create("psi", &["user2"], &[&input]).await;
    assert_eq!(user2.approve(&task, &[&other]).await["success"], true);
    let answer = task.invoke(None).await;
    assert_ne!(answer["type"], "Error", "{answer}");
    for party in [user1, user2] {
        let (files, bytes) = usage(&party).await;
        assert!(files == 2 && bytes > 32, "{files} {bytes}");
        check_refused(&party, 0, "the quota of 1 files: 2 are used").await;
    }
}

/// A client that says the size at the end can't send more than there is room for, nor complete it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_unknown_size_stops_at_the_quota() {
    let limit = PART_BYTES + 1000;
    let cluster = cluster(0, limit).await;
    let party = cluster.party("user1", "token1");
    let open = async || {
        let create = json!({"type": "Create", "file_name": "f", "format": "chunked"});
        party.ask(Api::TdfsExternal, create).await["file_id"].as_str().expect("an id").to_owned()
    };
    let id = open().await;
    let urls = async |parts: &[u32]| {
        party.ask(Api::TdfsExternal, json!({"type": "Upload", "file_id": id, "parts": parts})).await
    };
    assert_eq!(urls(&[0, 1]).await["urls"].as_array().map(Vec::len), Some(2));
    assert_eq!(urls(&[3]).await["code"], "resource_exhausted", "that part could never belong to a file that fits");
    let complete = json!({"type": "CompleteUpload", "file_id": id, "file_size": limit + 1, "sha256": "0".repeat(64)});
    assert_eq!(party.ask(Api::TdfsExternal, complete).await["code"], "precondition_failed", "nothing was sent");
    assert_eq!(usage(&party).await, (1, 0));
}

/// The same through the client, which says so at once instead of trying again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_too_long_ends_with_the_quota() {
    let cluster = cluster(0, 100_000).await;
    let transfers = client::Transfers { always_send: true, ..client::Transfers::default() };
    let client = cluster.client_with("user1", "token1", transfers);
    let dir = tempfile::tempdir().expect("a folder");
    let put = async |name: &str, size: usize| {
        let path = dir.path().join(name);
        std::fs::write(&path, vec![7; size]).expect("written");
        let put = Put { format: Some(Format::Chunked), ..Put::named(name.parse().expect("a name")) };
        client.put_file(Contents::File(path), put, |_, _| {}).await
    };
    put("fits", 60_000).await.expect("there is room");
    let error = put("does-not", 60_000).await.expect_err("there is none");
    let error = format!("{:#}", anyhow::Error::from(error));
    assert!(error.contains("the quota of 100000 bytes: 60000 are used"), "{error}");
    put("fits-again", 40_000).await.expect("there is room for this one");
    assert_eq!(client.usage().await.expect("asked").bytes, 100_000);
}

/// What was never completed and is removed, and what a failed task made, is given back.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_out_gives_room_back() {
    let cluster = cluster(3, 0).await;
    let party = cluster.party("user1", "token1");
    let create = json!({"type": "Create", "file_name": "f", "format": "chunked"});
    let open = party.ask(Api::TdfsExternal, create).await;
    party.delete(open["file_id"].as_str().expect("an id")).await;
    assert_eq!(usage(&party).await, (0, 0));
    let output = json!({"type": "Create", "sha256": "0".repeat(64), "file_size": 9, "user_id": "user1", "task_id": "t",
        "collaborator_list": [], "allow_policy": 0});
    for expected in [(1, 9), (2, 18)] {
        cluster.framed(Api::TdfsInternal, output.clone()).await;
        assert_eq!(usage(&party).await, expected);
    }
    cluster.framed(Api::TdfsInternal, json!({"type": "End", "task_id": "t", "outputs": []})).await;
    assert_eq!(usage(&party).await, (0, 0));
}
