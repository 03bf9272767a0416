//! Uploads in parts: what is half there is no file.

use std::fs;

use client::{Contents, FileError};
use serde_json::json;
use testkit::Cluster;
use types::file::{Format, PART_BYTES};
use types::service::Api;

use crate::scene::{content, get, http, put, put_bytes, remote};

/// Sizes around everything that has an edge: nothing, one byte, chunks, parts.
fn sizes() -> [usize; 7] {
    let part = PART_BYTES as usize;
    [0, 1, (64 << 10) - 1, 64 << 10, part - 80, part, 2 * part + 12_345]
}

/// Files of every edge's size, in both formats, over the network and back, and through the disk as well.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_size_come_back_as_they_were() {
    let (cluster, dir) = (Cluster::start().await, tempfile::tempdir().expect("a folder"));
    cluster.add_example_users().await;
    let (far, near) = (remote(&cluster, None), cluster.client("user1", "token1"));
    for size in sizes() {
        let (bytes, path) = (content(size), dir.path().join("source"));
        fs::write(&path, &bytes).expect("written");
        for format in [Format::Single, Format::Chunked] {
            for putter in [&far, &near] {
                let stored = putter.put_file(Contents::File(path.clone()), put(format), |_, _| {}).await;
                let file = stored.expect("it is put").file_id;
                for getter in [&far, &near] {
                    assert!(get(getter, &file).await == bytes, "{size} {format:?}");
                }
                far.delete_file(&file).await.expect("deleted");
            }
        }
    }
    let left = fs::read_dir(cluster.config().files()).expect("a folder");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
    cluster.stop().await;
}

/// What ends when it ends is sealed as it comes, however long it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_unknown_length_is_put_as_it_comes() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let client = remote(&cluster, None);
    for size in sizes() {
        let bytes = content(size);
        let contents = Contents::Stream("a pipe", Box::new(std::io::Cursor::new(bytes.clone())));
        let named = client::Put::named("piped".parse().expect("a name"));
        let stored = client.put_file(contents, named, |_, _| {}).await.expect("it is put");
        assert_eq!(stored.file_size, size as u64);
        assert!(get(&client, &stored.file_id).await == bytes, "{size}");
    }
    cluster.stop().await;
}

/// Before its upload is complete a file is of no use to anyone: it has no URL, no task takes it, and a client says why.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_upload_is_no_file() {
    let cluster = Cluster::start().await;
    cluster.add_example_users().await;
    let [user1, ..] = cluster.examples();
    let ask = async |request: serde_json::Value| user1.ask(Api::TdfsExternal, request).await;
    let created = ask(json!({"type": "Create", "file_name": "f", "format": "chunked"})).await;
    let id = created["file_id"].as_str().expect("an id");
    assert_eq!(created.get("upload_url"), None, "its length is not known");
    let upload = ask(json!({"type": "Upload", "file_id": id, "parts": [0, 1]})).await;
    let part = content(PART_BYTES as usize);
    let url = upload["urls"][0]["url"].as_str().expect("a URL");
    assert_eq!(http(&cluster, "PUT", url, None, &part).await.0, 200);

    let info = ask(json!({"type": "Get", "file_id": id})).await["file_info"].clone();
    assert_eq!((&info["incomplete"], info.get("download_url")), (&json!(true), None));
    assert!(!fs::exists(info["access_path"].as_str().expect("a path")).expect("a folder"));
    let task = json!({"type": "Create", "function_name": "echo_file", "collaborator_list": [], "files": [id]});
    assert_eq!(user1.ask(Api::TmsExternal, task).await["code"], "precondition_failed");
    let client = remote(&cluster, None);
    let refused = client.get_file(&id.parse().expect("an id"), |_, _| {}).await.expect_err("half a file");
    assert!(matches!(refused, FileError::Incomplete { .. }), "{refused}");

    // Nothing that the parts can't hold is believed, and nothing is half declared.
    let digest = "0".repeat(64);
    for (declared, expected) in [
        (json!({}), "invalid_request"),
        (json!({"file_size": 5}), "invalid_request"),
        (json!({"sha256": digest}), "invalid_request"),
        (json!({"file_size": 5, "sha256": digest}), "precondition_failed"),
        (json!({"file_size": PART_BYTES, "sha256": digest}), "precondition_failed"),
        (json!({"file_size": u64::MAX, "sha256": digest}), "payload_too_large"),
    ] {
        let mut request = json!({"type": "CompleteUpload", "file_id": id});
        request.as_object_mut().expect("an object").extend(declared.as_object().expect("an object").clone());
        assert_eq!(ask(request).await["code"], expected, "{declared}");
    }
    // The second part alone: there is a hole.
    let url = upload["urls"][1]["url"].as_str().expect("a URL");
    let other = ask(json!({"type": "Create", "file_name": "g", "format": "chunked"})).await;
    let hole = ask(json!({"type": "Upload", "file_id": other["file_id"], "parts": [1]})).await;
    assert_ne!(hole["urls"][0]["url"], url);
    let hole_url = hole["urls"][0]["url"].as_str().expect("a URL");
    assert_eq!(http(&cluster, "PUT", hole_url, None, &content(5000)).await.0, 200);
    let complete = json!({"type": "CompleteUpload", "file_id": other["file_id"], "file_size": 4920, "sha256": digest});
    assert_eq!(ask(complete).await["code"], "precondition_failed");
    cluster.stop().await;
}

/// An upload that nobody continues is swept up, with its record and its key.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_were_given_up_are_swept_up() {
    let mut cluster = Cluster::start_with(|config| config.tdfs.upload_hours = 0).await;
    cluster.add_example_users().await;
    let client = remote(&cluster, None);
    let kept = put_bytes(&client, b"kept", Format::Chunked).await.file_id;
    let (ids, mut urls) = (["sent", "not sent"], Vec::new());
    {
        let [user1, ..] = cluster.examples();
        for name in ids {
            let create = json!({"type": "Create", "file_name": name, "format": "chunked"});
            let created = user1.ask(Api::TdfsExternal, create).await;
            let upload = json!({"type": "Upload", "file_id": created["file_id"], "parts": [0]});
            urls.push(user1.ask(Api::TdfsExternal, upload).await["urls"][0]["url"].as_str().expect("a URL").to_owned());
        }
        assert_eq!(http(&cluster, "PUT", &urls[0], None, b"part").await.0, 200);
    }
    cluster.restart().await;
    let [user1, ..] = cluster.examples();
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while user1.list(Api::TdfsExternal).await.len() > 1 {
        assert!(tokio::time::Instant::now() < end, "nobody sweeps");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let client = remote(&cluster, None);
    assert_eq!(get(&client, &kept).await, b"kept");
    let uploads = std::path::Path::new(&cluster.config().files()).join(".uploads");
    assert_eq!(fs::read_dir(uploads).expect("a folder").count(), 0);
    cluster.stop().await;
}
