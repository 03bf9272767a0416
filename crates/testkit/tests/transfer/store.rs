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
