//! What a URL is good for, and for nothing else: one file, one operation, one part, a while.

use std::time::Duration;

use crypto::hash::{Sha256, hex};
use serde_json::{Value, json};
use testkit::party::Party;
use testkit::{Cluster, wire};
use types::service::Api;

use crate::scene::{code, http};

/// A file that was declared, and its sealed content.
struct Declared {
    id: String,
    url: String,
    sealed: Vec<u8>,
}

async fn declare(user: &Party<'_>, content: &[u8]) -> Declared {
    let sha256 = hex(&Sha256::digest(content));
    let create = json!({"type": "Create", "file_name": "f", "sha256": sha256, "file_size": content.len()});
    let created = user.ask(Api::TdfsExternal, create).await;
    let key = wire::file_key(&created["key_config"]);
    let sealed = crypto::file::seal(content.to_vec(), key).expect("small");
    let text = |field: &str| created[field].as_str().expect("text").to_owned();
    Declared { id: text("file_id"), url: text("upload_url"), sealed }
}

async fn info(user: &Party<'_>, id: &str) -> Value {
    user.ask(Api::TdfsExternal, json!({"type": "Get", "file_id": id})).await["file_info"].clone()
}

/// Anybody with an HTTP client can put and get ciphertext with the URLs of the documented requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_ciphertext_goes_and_comes_by_url() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let file = declare(&user1, b"hello").await;
    assert_eq!(info(&user1, &file.id).await.get("download_url"), None, "nothing is there yet");
    let (status, body) = http(&cluster, "PUT", &file.url, None, &file.sealed).await;
    assert_eq!((status, &body[..]), (200, &br#"{"type":"Stored"}"#[..]));

    let url = info(&user1, &file.id).await["download_url"].as_str().expect("it is there").to_owned();
    assert_eq!(http(&cluster, "GET", &url, None, b"").await, (200, file.sealed.clone()));
    let length = file.sealed.len();
    for (range, expected) in [
        ("bytes=0-3", Some(&file.sealed[..4])),
        ("bytes=5-", Some(&file.sealed[5..])),
        ("bytes=-2", Some(&file.sealed[length - 2..])),
        ("bytes=3-999", Some(&file.sealed[3..])),
        ("bytes=99-", None),
    ] {
        let (status, body) = http(&cluster, "GET", &url, Some(range), b"").await;
        match expected {
            Some(expected) => assert_eq!((status, &body[..]), (206, expected), "{range}"),
            None => assert_eq!((status, body.len()), (416, 0), "{range}"),
        }
    }
    assert_eq!(http(&cluster, "HEAD", &url, None, b"").await, (200, Vec::new()));
    assert_eq!(user1.get(&file.id).await, b"hello");
    cluster.stop().await;
}

/// A URL for one thing, used for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_for_its_file_operation_and_part_alone() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let (stored, other) = (declare(&user1, b"first").await, declare(&user1, b"other").await);
    assert_eq!(http(&cluster, "PUT", &stored.url, None, &stored.sealed).await.0, 200);
    let download = info(&user1, &stored.id).await["download_url"].as_str().expect("a URL").to_owned();
    let part = user1.ask(Api::TdfsExternal, json!({"type": "Upload", "file_id": other.id, "parts": [0]})).await;
    let part = part["urls"][0]["url"].as_str().expect("a URL").to_owned();

    let swapped = |url: &str, from: &str, to: &str| url.replace(from, to);
    for (method, url, expected) in [
        ("GET", stored.url.clone(), "permission_denied"),
        ("HEAD", stored.url.clone(), ""),
        ("PUT", download.clone(), "permission_denied"),
        ("PUT", swapped(&stored.url, &stored.id, &other.id), "permission_denied"),
        ("GET", swapped(&download, &stored.id, &other.id), "permission_denied"),
        ("PUT", swapped(&download, "operation=download", "operation=upload"), "permission_denied"),
        ("PUT", swapped(&part, "part=0", "part=1"), "permission_denied"),
        ("PUT", swapped(&part, "part=0&", ""), "permission_denied"),
        ("PUT", swapped(&part, "expires=1", "expires=2"), "permission_denied"),
        ("PUT", format!("{part}A"), "permission_denied"),
        ("PUT", part.split('?').next().expect("a path").to_owned(), "permission_denied"),
        ("PUT", swapped(&part, &other.id, "../x"), "permission_denied"),
        ("PUT", swapped(&part, &other.id, "%2e%2e%2fx"), "permission_denied"),
        ("POST", part.clone(), "not_found"),
        ("DELETE", part.clone(), "not_found"),
        // Signed, and too late: the file is complete.
        ("PUT", stored.url.clone(), "conflict"),
    ] {
        let (status, body) = http(&cluster, method, &url, None, &stored.sealed).await;
        assert!(status >= 400, "{method} {url}: {status}");
        if !expected.is_empty() {
            assert_eq!(code(&body), expected, "{method} {url}");
        }
    }
    assert_eq!(user1.get(&stored.id).await, b"first", "nothing was written");
    // A URL of a file that is gone.
    user1.delete(&stored.id).await;
    for (method, url) in [("GET", &download), ("PUT", &stored.url)] {
        assert_eq!(code(&http(&cluster, method, url, None, &stored.sealed).await.1), "not_found", "{method}");
    }
    cluster.stop().await;
}

