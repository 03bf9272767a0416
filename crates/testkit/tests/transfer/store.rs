//! Ciphertext in an object store: the tdfs signs URLs, and bytes pass it by.

use rpc::config::{Config, S3};
use s3::Server;
use testkit::Cluster;
use types::file::{Format, PART_BYTES};

use crate::scene::{content, get, put_bytes};

fn in_bucket(server: &Server) -> impl FnOnce(&mut Config) {
    let endpoint = server.endpoint();
    move |config| {
        config.tdfs.files = Some(format!("s3://{}/teehouse", s3::BUCKET));
        config.tdfs.s3 = S3 {
            endpoint: Some(endpoint),
            region: Some(s3::REGION.to_owned()),
            access_key_id: Some(s3::ACCESS_KEY.to_owned()),
            secret_access_key: Some(s3::SECRET_KEY.to_owned()),
            allow_http: Some(true),
        };
    }
}

/// Files in both formats, in one piece and in several, go to the store and come from it, and are gone when deleted.
#[tokio::test(flavor = "multi_thread")]
async fn files_go_to_an_object_store_and_come_back() {
    let server = Server::start().await;
    let cluster = Cluster::start_with(in_bucket(&server)).await;
    cluster.add_example_users().await;
    let client = cluster.client("user1", "token1");
    let mut files = Vec::new();
    for size in [0, 1, 100_000, PART_BYTES as usize + 1, 2 * PART_BYTES as usize + 17] {
        for format in [Format::Single, Format::Chunked] {
            let bytes = content(size);
            let file = put_bytes(&client, &bytes, format).await.file_id;
            assert!(get(&client, &file).await == bytes, "{size} {format:?}");
            files.push(file);
        }
    }
    let info = client.file_info(&files[0]).await.expect("a record");
    assert_eq!(info.access_path, format!("s3://{}/teehouse/{}", s3::BUCKET, files[0]));
    for file in &files {
        client.delete_file(file).await.expect("deleted");
    }
    assert_eq!(objects(&server), 0, "nothing is left");
    cluster.stop().await;
}

/// Function nodes fetch what tasks read from the store, and send what they write to it, in both formats.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_read_and_write_an_object_store() {
    let server = Server::start().await;
    let configure = in_bucket(&server);
    let cluster = Cluster::start_with(|config| {
        configure(config);
        config.limits.single_bytes = PART_BYTES;
    })
    .await;
    cluster.add_example_users().await;
    let [user1, user2, ..] = cluster.examples();
    let (left, right) = (cluster.client("user1", "token1"), cluster.client("user2", "token2"));
    let (large, small) = (content(2 * PART_BYTES as usize + 17), content(1000));
    for format in [Format::Single, Format::Chunked] {
        let files = (put_bytes(&left, &large, format).await.file_id, put_bytes(&right, &small, format).await.file_id);
        let task = user1.create("swap_file", &["user2"], &[files.0.as_str()]).await;
        user2.approve(&task, &[files.1.as_str()]).await;
        let result = task.invoke(None).await;
        let shared = result["result"].as_str().unwrap_or_else(|| panic!("{result}")).parse().expect("an id");
        assert!(get(&left, &shared).await == [&large[..], &small].concat());
        let private = user2.look(&task).await["user_private_result_file_id"][0].as_str().expect("an id").to_owned();
        assert!(get(&right, &private.parse().expect("an id")).await == large, "{format:?}");
        assert_eq!(right.file_info(&shared).await.expect("a record").format, Format::Chunked);
    }
    cluster.stop().await;
}

fn objects(server: &Server) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry"));
        let each = |entry: std::fs::DirEntry| match entry.path().is_dir() {
            true => count(&entry.path()),
            false => usize::from(!entry.file_name().to_string_lossy().starts_with('.')),
        };
        entries.map(each).sum()
    }
    count(&server.bucket())
}