/// URLs are short-lived, and another deployment's are nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_expires_and_is_of_one_deployment() {
    let (cluster, other) = tokio::join!(Cluster::start_with(|config| config.tdfs.url_seconds = 1), Cluster::start());
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let file = declare(&user1, b"hello").await;
    assert_eq!(code(&http(&other, "PUT", &file.url, None, &file.sealed).await.1), "permission_denied");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (_, body) = http(&cluster, "PUT", &file.url, None, &file.sealed).await;
    assert_eq!(code(&body), "permission_denied");
    assert!(String::from_utf8_lossy(&body).contains("time is over"), "the message says what to do");
    tokio::join!(cluster.stop(), other.stop());
}

/// Bytes that can't be what was declared are refused before they are a file.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_length_is_no_file() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let file = declare(&user1, b"hello").await;
    for body in [&b""[..], &file.sealed[1..], &[&file.sealed[..], b"x"].concat()] {
        assert_eq!(
            code(&http(&cluster, "PUT", &file.url, None, body).await.1),
            "precondition_failed",
            "{}",
            body.len()
        );
        assert_eq!(info(&user1, &file.id).await.get("download_url"), None);
    }
    assert_eq!(http(&cluster, "PUT", &file.url, None, &file.sealed).await.0, 200);
    // A part that is longer than parts are.
    let file = declare(&user1, b"again").await;
    let upload = user1.ask(Api::TdfsExternal, json!({"type": "Upload", "file_id": file.id, "parts": [0]})).await;
    let url = upload["urls"][0]["url"].as_str().expect("a URL");
    let long = vec![0; usize::try_from(upload["part_bytes"].as_u64().expect("a number")).expect("small") + 1];
    assert_eq!(code(&http(&cluster, "PUT", url, None, &long).await.1), "payload_too_large");
    let state = user1.ask(Api::TdfsExternal, json!({"type": "Upload", "file_id": file.id, "received": true})).await;
    assert_eq!(state["received"], json!([]));
    cluster.stop().await;
}

/// Uploads are their owner's: for whoever may read the file they are refused, for everyone else it does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_their_owners() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let file = declare(&user1, b"hello").await;
    for request in
        [json!({"type": "Upload", "file_id": file.id}), json!({"type": "CompleteUpload", "file_id": file.id})]
    {
        assert_eq!(user2.ask(Api::TdfsExternal, request.clone()).await["code"], "not_found");
        let stranger = cluster.party("user1", "wrong");
        assert_eq!(stranger.ask(Api::TdfsExternal, request).await["code"], "unauthenticated");
    }
    for parts in [json!([2_097_152]), json!((0..65).collect::<Vec<_>>())] {
        let request = json!({"type": "Upload", "file_id": file.id, "parts": parts});
        assert_eq!(user1.ask(Api::TdfsExternal, request).await["code"], "invalid_request");
    }
    cluster.stop().await;
}
